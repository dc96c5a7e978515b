//! A server's calls to the authority: HTTP/1.1 inside the channel, one connection for an answer and then its events.
//! Every answer is bounded in size and time; a stream without a beacon for 15 seconds counts as dead.

use crate::ApiConnection;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::VecDeque, time::Duration};
use tidegate_proto::{
    api::{ApiRefusal, path},
    channel::HandshakeHash,
    sse::{EventError, EventParser, ServerEvent},
    statement::Beacon,
};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// The largest answer: a catalogue of many services.
const MAX_ANSWER: usize = 4 << 20;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the next event.
const SILENCE: Duration = Duration::from_secs(Beacon::AWAY_AFTER);

/// Why a call failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
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

/// One connection to the authority. Dropping it closes it.
pub struct ApiClient {
    /// Names the connection in proofs of possession.
    pub hash: HandshakeHash,
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl ApiClient {
    /// Speaks HTTP on a handshaken connection.
    ///
    /// # Errors
    /// `Broken` when it ends at once.
    pub async fn new(connection: ApiConnection) -> Result<Self, ApiError> {
        let hash = connection.hash;
        let io = TokioIo::new(connection.stream);
        let (sender, driver) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(|_| ApiError::Broken)?;
        // Its end shows at the requests.
        let driver = AbortOnDropHandle::new(tokio::spawn(async move { drop(driver.await) }));
        Ok(Self {
            hash,
            sender,
            _driver: driver,
        })
    }

    /// Asks without saying anything.
    ///
    /// # Errors
    /// When the authority refuses, or does not answer as agreed.
    pub async fn get<A: DeserializeOwned>(&mut self, path: &str) -> Result<A, ApiError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Asks with a body.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post<A: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, ApiError> {
        let body = serde_json::to_vec(body).map_err(|_| ApiError::Answer)?;
        self.call(Method::POST, path, Bytes::from(body)).await
    }

    /// Turns the connection into a stream of events.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn events(mut self) -> Result<Events, ApiError> {
        let asked = request(Method::GET, path::EVENTS).header(header::ACCEPT, "text/event-stream");
        let answer = self.send(asked, Bytes::new()).await?;
        Ok(Events {
            body: answer.into_body(),
            parser: EventParser::default(),
            ready: VecDeque::new(),
            _client: self,
        })
    }

    async fn call<A: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<A, ApiError> {
        let asked = request(method, path).header(header::CONTENT_TYPE, "application/json");
        let answer = self.send(asked, body).await?;
        let whole = Limited::new(answer.into_body(), MAX_ANSWER).collect();
        let whole = timeout(PATIENCE, whole)
            .await
            .map_err(|_| ApiError::Silent)?;
        let bytes = whole.map_err(|_| ApiError::Broken)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|_| ApiError::Answer)
    }

    async fn send(
        &mut self,
        asked: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, ApiError> {
        let request = asked.body(Full::new(body)).map_err(|_| ApiError::Answer)?;
        let sent = timeout(PATIENCE, async {
            // The connection may still be busy putting the last answer away.
            self.sender.ready().await?;
            self.sender.send_request(request).await
        });
        let response = sent
            .await
            .map_err(|_| ApiError::Silent)?
            .map_err(|_| ApiError::Broken)?;
        if response.status() == StatusCode::OK {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "authority")
}

async fn refusal(response: Response<Incoming>) -> ApiError {
    let body = Limited::new(response.into_body(), 4096).collect();
    let Ok(Ok(body)) = timeout(PATIENCE, body).await else {
        return ApiError::Broken;
    };
    match serde_json::from_slice::<ApiRefusal>(&body.to_bytes()) {
        Ok(refusal) => ApiError::Refused(refusal.code),
        Err(_) => ApiError::Answer,
    }
}

/// What the authority says by itself.
pub struct Events {
    body: Incoming,
    parser: EventParser,
    ready: VecDeque<ServerEvent>,
    _client: ApiClient,
}

impl Events {
    /// The next one. Safe to abandon.
    ///
    /// # Errors
    /// `Silent` after 15 seconds, or how the stream ended.
    pub async fn next(&mut self) -> Result<ServerEvent, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let frame = timeout(SILENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| ApiError::Silent)?;
            let frame = frame
                .ok_or(ApiError::Broken)?
                .map_err(|_| ApiError::Broken)?;
            if let Some(bytes) = frame.data_ref() {
                self.ready.extend(self.parser.push(bytes)?);
            }
        }
    }
}
