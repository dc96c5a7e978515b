//! A provider that answers, lies, trickles or points elsewhere, over TLS of its own CA.
#![allow(clippy::unwrap_used)]
use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tidegate_proto::statement::Algorithm;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const KEYS: &str = r#"{"keys":[]}"#;

/// A provider that answers each path with prepared bytes; every opened way is a new connection to it.
struct Provider {
    tls: Arc<rustls::ServerConfig>,
    answers: Vec<(&'static str, Vec<u8>)>,
    /// One byte of an answer, then this long nothing.
    pause: Duration,
    ca_pem: String,
}

impl Provider {
    fn new(name: &str) -> Self {
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let discovery = format!(
            r#"{{"issuer":"{ISSUER}","jwks_uri":"https://idp.test/oauth2/default/v1/keys"}}"#
        );
        Self {
            tls: Arc::new(tls),
            answers: vec![(DISCOVERY, ok(&discovery)), (KEY_PATH, ok(KEYS))],
            pause: Duration::ZERO,
            ca_pem: ca.pem(),
        }
    }

    fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    fn answering(mut self, path: &'static str, answer: Vec<u8>) -> Self {
        self.answers.retain(|(known, _)| *known != path);
        self.answers.push((path, answer));
        self
    }

    fn idp(&self) -> IdpStatement {
        IdpStatement {
            org: "acme".parse().unwrap(),
            issuer: ISSUER.into(),
            client_id: "0oa".into(),
            algorithms: vec![Algorithm::RS256],
            redirect_ports: [8250, 18250, 28250],
            groups_claim: "groups".into(),
            key_host: "idp.test:443".parse().unwrap(),
            ca_pem: Some(self.ca_pem.clone()),
            max_session: 3600,
            version: 1,
        }
    }
}

const ISSUER: &str = "https://idp.test/oauth2/default";
const DISCOVERY: &str = "/oauth2/default/.well-known/openid-configuration";
const KEY_PATH: &str = "/oauth2/default/v1/keys";

fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Way for Provider {
    type Io = DuplexStream;

    async fn open(&self) -> Result<DuplexStream, FetchError> {
        let (near, far) = duplex(64 * 1024);
        let tls = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.tls));
        let (answers, pause) = (self.answers.clone(), self.pause);
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(far).await else {
                return;
            };
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            if let Some((_, answer)) = answers.iter().find(|(known, _)| *known == path) {
                let piece = if pause.is_zero() { answer.len() } else { 1 };
                for some in answer.chunks(piece) {
                    if stream.write_all(some).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
            let _ = stream.shutdown().await;
        });
        Ok(near)
    }
}

#[tokio::test]
async fn fetches_the_keys_by_way_of_the_discovery_document() {
    let provider = Provider::new("idp.test");

    assert_eq!(
        key_set(&provider, &provider.idp()).await,
        Ok(KEYS.as_bytes().to_vec())
    );
}

#[tokio::test]
async fn believes_no_certificate_but_the_providers() {
    let impostor = Provider::new("other.test");
    let honest = Provider::new("idp.test");

    assert_eq!(
        key_set(&impostor, &impostor.idp()).await,
        Err(FetchError::NotTrusted),
        "another name"
    );
    assert_eq!(
        key_set(&impostor, &honest.idp()).await,
        Err(FetchError::NotTrusted),
        "another CA"
    );
}

#[tokio::test]
async fn follows_no_redirect_and_no_document_that_points_elsewhere() {
    let redirect =
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
            .to_vec();
    let provider = Provider::new("idp.test").answering(KEY_PATH, redirect);
    assert_eq!(
        key_set(&provider, &provider.idp()).await,
        Err(FetchError::Status(302))
    );

    let elsewhere = [
        r#"{"issuer":"https://idp.test/oauth2/default","jwks_uri":"https://evil.test/keys"}"#,
        r#"{"issuer":"https://idp.test/oauth2/default","jwks_uri":"http://idp.test/keys"}"#,
        r#"{"issuer":"https://idp.test/oauth2/default","jwks_uri":"https://idp.test:8443/keys"}"#,
        r#"{"issuer":"https://idp.test/oauth2/default","jwks_uri":"https://idp.test@evil.test/keys"}"#,
        r#"{"issuer":"https://idp.test/oauth2/default","jwks_uri":"file:///etc/passwd"}"#,
        r#"{"issuer":"https://idp.test/oauth2/default/","jwks_uri":"https://idp.test/keys"}"#,
        "[]",
    ];
    for document in elsewhere {
        let provider = Provider::new("idp.test").answering(DISCOVERY, ok(document));
        assert_eq!(
            key_set(&provider, &provider.idp()).await,
            Err(FetchError::Discovery),
            "{document}"
        );
    }
}

#[tokio::test]
async fn reads_no_body_without_end() {
    let huge = Provider::new("idp.test").answering(KEY_PATH, ok(&"x".repeat(300_000)));
    let cut = Provider::new("idp.test").answering(
        KEY_PATH,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec(),
    );

    assert_eq!(key_set(&huge, &huge.idp()).await, Err(FetchError::TooLarge));
    assert_eq!(key_set(&cut, &cut.idp()).await, Err(FetchError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_given_up_in_time() {
    struct Silent(std::sync::Mutex<Vec<DuplexStream>>);
    impl Way for Silent {
        type Io = DuplexStream;
        async fn open(&self) -> Result<DuplexStream, FetchError> {
            let (near, far) = duplex(1024);
            self.0.lock().unwrap().push(far);
            Ok(near)
        }
    }
    let idp = Provider::new("idp.test").idp();

    assert_eq!(
        key_set(&Silent(std::sync::Mutex::default()), &idp).await,
        Err(FetchError::Silent)
    );
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_stops_answering_is_given_up_as_soon_as_one_that_is_silent() {
    let slow = Provider::new("idp.test").pausing(Duration::from_secs(1));
    let begun = tokio::time::Instant::now();

    assert_eq!(key_set(&slow, &slow.idp()).await, Err(FetchError::Silent));
    assert!(begun.elapsed() < PATIENCE + Duration::from_secs(1));

    let quick = Provider::new("idp.test").pausing(Duration::from_millis(1));
    assert!(key_set(&quick, &quick.idp()).await.is_ok());
}
