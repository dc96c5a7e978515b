//! An identity provider on loopback: publishes its keys over TLS of its own CA, signs ID tokens, counts how often it is asked.
//! Hostile on request: whoever holds it can sign anything with the real key.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tidegate_proto::statement::{Algorithm, IdpStatement};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const CLIENT: &str = "0oa-tidegate";

/// A running provider; ends when dropped.
pub(crate) struct Provider {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    port: u16,
    ca_pem: String,
    tls: Arc<rustls::ServerConfig>,
    key: Mutex<(String, EcdsaKeyPair)>,
    asked: AtomicUsize,
    away: AtomicBool,
    /// What whoever comes with a code is given.
    token: Mutex<String>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ca_pem, tls) = certificate();
        let inner = Arc::new(Inner {
            port: listener.local_addr().unwrap().port(),
            ca_pem,
            tls,
            key: Mutex::new(fresh("k1")),
            asked: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            token: Mutex::default(),
        });
        let task = tokio::spawn(accept(Arc::clone(&inner), listener));
        Self { inner, task }
    }

    pub(crate) fn issuer(&self) -> String {
        self.inner.issuer()
    }

    pub(crate) fn settings(&self) -> IdpStatement {
        IdpStatement {
            org: "acme".parse().unwrap(),
            issuer: self.issuer(),
            client_id: CLIENT.into(),
            algorithms: vec![Algorithm::ES256],
            redirect_ports: [8250, 18250, 28250],
            groups_claim: "groups".into(),
            key_host: format!("127.0.0.1:{}", self.inner.port).parse().unwrap(),
            ca_pem: Some(self.inner.ca_pem.clone()),
            max_session: 12 * 3600,
            version: 1,
        }
    }

    /// Signs with a new key from now on, and publishes only that one.
    pub(crate) fn turn_key(&self, kid: &str) {
        *self.inner.key.lock().unwrap() = fresh(kid);
    }

    /// The keys it publishes now.
    pub(crate) fn key_set(&self) -> Value {
        self.inner.key_set()
    }

    /// How often the key set was fetched.
    pub(crate) fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// From now on (not) answering.
    pub(crate) fn away(&self, away: bool) {
        self.inner.away.store(away, Ordering::SeqCst);
    }

    /// Gives this ID token for any code from now on.
    pub(crate) fn give(&self, token: String) {
        *self.inner.token.lock().unwrap() = token;
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let kid = self.inner.key.lock().unwrap().0.clone();
        self.sign_as(&kid, claims)
    }

    /// Signs with the real key, but names another.
    pub(crate) fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let (_, key) = &*self.inner.key.lock().unwrap();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn issuer(&self) -> String {
        format!("https://127.0.0.1:{}/oauth2/default", self.port)
    }

    async fn answer(&self, tcp: TcpStream) -> Option<()> {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.tls));
        let mut stream = acceptor.accept(tcp).await.ok()?;
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.ok()?;
        let body = if request[..read]
            .starts_with(b"GET /oauth2/default/.well-known/openid-configuration ")
        {
            self.description()
        } else if request[..read].starts_with(b"POST /oauth2/default/v1/token ") {
            if !request[..read].windows(5).any(|bytes| bytes == b"code=") {
                // The code comes in a record of its own.
                let _ = stream.read(&mut request).await.ok()?;
            }
            json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r",
                "id_token": *self.token.lock().unwrap()})
        } else {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.key_set()
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .ok()?;
        stream.shutdown().await.ok()
    }

    fn description(&self) -> Value {
        let issuer = self.issuer();
        json!({"issuer": issuer, "jwks_uri": format!("{issuer}/v1/keys"),
            "authorization_endpoint": format!("{issuer}/v1/authorize"), "token_endpoint": format!("{issuer}/v1/token"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"]})
    }

    fn key_set(&self) -> Value {
        let (kid, key) = &*self.key.lock().unwrap();
        let point = key.public_key().as_ref();
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65])}]})
    }
}

async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    while let Ok((tcp, _)) = listener.accept().await {
        if !inner.away.load(Ordering::SeqCst) {
            inner.answer(tcp).await;
        }
    }
}

fn certificate() -> (String, Arc<rustls::ServerConfig>) {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
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
    (ca.pem(), Arc::new(tls))
}

fn fresh(kid: &str) -> (String, EcdsaKeyPair) {
    (
        kid.to_owned(),
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    )
}
