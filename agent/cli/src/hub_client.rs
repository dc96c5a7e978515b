//! A short conversation with a hub's authority: connect, ask, done.
//! The agent has a client of its own that lives long; this one is for a command that ends.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use serde::{Serialize, de::DeserializeOwned};
use tidegate_link::{ApiConnection, LinkError};
use tidegate_proto::{
    api::ApiRefusal,
    entropy::SystemEntropy,
    identity::{NoiseSecret, PeerId, VerifyKey},
    names::{HubAddress, OrgName},
    statement::walk_roots,
    text::Shown,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{failure::Failure, trouble::Trouble};

/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer, in bytes.
const MOST: usize = 256 * 1024;

pub(crate) struct HubClient {
    hub: String,
    /// The org's newest root key.
    pub(crate) root: VerifyKey,
    requests: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

impl HubClient {
    /// Dials the hub and makes sure that the org's root vouches for it.
    pub(crate) async fn connect(
        hub: &HubAddress,
        org: &OrgName,
        root: PeerId,
    ) -> Result<Self, Failure> {
        let noise = NoiseSecret::generate(&SystemEntropy);
        let api = ApiConnection::connect(hub, org, root, &noise).await;
        let api = api.map_err(|error| Trouble::Unreachable {
            hub: hub.to_string(),
            error,
        })?;
        let root_key =
            walk_roots(&api.hello.roots, org, root).map_err(|error| Trouble::Unreachable {
                hub: hub.to_string(),
                error: LinkError::WrongHub(error),
            })?;
        let shaken = http1::handshake(hyper_util::rt::TokioIo::new(api.stream)).await;
        let (requests, connection) = shaken.map_err(|_| Trouble::HubBroke {
            hub: hub.to_string(),
        })?;
        let connection = tokio::spawn(async move {
            let _ = connection.await; // a broken connection shows in the request that it breaks
        });
        Ok(Self {
            hub: hub.to_string(),
            root: root_key,
            requests,
            connection,
        })
    }

    /// Asks and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let asked = timeout(PATIENCE, self.exchange(path, body)).await;
        asked.unwrap_or(None).unwrap_or_else(|| {
            Err(Trouble::HubBroke {
                hub: self.hub.clone(),
            }
            .into())
        })
    }

    /// `None` when the connection broke.
    async fn exchange<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Option<Result<T, Failure>> {
        let json = serde_json::to_vec(body).ok()?;
        let request = Request::post(path)
            .header(header::HOST, "hub")
            .body(Full::from(json))
            .ok()?;
        // The connection may still be busy putting the last answer away.
        self.requests.ready().await.ok()?;
        let answer = self.requests.send_request(request).await.ok()?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST)
            .collect()
            .await
            .ok()?
            .to_bytes();
        if status == StatusCode::OK {
            return Some(Ok(serde_json::from_slice(&body).ok()?));
        }
        let refusal: ApiRefusal = serde_json::from_slice(&body).ok()?;
        let text = Shown::new(&refusal.text).as_str().to_owned();
        Some(Err(Trouble::HubRefused {
            hub: self.hub.clone(),
            code: refusal.code,
            text,
        }
        .into()))
    }
}

impl Drop for HubClient {
    fn drop(&mut self) {
        self.connection.abort(); // the runtime ends with the command
    }
}
