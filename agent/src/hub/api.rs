//! Typed calls to the authority over one connection of its own.
//! The channel proves that the authority speaks; what the org root signed is verified all the same before it is used.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tidegate_link::{ApiConnection, LinkError};
use tidegate_proto::api::access::{AccessAnswer, AccessCall};
use tidegate_proto::api::devices::{
    DevicesAnswer, DevicesRequest, Introduction, IntroductionRequest, IntroductionStep,
};
use tidegate_proto::api::{
    ApiRefusal, CredentialAnswer, CredentialRequest, EnrolAnswer, EnrolRequest, Settings, path,
};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::identity::{NoiseSecret, PeerId, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::sse::{EventParser, ServerEvent};
use tidegate_proto::statement::{AuthorityStatement, StatementError, walk_roots};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::problems;

/// Largest answer that is read, in bytes: a catalogue of some hundred services.
const MAX_ANSWER: usize = 4 << 20;
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// Why the authority did not give what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("the connection ended during the call")]
    Broken,
    #[error("the authority took too long")]
    TimedOut,
    #[error("the authority refused")]
    Refused(Code),
    #[error("the answer has another shape")]
    Shape,
    #[error("the answer does not hold: {0}")]
    Statement(#[from] StatementError),
}

impl ApiError {
    pub(crate) fn problem(&self, hub: &HubAddress) -> Problem {
        let host = hub.to_string();
        match self {
            Self::Link(error) => problems::of_hub(*error, &host),
            Self::Broken => Problem::new(Code::HubUnreachable).host(&host),
            Self::TimedOut => Problem::new(Code::TimedOut).host(&host),
            Self::Refused(code) => Problem::new(*code),
            Self::Shape => Problem::new(Code::PeerBrokeProtocol).host(&host),
            Self::Statement(error) => problems::of_hub(LinkError::WrongHub(*error), &host),
        }
    }
}

/// Where and who the hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HubIdentity {
    pub(crate) address: HubAddress,
    pub(crate) org: OrgName,
    /// Fingerprint of a root of the org: from the join link, later the newest that was seen.
    pub(crate) root: PeerId,
}

/// A connection to the authority. Dropping it closes it.
pub(crate) struct Api {
    pub(crate) hash: HandshakeHash,
    /// The newest root key, walked from the pinned fingerprint.
    pub(crate) root: VerifyKey,
    pub(crate) authority: AuthorityStatement,
    /// Which address of ours it stands on.
    pub(crate) from: Option<IpAddr>,
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

impl Api {
    pub(crate) async fn connect(hub: &HubIdentity, local: &NoiseSecret) -> Result<Self, ApiError> {
        let link = ApiConnection::connect(&hub.address, &hub.org, hub.root, local).await?;
        let root = walk_roots(&link.hello.roots, &hub.org, hub.root)?;
        let (sender, connection) = handshake(TokioIo::new(link.stream))
            .await
            .map_err(|_| ApiError::Broken)?;
        // Its errors arrive at whoever waits for an answer.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            hash: link.hash,
            root,
            authority: link.authority,
            from: link.from,
            sender,
            connection,
        })
    }

    pub(crate) async fn settings(&mut self) -> Result<Settings, ApiError> {
        self.call(Method::GET, path::SETTINGS, Bytes::new()).await
    }

    pub(crate) async fn enrol(&mut self, request: &EnrolRequest) -> Result<EnrolAnswer, ApiError> {
        self.call(Method::POST, path::ENROL, json(request)?).await
    }

    pub(crate) async fn credential(
        &mut self,
        request: &CredentialRequest,
    ) -> Result<CredentialAnswer, ApiError> {
        self.call(Method::POST, path::CREDENTIAL, json(request)?)
            .await
    }

    pub(crate) async fn introduce(
        &mut self,
        request: &IntroductionRequest,
    ) -> Result<Introduction, ApiError> {
        self.call(Method::POST, path::INTRODUCE, json(request)?)
            .await
    }

    pub(crate) async fn introduction_step(
        &mut self,
        request: &IntroductionStep,
    ) -> Result<Introduction, ApiError> {
        self.call(Method::POST, path::INTRODUCTION, json(request)?)
            .await
    }

    pub(crate) async fn devices(
        &mut self,
        request: &DevicesRequest,
    ) -> Result<DevicesAnswer, ApiError> {
        self.call(Method::POST, path::DEVICES, json(request)?).await
    }

    pub(crate) async fn access(&mut self, call: &AccessCall) -> Result<AccessAnswer, ApiError> {
        self.call(Method::POST, path::ACCESS, json(call)?).await
    }

    /// Turns the connection into the stream of events.
    pub(crate) async fn events(mut self) -> Result<Events, ApiError> {
        let answer = timeout(
            CALL_LIMIT,
            self.send(Method::GET, path::EVENTS, Bytes::new()),
        )
        .await
        .map_err(|_| ApiError::TimedOut)??;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer).await);
        }
        Ok(Events {
            body: answer.into_body(),
            parser: EventParser::default(),
            ready: Vec::new(),
            _api: self,
        })
    }

    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ApiError> {
        let call = async {
            let answer = self.send(method, path, body).await?;
            if answer.status() != StatusCode::OK {
                return Err(refusal(answer).await);
            }
            serde_json::from_slice(&read(answer, MAX_ANSWER).await?).map_err(|_| ApiError::Shape)
        };
        timeout(CALL_LIMIT, call)
            .await
            .map_err(|_| ApiError::TimedOut)?
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ApiError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "authority")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| ApiError::Shape)?;
        self.sender.ready().await.map_err(|_| ApiError::Broken)?;
        self.sender
            .send_request(request)
            .await
            .map_err(|_| ApiError::Broken)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn json(request: &impl Serialize) -> Result<Bytes, ApiError> {
    serde_json::to_vec(request)
        .map(Bytes::from)
        .map_err(|_| ApiError::Shape)
}

async fn read(answer: Response<Incoming>, limit: usize) -> Result<Bytes, ApiError> {
    let body = Limited::new(answer.into_body(), limit);
    body.collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|_| ApiError::Broken)
}

/// The code in a refusal; one that makes no sense is our mistake or theirs, never a yes.
async fn refusal(answer: Response<Incoming>) -> ApiError {
    match read(answer, 64 * 1024).await {
        Ok(body) => serde_json::from_slice::<ApiRefusal>(&body)
            .map_or(ApiError::Shape, |refusal| {
                ApiError::Refused(problems::of_number(refusal.code, Code::PeerBrokeProtocol))
            }),
        Err(error) => error,
    }
}

/// The authority's events, for as long as the connection lasts.
pub(crate) struct Events {
    body: Incoming,
    parser: EventParser,
    /// Parsed and not yet taken, newest first.
    ready: Vec<ServerEvent>,
    _api: Api,
}

impl Events {
    /// The next event. Safe to abandon.
    pub(crate) async fn next(&mut self) -> Result<ServerEvent, ApiError> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Ok(event);
            }
            let frame = self
                .body
                .frame()
                .await
                .ok_or(ApiError::Broken)?
                .map_err(|_| ApiError::Broken)?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            self.ready = self.parser.push(&bytes).map_err(|_| ApiError::Shape)?;
            self.ready.reverse();
        }
    }
}
