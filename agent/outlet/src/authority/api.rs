//! The outlet's calls to the authority: HTTP/1.1 inside the channel, one connection for one answer and its events.
//! Every answer is bounded in size and time; a stream without a beacon for 15 seconds counts as dead.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::time::Duration;
use tidegate_link::ApiConnection;
use tidegate_proto::api::{ApiRefusal, OutletAnswer, OutletRequest, path};
use tidegate_proto::auth::prove;
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::identity::{NoisePublic, SigningKey};
use tidegate_proto::sse::{EventError, EventParser, ServerEvent};
use tidegate_proto::statement::Beacon;
use tokio_util::task::AbortOnDropHandle;

/// The largest answer: a catalogue of many services.
const MAX_ANSWER: usize = 4 << 20;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the next event.
const SILENCE: Duration = Duration::from_secs(Beacon::AWAY_AFTER);

/// Why a call failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the authority did not answer in time")]
    Silent,
    #[error("the connection to the authority broke")]
    Broken,
    #[error("the authority refused with code {0}")]
    Refused(u16),
    #[error("the authority's answer is not one")]
    Answer,
    #[error("{0}")]
    Events(#[from] EventError),
}

/// One connection to the authority.
pub(crate) struct Api {
    sender: SendRequest<Full<Bytes>>,
    hash: HandshakeHash,
    _driver: AbortOnDropHandle<()>,
}

impl Api {
    pub(crate) async fn new(connection: ApiConnection) -> Result<Self, ApiError> {
        let hash = connection.hash;
        let io = TokioIo::new(connection.stream);
        let (sender, driver) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(|_| ApiError::Broken)?;
        // Its end shows at the requests.
        let driver = AbortOnDropHandle::new(tokio::spawn(async move { drop(driver.await) }));
        Ok(Self {
            sender,
            hash,
            _driver: driver,
        })
    }

    /// Proves who we are and fetches what we work by.
    pub(crate) async fn register(
        &mut self,
        identity: &SigningKey,
        link_key: NoisePublic,
    ) -> Result<OutletAnswer, ApiError> {
        let body = OutletRequest {
            identity: identity.verify_key(),
            link_key,
            proof: prove(&self.hash, identity),
        };
        let body = serde_json::to_vec(&body).map_err(|_| ApiError::Answer)?;
        let request = Request::post(path::OUTLET)
            .header(header::HOST, "authority")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| ApiError::Answer)?;
        let answer = self.send(request).await?;
        let whole = tokio::time::timeout(
            PATIENCE,
            Limited::new(answer.into_body(), MAX_ANSWER).collect(),
        )
        .await;
        let bytes = whole
            .map_err(|_| ApiError::Silent)?
            .map_err(|_| ApiError::Broken)?
            .to_bytes();
        serde_json::from_slice(&bytes).map_err(|_| ApiError::Answer)
    }

    /// Turns the connection into a stream of events.
    pub(super) async fn events(mut self) -> Result<Events, ApiError> {
        let request = Request::get(path::EVENTS)
            .header(header::HOST, "authority")
            .header(header::ACCEPT, "text/event-stream")
            .body(Full::default())
            .map_err(|_| ApiError::Answer)?;
        let answer = self.send(request).await?;
        let (parser, ready) = (EventParser::default(), VecDeque::new());
        Ok(Events {
            body: answer.into_body(),
            parser,
            ready,
            _api: self,
        })
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ApiError> {
        let sent = tokio::time::timeout(PATIENCE, async {
            // The connection may still be busy putting the last answer away.
            self.sender.ready().await?;
            self.sender.send_request(request).await
        })
        .await;
        let response = sent
            .map_err(|_| ApiError::Silent)?
            .map_err(|_| ApiError::Broken)?;
        if response.status() == StatusCode::OK {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }
}

async fn refusal(response: Response<Incoming>) -> ApiError {
    let body = Limited::new(response.into_body(), 4096).collect();
    let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, body).await else {
        return ApiError::Broken;
    };
    match serde_json::from_slice::<ApiRefusal>(&body.to_bytes()) {
        Ok(refusal) => ApiError::Refused(refusal.code),
        Err(_) => ApiError::Answer,
    }
}

/// What the authority says by itself.
pub(super) struct Events {
    body: Incoming,
    parser: EventParser,
    ready: VecDeque<ServerEvent>,
    _api: Api,
}

impl Events {
    /// Safe to abandon.
    pub(super) async fn next(&mut self) -> Result<ServerEvent, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame())
                .await
                .map_err(|_| ApiError::Silent)?;
            let frame = frame
                .ok_or(ApiError::Broken)?
                .map_err(|_| ApiError::Broken)?;
            if let Some(bytes) = frame.data_ref() {
                self.ready.extend(self.parser.push(bytes)?);
            }
        }
    }
}
