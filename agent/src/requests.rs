//! Asking for access and answering for others, at the hub: statements signed by this device's key, each call on a connection of its own.
//! What is asked for and by whom is read from what the asking device signed; a newcomer would show the name beside it alone,
//! which is the hub's word.

use std::sync::Arc;

use tidegate_proto::api::access::{AccessAct, AccessAnswer, AccessCall};
use tidegate_proto::auth::prove;
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::{ServiceName, Subject};
use tidegate_proto::problem::Problem;
use tidegate_proto::statement::{AccessRequest, Extent, GrantId, GrantStatement, Statement};
use tidegate_proto::strict::to_base64url;
use tidegate_proto::time::UnixTime;

use crate::hub::access::Access;
use crate::hub::api::{Api, HubIdentity};

/// Whoever asks the hub about access.
#[derive(Clone)]
pub(crate) struct Clerk {
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) access: Arc<Access>,
}

/// What a person asks for.
pub(crate) struct Wanted {
    pub(crate) service: ServiceName,
    pub(crate) extent: Extent,
    pub(crate) reason: String,
    pub(crate) emergency: bool,
    pub(crate) extends: Option<GrantId>,
}

impl Clerk {
    pub(crate) async fn call(&self, act: AccessAct) -> Result<AccessAnswer, Problem> {
        let called = async {
            let mut api = Api::connect(&self.hub, &self.noise).await?;
            let call = AccessCall {
                legs: self.access.legs(),
                proof: prove(&api.hash, &self.access.identity),
                act,
            };
            api.access(&call).await
        };
        let answer = called.await;
        answer.map_err(|error| error.problem(&self.hub.address))
    }

    /// Asks, as `sub`.
    pub(crate) fn ask(&self, sub: &Subject, wanted: Wanted, now: UnixTime) -> AccessAct {
        let request = AccessRequest {
            org: self.access.org.clone(),
            sub: sub.clone(),
            device: self.access.identity.verify_key().peer_id(),
            service: wanted.service,
            extent: wanted.extent,
            reason: wanted.reason,
            emergency: wanted.emergency,
            extends: wanted.extends,
            at: now,
            id: fresh_id(),
        };
        AccessAct::Ask {
            request: request.sign(&self.access.identity),
        }
    }

    pub(crate) fn approve(&self, id: GrantId, extent: Extent, now: UnixTime) -> AccessAct {
        let statement = GrantStatement {
            org: self.access.org.clone(),
            request: id,
            extent,
            at: now,
            id: fresh_id(),
        };
        AccessAct::Approve {
            id,
            grant: statement.sign(&self.access.identity),
        }
    }
}

fn fresh_id() -> String {
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id);
    to_base64url(&id)
}
