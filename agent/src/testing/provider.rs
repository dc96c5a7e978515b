//! An identity provider on loopback with TLS of its own CA, and a browser of a few lines: what sign-in meets, moved by the test.
//! How strict a real one is, is tried on the stage; here every answer can be had at once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tidegate_proto::statement::{Algorithm, IdpStatement};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::org::{SUBJECT, name};
use crate::clock::Clock;
use crate::{BrowserError, OpenBrowser};

pub(crate) const CLIENT: &str = "client";

/// A running provider; ends when dropped.
pub(crate) struct Provider {
    pub(crate) inner: Arc<Inner>,
    port: u16,
    ca_pem: String,
    redirect_ports: [u16; 3],
    task: JoinHandle<()>,
}

pub(crate) struct Inner {
    issuer: String,
    clock: Clock,
    key: EcdsaKeyPair,
    /// Codes and refresh tokens that are good.
    good: Mutex<HashMap<String, Grant>>,
    /// The person is shut out: no token is good any more.
    pub(crate) disabled: watch::Sender<bool>,
    /// Whether it takes connections.
    pub(crate) away: watch::Sender<bool>,
    /// Whether the answer to a code has to wait.
    held: watch::Sender<bool>,
    /// Whether it takes what it is asked and never answers.
    pub(crate) silent: watch::Sender<bool>,
    /// What whoever asks with a device code hears; nothing once somebody has typed the code.
    pub(crate) code: watch::Sender<Option<&'static str>>,
    /// The scopes that its description lists, if it lists them.
    pub(crate) scopes: watch::Sender<Option<Vec<&'static str>>>,
    /// Seconds by which its clock is ahead.
    ahead: watch::Sender<u64>,
    /// What was asked, in order: the path below the issuer, and the form.
    pub(crate) asked: watch::Sender<Vec<(String, HashMap<String, String>)>>,
}

/// What stands behind a code or a refresh token.
#[derive(Clone)]
struct Grant {
    /// Of the sign-in; a refreshed token has none.
    nonce: Option<String>,
    auth_time: u64,
}

impl Provider {
    pub(crate) async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ca_pem, tls) = certificate();
        let inner = Arc::new(Inner {
            issuer: format!("https://127.0.0.1:{port}/oauth2/default"),
            clock,
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            good: Mutex::default(),
            disabled: watch::Sender::new(false),
            away: watch::Sender::new(false),
            held: watch::Sender::new(false),
            silent: watch::Sender::new(false),
            code: watch::Sender::new(Some("authorization_pending")),
            scopes: watch::Sender::new(None),
            ahead: watch::Sender::new(0),
            asked: watch::Sender::default(),
        });
        Self {
            port,
            ca_pem,
            redirect_ports: [super::free_port(), super::free_port(), super::free_port()],
            task: tokio::spawn(accept(listener, tls, Arc::clone(&inner))),
            inner,
        }
    }

    pub(crate) fn settings(&self) -> IdpStatement {
        IdpStatement {
            org: name(),
            issuer: self.inner.issuer.clone(),
            client_id: CLIENT.into(),
            algorithms: vec![Algorithm::ES256],
            redirect_ports: self.redirect_ports,
            groups_claim: "groups".into(),
            key_host: format!("127.0.0.1:{}", self.port).parse().unwrap(),
            ca_pem: Some(self.ca_pem.clone()),
            max_session: 43_200,
            version: 1,
        }
    }

    /// The same provider, but nobody vouches for it.
    pub(crate) fn settings_without_ca(&self) -> IdpStatement {
        IdpStatement {
            ca_pem: None,
            ..self.settings()
        }
    }

    /// Whether something was asked under this path, and the form it came with.
    pub(crate) fn form(&self, path: &str) -> Option<HashMap<String, String>> {
        let asked = self.inner.asked.borrow();
        let found = asked.iter().rev().find(|(asked, _)| asked == path);
        found.map(|(_, form)| form.clone())
    }

    /// Waits until something is asked under this path.
    pub(crate) async fn hears(&self, path: &str) {
        let mut asked = self.inner.asked.subscribe();
        let found = asked.wait_for(|asked| asked.iter().any(|(asked, _)| asked == path));
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, found)
            .await
            .expect("the provider was never asked that")
            .unwrap();
    }

    /// Whether this token would still be taken.
    pub(crate) fn takes(&self, refresh_token: &str) -> bool {
        self.inner.good.lock().unwrap().contains_key(refresh_token)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn answer(&self, path: &str, form: HashMap<String, String>) -> (u16, Value) {
        let below = self.issuer.split_once("/oauth2").map(|_| "/oauth2/default");
        let path = path.strip_prefix(below.unwrap()).unwrap_or(path).to_owned();
        let answer = match path.as_str() {
            "/.well-known/openid-configuration" => (200, self.description()),
            "/v1/keys" => (200, self.key_set()),
            "/v1/device/authorize" => (200, self.device_code()),
            "/v1/token" if form.contains_key("device_code") => self.token_for_code(),
            "/v1/token" => self.token(&form),
            "/v1/revoke" => {
                let token = form.get("token").cloned().unwrap_or_default();
                self.good.lock().unwrap().remove(&token);
                (200, json!({}))
            }
            _ => (404, json!({})),
        };
        self.asked.send_modify(|asked| asked.push((path, form)));
        answer
    }

    fn device_code(&self) -> Value {
        let at = format!("{}/activate", self.issuer);
        json!({"device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": at,
            "verification_uri_complete": format!("{at}?user_code=WDJB-MJHT"), "expires_in": 600, "interval": 1})
    }

    fn token_for_code(&self) -> (u16, Value) {
        if let Some(error) = *self.code.borrow() {
            return (400, json!({"error": error}));
        }
        self.gives("the-device-code", None);
        self.token(&HashMap::from([("code".into(), "the-device-code".into())]))
    }

    fn token(&self, form: &HashMap<String, String>) -> (u16, Value) {
        let shown = form.get("code").or(form.get("refresh_token"));
        let grant = shown.and_then(|shown| self.good.lock().unwrap().remove(shown));
        let (Some(grant), false) = (grant, *self.disabled.borrow()) else {
            return (400, json!({"error": "invalid_grant"}));
        };
        let refresh = format!("canary-refresh-{}", self.asked.borrow().len());
        let answer = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": refresh, "id_token": self.id_token(&grant)});
        let later = Grant {
            nonce: None,
            ..grant
        };
        self.good.lock().unwrap().insert(refresh, later);
        (200, answer)
    }

    /// From now on nobody gets a token, until they are released.
    pub(crate) fn hold_tokens(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn release_tokens(&self) {
        self.held.send_replace(false);
    }

    pub(crate) fn ahead_by(&self, seconds: u64) {
        self.ahead.send_replace(seconds);
    }

    fn gives(&self, what: &str, nonce: Option<String>) {
        let auth_time = self.clock.now().0;
        let grant = Grant { nonce, auth_time };
        self.good.lock().unwrap().insert(what.to_owned(), grant);
    }

    fn id_token(&self, grant: &Grant) -> String {
        let now = self.clock.now().0 + *self.ahead.borrow();
        let mut claims = json!({"iss": self.issuer, "aud": CLIENT, "sub": SUBJECT, "email": "ana@example.org",
            "iat": now, "exp": now + 3600, "auth_time": grant.auth_time});
        if let Some(nonce) = &grant.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"});
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut said = json!({"issuer": self.issuer, "jwks_uri": at("/v1/keys"), "authorization_endpoint": at("/v1/authorize"),
            "token_endpoint": at("/v1/token"), "revocation_endpoint": at("/v1/revoke"),
            "device_authorization_endpoint": at("/v1/device/authorize"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"]});
        if let Some(scopes) = &*self.scopes.borrow() {
            said["scopes_supported"] = json!(scopes);
        }
        said
    }

    fn key_set(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65])}]})
    }
}

async fn accept(listener: TcpListener, tls: Arc<rustls::ServerConfig>, inner: Arc<Inner>) {
    let mut guests = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        if *inner.away.borrow() {
            continue;
        }
        let (acceptor, inner) = (
            tokio_rustls::TlsAcceptor::from(Arc::clone(&tls)),
            Arc::clone(&inner),
        );
        guests.spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else {
                return;
            };
            let service = service_fn(|request| answer(request, &inner));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    inner: &Inner,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    if path.ends_with("/token") {
        let _ = inner.held.subscribe().wait_for(|held| !held).await;
    }
    let _ = inner.silent.subscribe().wait_for(|silent| !silent).await;
    let (status, answer) = inner.answer(&path, form);
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(answer.to_string())));
    Ok(response.unwrap())
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

/// What the agent is given as the person's browser: the pages it opens wait for the test.
pub(crate) struct Browser(mpsc::UnboundedSender<url::Url>);

/// The pages that were opened.
pub(crate) struct Pages(mpsc::UnboundedReceiver<url::Url>);

pub(crate) fn browser() -> (Browser, Pages) {
    let (open, opened) = mpsc::unbounded_channel();
    (Browser(open), Pages(opened))
}

impl OpenBrowser for Browser {
    fn open(&self, url: &url::Url) -> Result<(), BrowserError> {
        self.0.send(url.clone()).map_err(|_| BrowserError)
    }
}

impl Pages {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) async fn next(&mut self) -> Page {
        let patience = std::time::Duration::from_secs(20);
        let opened = tokio::time::timeout(patience, self.0.recv()).await;
        let url = opened.expect("no page was opened").unwrap();
        Page(url.query_pairs().into_owned().collect())
    }
}

/// The provider's sign-in page in a tab.
#[derive(Clone)]
pub(crate) struct Page(HashMap<String, String>);

impl Page {
    /// The person signs in; gives what the tab shows in the end.
    pub(crate) async fn sign_in(&self, provider: &Provider) -> String {
        let words = self.code(provider);
        self.come_back(&words).await
    }

    /// What the provider sends the tab back with once the person has signed in.
    pub(crate) fn code(&self, provider: &Provider) -> String {
        let code = format!("code-{}", self.0["state"]);
        provider.inner.gives(&code, Some(self.0["nonce"].clone()));
        format!("code={code}")
    }

    /// The same page with another state, as a forger would make it.
    pub(crate) fn with_state(&self, state: &str) -> Self {
        let mut page = self.clone();
        page.0.insert("state".into(), state.into());
        page
    }

    /// Whether the agent waits for another page than this.
    pub(crate) fn is_stale(&self, snapshot: &crate::Snapshot) -> bool {
        match &super::acme(snapshot).account {
            crate::AccountView::SigningIn(sign_in) => {
                let url = sign_in.url.as_deref().unwrap_or_default();
                !url.contains(&self.0["state"])
            }
            _ => true,
        }
    }

    /// The provider sends the tab back with this.
    pub(crate) async fn come_back(&self, words: &str) -> String {
        let back: url::Url = self.0["redirect_uri"].parse().unwrap();
        let port = back.port().unwrap();
        let state = &self.0["state"];
        let first = get(port, &format!("/callback?{words}&state={state}")).await;
        if first.contains("\r\nLocation: /done\r\n") {
            get(port, "/done").await
        } else {
            first
        }
    }
}

/// What a tab shows, or nothing when the port is closed.
async fn get(port: u16, target: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return String::new();
    };
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}
