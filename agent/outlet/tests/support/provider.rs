//! An identity provider: signs ID tokens, publishes its keys over TLS of its own CA, and counts how often it is asked.
//! Its keys can be turned over while it runs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Shared by whoever signs and whoever serves.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) ca_pem: String,
    tls: Arc<rustls::ServerConfig>,
    key: Mutex<(String, EcdsaKeyPair)>,
    /// The one before, which is published no more.
    former: Mutex<Option<(String, EcdsaKeyPair)>>,
    by_former: AtomicBool,
    asked: AtomicUsize,
    away: AtomicBool,
}

impl std::ops::Deref for Provider {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Provider {
    pub(crate) fn new() -> Self {
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["idp.test".to_owned()])
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
        let inner = Inner {
            ca_pem: ca.pem(),
            tls: Arc::new(tls),
            key: Mutex::new(fresh("k1")),
            former: Mutex::new(None),
            by_former: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            away: AtomicBool::new(false),
        };
        Self(Arc::new(inner))
    }

    /// Signs with a new key from now on, and publishes only that one.
    pub(crate) fn turn_key(&self, kid: &str) {
        let former = std::mem::replace(&mut *self.key.lock().unwrap(), fresh(kid));
        *self.former.lock().unwrap() = Some(former);
    }

    /// Whether the key that was taken away signs: somebody may have kept it.
    pub(crate) fn sign_with_former(&self, former: bool) {
        self.by_former.store(former, Ordering::SeqCst);
    }

    /// Answers nobody from now on.
    pub(crate) fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// How often the key set was fetched.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let (former, key) = (self.former.lock().unwrap(), self.key.lock().unwrap());
        let by_former = self.by_former.load(Ordering::SeqCst);
        let (kid, key) = former.as_ref().filter(|_| by_former).unwrap_or(&key);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(&json!({"alg": "ES256", "typ": "JWT", "kid": kid})),
            part(claims)
        );
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// Answers one connection.
    pub(crate) async fn serve(self, tcp: TcpStream) {
        if self.away.load(Ordering::SeqCst) {
            return;
        }
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.tls));
        let Ok(mut stream) = acceptor.accept(tcp).await else {
            return;
        };
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap_or(0);
        let body = if request[..read].starts_with(b"GET /oauth2/default/.well-known/") {
            json!({"issuer": super::org::ISSUER, "jwks_uri": "https://idp.test/oauth2/default/v1/keys"})
        } else {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.key_set()
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    fn key_set(&self) -> Value {
        let (kid, key) = &*self.key.lock().unwrap();
        let point = key.public_key().as_ref();
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65])}]})
    }
}

fn fresh(kid: &str) -> (String, EcdsaKeyPair) {
    (
        kid.to_owned(),
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    )
}
