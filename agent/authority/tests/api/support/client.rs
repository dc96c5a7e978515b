//! The other end of the API: a device with an identity key, a person's ID tokens, and HTTP over the real channel.
//! Requests can be changed before they are sent: an attacker is a client with one thing wrong.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tidegate_link::ApiConnection;
use tidegate_proto::{
    api::{ApiRefusal, CredentialAnswer, CredentialRequest, OutletAnswer, OutletRequest, path},
    auth::prove,
    channel::HandshakeHash,
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey},
    idtoken::commitment,
    sse::{EventParser, ServerEvent},
    time::UnixTime,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::provider::{CLIENT, Provider};

const SOON: Duration = Duration::from_secs(20);

/// A laptop.
pub(crate) struct Device {
    pub(crate) identity: SigningKey,
    pub(crate) rz: [u8; 32],
}

impl Device {
    pub(crate) fn new() -> Self {
        Self {
            identity: SigningKey::generate(&SystemEntropy),
            rz: [9; 32],
        }
    }

    /// Claims of a sign-in on this device just now.
    pub(crate) fn claims(
        &self,
        provider: &Provider,
        sub: &str,
        groups: &[&str],
        now: UnixTime,
    ) -> Value {
        let org = "acme".parse().unwrap();
        let nonce = commitment(&self.rz, &self.identity.verify_key(), &org, CLIENT);
        json!({"iss": provider.issuer(), "sub": sub, "aud": CLIENT, "iat": now, "exp": now.plus(3600),
            "auth_time": now, "nonce": nonce, "groups": groups})
    }

    pub(crate) fn request(&self, token: &str, hash: &HandshakeHash) -> CredentialRequest {
        CredentialRequest {
            identity: self.identity.verify_key(),
            id_token_0: token.into(),
            rz: self.rz,
            id_token_n: None,
            link_key: NoiseSecret::from_bytes(&[5; 32]).public(),
            proof: prove(hash, &self.identity),
        }
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) hash: HandshakeHash,
    requests: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

/// What a refused caller learns.
pub(crate) type Refused = (StatusCode, u16);

impl Client {
    pub(crate) async fn over(api: ApiConnection) -> Self {
        let (requests, connection) = http1::handshake(TokioIo::new(api.stream)).await.unwrap();
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self {
            hash: api.hash,
            requests,
            connection,
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Refused> {
        self.send("GET", path, Bytes::new()).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refused> {
        self.send("POST", path, serde_json::to_vec(body).unwrap().into())
            .await
    }

    /// Any method and any bytes.
    pub(crate) async fn send<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<T, Refused> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "hub")
            .body(Full::from(body))
            .unwrap();
        self.requests.ready().await.unwrap();
        let answer = timeout(SOON, self.requests.send_request(request))
            .await
            .unwrap()
            .unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        let refusal: ApiRefusal = serde_json::from_slice(&body).unwrap();
        assert!(
            refusal.text.contains(&format!("TG-{}", refusal.code)),
            "{refusal:?}"
        );
        Err((status, refusal.code))
    }

    pub(crate) async fn credential(
        &mut self,
        device: &Device,
        token: &str,
    ) -> Result<CredentialAnswer, Refused> {
        let request = device.request(token, &self.hash);
        self.post(path::CREDENTIAL, &request).await
    }

    pub(crate) async fn outlet(&mut self, identity: &SigningKey) -> Result<OutletAnswer, Refused> {
        let request = OutletRequest {
            identity: identity.verify_key(),
            link_key: NoiseSecret::from_bytes(&[6; 32]).public(),
            proof: prove(&self.hash, identity),
            used: Vec::new(),
        };
        self.post(path::OUTLET, &request).await
    }

    /// Listens to events from here on.
    pub(crate) async fn events(mut self) -> Events {
        let request = Request::get(path::EVENTS)
            .header("host", "hub")
            .body(Full::default())
            .unwrap();
        self.requests.ready().await.unwrap();
        let answer = self.requests.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Events {
            body: answer.into_body(),
            parser: EventParser::default(),
            ready: Vec::new(),
            _client: self,
        }
    }

    /// Ends when the server has ended the connection.
    pub(crate) async fn ended(mut self) {
        timeout(SOON, &mut self.connection).await.unwrap().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A stream of events.
pub(crate) struct Events {
    body: Incoming,
    parser: EventParser,
    ready: Vec<ServerEvent>,
    _client: Client,
}

impl Events {
    /// The next event; `None` when the server ended the stream.
    pub(crate) async fn next(&mut self) -> Option<ServerEvent> {
        while self.ready.is_empty() {
            let frame = timeout(SOON, self.body.frame()).await.unwrap()?.ok()?;
            self.ready = self.parser.push(frame.data_ref().unwrap()).unwrap();
        }
        Some(self.ready.remove(0))
    }
}

/// Flips one bit in the middle of one part of a JWS.
pub(crate) fn tampered(jws: &str, part: usize) -> String {
    let mut parts: Vec<String> = jws.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}
