//! First bytes: what programs, browsers and attackers send before they have said anything that counts.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::AsyncReadExt as _;

use super::*;

const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";

/// What comes back for `first`, up to the end.
async fn answer_to(inlet: &Inlet, first: &[u8]) -> Vec<u8> {
    let mut program = inlet.connect().await;
    program.write_all(first).await.unwrap();
    let mut heard = Vec::new();
    let read = program.read_to_end(&mut heard);
    // A reset is as good an end as any for such a caller.
    let _ = tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap();
    heard
}

#[tokio::test]
async fn a_browser_gets_no_word_and_is_reported() {
    let mut inlet = Inlet::new(Refuses(Code::Internal)).await;
    let requests = [
        "GET / HTTP/1.1\r\nHost: localhost:15432\r\n\r\n",
        "POST /query HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n\r\nQ",
        "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for request in requests {
        assert_eq!(
            answer_to(&inlet, request.as_bytes()).await,
            b"",
            "{request}"
        );

        let problem = Problem::new(Code::BrowserAtInlet).service(&warehouse());
        assert_eq!(inlet.next_end().await, VisitEnd::Refused(problem));
    }
}

#[tokio::test]
async fn impossible_first_packets_get_no_word() {
    let mut inlet = Inlet::new(Refuses(Code::Internal)).await;
    for length in [0_u32, 4, 0x1_0000, u32::MAX] {
        assert_eq!(answer_to(&inlet, &length.to_be_bytes()).await, b"");
        assert_eq!(inlet.next_end().await, VisitEnd::Finished);
    }
}

#[tokio::test]
async fn bytes_after_an_encryption_request_kill_the_connection_unanswered() {
    let inlet = Inlet::new(Refuses(Code::Internal)).await;
    for request in [SSL_REQUEST, GSS_REQUEST] {
        let stuffed = [request, b"\0\0\0\x09\0\x03\0\0\0"].concat();

        assert_eq!(answer_to(&inlet, &stuffed).await, b"");
    }
}

#[tokio::test]
async fn plaintext_in_place_of_tls_kills_the_connection() {
    let inlet = Inlet::new(Refuses(Code::Internal)).await;
    let mut program = inlet.connect().await;
    program.write_all(SSL_REQUEST).await.unwrap();
    assert_eq!(program.read_u8().await.unwrap(), b'S');

    program.write_all(b"\0\0\0\x09\0\x03\0\0\0").await.unwrap();
    let mut heard = Vec::new();
    let _ = program.read_to_end(&mut heard).await;

    assert!(
        heard.is_empty() || heard[0] == 0x15,
        "neither silence nor a TLS alert: {heard:?}"
    );
}

#[tokio::test]
async fn tls_may_begin_without_the_question_for_postgresql_only() {
    let mut inlet = Inlet::new(Refuses(Code::NotAvailable)).await;

    let mut line = direct_tls(&inlet, b"postgresql").await.unwrap();
    line.write_all(b"\0\0\0\x09\0\x03\0\0\0").await.unwrap();
    let mut greeting = [0; 9];
    line.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"R\0\0\0\x08\0\0\0\0");
    drop(line);
    inlet.next_end().await;

    assert!(direct_tls(&inlet, b"h2").await.is_err());
    let problem = Problem::new(Code::BrowserAtInlet).service(&warehouse());
    assert_eq!(inlet.next_end().await, VisitEnd::Refused(problem));
}

async fn direct_tls(
    inlet: &Inlet,
    protocol: &[u8],
) -> std::io::Result<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + use<>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AsSslmodeRequire))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector
        .connect("localhost".try_into().unwrap(), inlet.connect().await)
        .await
}

/// Looks at nothing, as libpq does for `sslmode=require`.
#[derive(Debug)]
struct AsSslmodeRequire;

impl ServerCertVerifier for AsSslmodeRequire {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[tokio::test]
async fn gss_is_declined_and_the_startup_goes_on() {
    let inlet = Inlet::new(Refuses(Code::NotAvailable)).await;
    let mut program = inlet.connect().await;
    program.write_all(GSS_REQUEST).await.unwrap();
    assert_eq!(program.read_u8().await.unwrap(), b'N');

    program.write_all(b"\0\0\0\x09\0\x03\0\0\0").await.unwrap();

    let mut greeting = [0; 9];
    program.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"R\0\0\0\x08\0\0\0\0");
}

#[tokio::test]
async fn a_newer_protocol_is_negotiated_down_and_replication_refused() {
    let inlet = Inlet::new(Refuses(Code::NotAvailable)).await;

    let newer = answer_to(&inlet, b"\0\0\0\x09\0\x03\x27\x0f\0").await;
    assert!(
        newer.starts_with(b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0R\0\0\0\x08\0\0\0\0E"),
        "{newer:?}"
    );

    let (_, err, _) = run(inlet.psql("replication=database")).await;
    assert!(
        err.contains("FATAL:  replication connections are not offered here"),
        "{err}"
    );
}

#[tokio::test]
async fn a_program_that_insists_on_a_certificate_is_reported_with_what_to_change() {
    let mut inlet = Inlet::new(Refuses(Code::Internal)).await;
    let root = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.crt");
    fs::write(&path, root.cert.pem()).unwrap();

    for mode in ["verify-ca", "verify-full"] {
        let (_, err, code) =
            run(inlet.psql(&format!("sslmode={mode} sslrootcert={}", path.display()))).await;

        assert!(err.contains("certificate verify failed"), "{err}");
        assert_eq!(code, Some(2));
        let problem = Problem::new(Code::ClientTls).service(&warehouse());
        assert_eq!(inlet.next_end().await, VisitEnd::Refused(problem));
    }
}

#[tokio::test]
async fn a_cancel_with_a_guessed_key_reaches_nothing_and_hears_nothing() {
    let (mut inlet, database) = Inlet::real().await;
    let guessed = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd";

    assert_eq!(answer_to(&inlet, guessed).await, b"");

    assert_eq!(inlet.next_end().await, VisitEnd::Finished);
    drop(database);
}

#[tokio::test]
async fn a_flood_before_the_connection_is_ready_is_not_kept() {
    let (_may, when) = watch::channel(false);
    let inlet = Inlet::new(Patient(Refuses(Code::Internal), when)).await;
    let flood = [b"\0\0\0\x09\0\x03\0\0\0".to_vec(), vec![b'x'; 100_000]].concat();
    let mut program = inlet.connect().await;
    program.write_all(&flood).await.unwrap();

    let mut heard = Vec::new();
    let _ = program.read_to_end(&mut heard).await;

    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("08P01"), "{heard}");
}
