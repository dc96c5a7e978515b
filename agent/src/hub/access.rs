//! What the agent holds to be let in: credential, ID tokens, identity key, and the catalogue the root signed.
//! It is replaced as a whole by each renewal; whoever uses it checks its times again, because it may have slept.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_proto::api::access::Askable;
use tidegate_proto::auth::{Auth, prove};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::grant::Grant;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::legs::Legs;
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{DeviceChain, ServiceHandle, ServiceStatement};
use tidegate_proto::time::UnixTime;
use tokio_util::sync::CancellationToken;

use crate::signin::tokens::Session;

/// A catalogue entry that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) statement: ServiceStatement,
    /// The relay's word for it.
    pub(crate) handle: ServiceHandle,
}

pub(crate) type Catalogue = BTreeMap<ServiceName, Listing>;

/// One renewal's worth of rights. No `Debug`: it can speak for the person.
pub(crate) struct Access {
    pub(crate) org: OrgName,
    pub(crate) credential: String,
    pub(crate) credential_until: UnixTime,
    pub(crate) session: Arc<Session>,
    pub(crate) identity: Arc<SigningKey>,
    pub(crate) catalogue: Catalogue,
    /// What of it has to be asked for.
    pub(crate) askable: Vec<Askable>,
    /// How this device came to be one, for policies that ask for more than the authority's word.
    pub(crate) chain: Option<DeviceChain>,
    /// Everybody was asked for newer rights, and outlets take these no more: set once, and never taken back.
    pub(crate) outdated: CancellationToken,
}

impl Access {
    /// The AUTH (or REAUTH) record for the channel named by `hash`.
    pub(crate) fn auth(
        &self,
        service: &ServiceName,
        hash: &HandshakeHash,
        grant: Option<&Grant>,
    ) -> Result<Vec<u8>, Problem> {
        let Legs {
            identity,
            credential,
            id_token_0,
            rz,
            id_token_n,
            enrolment,
        } = self.legs();
        let auth = Auth {
            service: service.clone(),
            credential,
            id_token_0,
            rz,
            identity,
            id_token_n,
            enrolment,
            grant: grant.cloned(),
            signature: prove(hash, &self.identity),
        };
        // Two fat ID tokens may not fit into a record: the provider names too many groups.
        auth.encode()
            .map_err(|_| Problem::new(Code::TooManyGroups).service(service))
    }

    /// Who this is, to whoever is not at the other end: the hub, and through it an outlet that checks what was approved.
    pub(crate) fn legs(&self) -> Legs {
        Legs {
            identity: self.identity.verify_key(),
            credential: self.credential.clone(),
            id_token_0: self.session.id_token_0.to_string(),
            rz: self.session.rz,
            id_token_n: self
                .session
                .id_token_n
                .as_ref()
                .map(|token| token.to_string()),
            enrolment: self.chain.clone(),
        }
    }

    /// Whether both speak for the same sign-in: `rz` is drawn anew for each.
    pub(crate) fn is_of_the_same_sign_in(&self, other: &Self) -> bool {
        self.session.rz == other.session.rz
            && self.identity.verify_key() == other.identity.verify_key()
    }

    /// Whether it can still be presented at `now`.
    pub(crate) fn holds(&self, now: UnixTime) -> bool {
        !self.outdated.is_cancelled() && now < self.credential_until && now < self.session.ends()
    }
}
