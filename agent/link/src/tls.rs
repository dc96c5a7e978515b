//! TLS as a client: whom to trust, always with the name checked.
//! There is no "encrypt but do not verify": it would keep out nobody who can answer in the server's place.

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::sync::{Arc, OnceLock};

/// Why no TLS settings could be made.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("there is no usable certificate in the text")]
    NoCertificate,
    #[error("this computer has no trusted certificates")]
    NoSystemRoots,
    #[error("the host's name is not one that a certificate can carry")]
    Name,
}

/// Client settings that trust only the certificates in a PEM text.
///
/// # Errors
/// `NoCertificate`, also when one of several is damaged.
pub fn client_of_pem(pem: &[u8]) -> Result<ClientConfig, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| TlsError::NoCertificate)?;
        store
            .add(certificate)
            .map_err(|_| TlsError::NoCertificate)?;
    }
    if store.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(client(Arc::new(store)))
}

/// Client settings that trust what this computer trusts. The list is read once: it is long and changes with the system.
///
/// # Errors
/// `NoSystemRoots`.
pub fn client_of_system() -> Result<ClientConfig, TlsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if store.is_empty() {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(client(Arc::clone(store)))
}

/// The name that a server's certificate must carry.
///
/// # Errors
/// `Name` when `host` is neither a host name nor an IP address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name)
}

fn client(roots: Arc<RootCertStore>) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions
        .expect("the provider supports both TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A stored ticket would outlive a CA that was taken away.
    config.resumption = rustls::client::Resumption::disabled();
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_without_a_certificate_trusts_nobody() {
        for pem in [
            "",
            "nothing",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(
                client_of_pem(pem.as_bytes()).err(),
                Some(TlsError::NoCertificate),
                "{pem}"
            );
        }
    }

    #[test]
    fn a_certificate_is_trusted() {
        let ca = rcgen::generate_simple_self_signed(vec!["db".to_owned()]).unwrap();

        assert!(client_of_pem(ca.cert.pem().as_bytes()).is_ok());
    }
}
