//! The inlet's own certificate: made at each start, kept in memory, signed by nobody.
//! `sslmode=require` asks no more than that; `verify-ca` and `verify-full` do, and no local port can satisfy them.

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{AlertDescription, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::Code;

/// What PostgreSQL 17 clients name when they skip the question; browsers name something else and are refused by it.
const ALPN: &[u8] = b"postgresql";

/// Accepts TLS with a new certificate for `localhost`.
pub(super) fn acceptor() -> TlsAcceptor {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made =
        rcgen::generate_simple_self_signed(names).expect("these names fit into a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports both TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key was made for the certificate");
    config.alpn_protocols = vec![ALPN.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Who did not agree to our TLS, as far as a failed handshake says.
pub(super) fn refused(error: &std::io::Error) -> Option<Code> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::NoApplicationProtocol => Some(Code::BrowserAtInlet),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired,
        ) => Some(Code::ClientTls),
        _ => None,
    }
}
