//! Uses a join link: finds the hub that its fingerprint names, and enrols a new identity key with its ticket.
//! The key is kept before the hub hears of it: a ticket is good once, and a key that was lost afterwards would cost a new one.

use std::sync::Arc;

use tidegate_proto::api::{EnrolAnswer, EnrolRequest};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{
    DeviceChain, Enrolment, JoinLink, JoinTicket, Statement, StatementError, TicketKind,
    TicketStatement,
};
use tidegate_proto::time::UnixTime;
use zeroize::Zeroizing;

use crate::disk::Membership;
use crate::hub::api::{Api, ApiError, HubIdentity};
use crate::hub::trust::Trust;
use crate::keys::{Entry, Kept, Vault};
use crate::problems;

/// A device that was enrolled.
pub(crate) struct Joined {
    pub(crate) membership: Membership,
    pub(crate) identity: Arc<SigningKey>,
    /// What the person should know about where the key is kept.
    pub(crate) trouble: Option<Problem>,
}

/// Enrols this device with `link`, or prepares it to be let in by another one if there is no ticket in it. A key that `must_last` and cannot be kept costs no ticket.
pub(crate) async fn join(
    link: JoinLink,
    vault: &Vault,
    noise: &NoiseSecret,
    now: UnixTime,
    must_last: bool,
) -> Result<Joined, Problem> {
    let hub = HubIdentity {
        address: link.address,
        org: link.org,
        root: link.root,
    };
    let mut api = Api::connect(&hub, noise)
        .await
        .map_err(|error| error.problem(&hub.address))?;
    let statement = match &link.ticket {
        Some(ticket) => Some(check(ticket, &api, &hub, now)?),
        None => None,
    };

    let before = vault.read(&hub.org, Entry::Identity).await.ok().flatten();
    let identity = Arc::new(SigningKey::generate(&SystemEntropy));
    let secret = Zeroizing::new(encode(&identity.seed()));
    let kept = vault.write(&hub.org, Entry::Identity, &secret).await;
    if let (Kept::InMemory(error), true) = (&kept, must_last) {
        return Err(problems::of_store(*error));
    }
    let promised = statement
        .as_ref()
        .map_or_else(Vec::new, |ticket| ticket.services.clone());
    let (device, chain) = match link.ticket.zip(statement) {
        Some((ticket, statement)) => {
            let request = request(&ticket, statement, &identity, now);
            match enrol(&mut api, &request, &hub, noise).await {
                Ok(answer) => {
                    let chain = DeviceChain {
                        ticket: request.ticket,
                        enrolment: request.enrolment,
                        vouches: Vec::new(),
                    };
                    (answer.device, Some(chain))
                }
                Err(error) => {
                    put_back(vault, &hub.org, before).await;
                    return Err(error.problem(&hub.address));
                }
            }
        }
        // Another device of the person will have to let this one in.
        None => (String::new(), None),
    };
    tracing::info!(org = %hub.org, hub = %hub.address, enrolled = !device.is_empty(), "org was joined");
    let membership = Membership {
        org: hub.org,
        hub: hub.address,
        root: hub.root,
        root_key: Some(api.root),
        device,
        chain,
        last: None,
        trust: Trust::default(),
        services: Vec::new(),
        promised,
    };
    let trouble = match kept {
        Kept::Stored => None,
        Kept::InMemory(error) => Some(problems::of_store(error)),
    };
    Ok(Joined {
        membership,
        identity,
        trouble,
    })
}

fn request(
    ticket: &JoinTicket,
    statement: TicketStatement,
    identity: &SigningKey,
    now: UnixTime,
) -> EnrolRequest {
    let enrolment = Enrolment {
        org: statement.org,
        ticket: statement.id,
        key: identity.verify_key(),
        noise: None,
        at: now,
    };
    EnrolRequest {
        ticket: ticket.jws.clone(),
        enrolment: enrolment.sign(&ticket.key),
    }
}

/// Enrols, asking again when the answer was lost: the same key with the same ticket gets the same answer.
async fn enrol(
    api: &mut Api,
    request: &EnrolRequest,
    hub: &HubIdentity,
    noise: &NoiseSecret,
) -> Result<EnrolAnswer, ApiError> {
    let first = api.enrol(request).await;
    if !matches!(first, Err(ApiError::Broken | ApiError::TimedOut)) {
        return first;
    }
    Api::connect(hub, noise).await?.enrol(request).await
}

/// The new key never became anybody's: what was there before is there again.
async fn put_back(vault: &Vault, org: &OrgName, before: Option<Zeroizing<String>>) {
    match before {
        Some(secret) => drop(vault.write(org, Entry::Identity, &secret).await),
        None => drop(vault.delete(org, Entry::Identity).await),
    }
}

/// A ticket that cannot work is not shown to the hub.
fn check(
    ticket: &JoinTicket,
    api: &Api,
    hub: &HubIdentity,
    now: UnixTime,
) -> Result<TicketStatement, Problem> {
    let bad = |_: StatementError| Problem::new(Code::JoinLinkBad);
    let statement = ticket.verify(&api.root, &hub.org).map_err(bad)?;
    statement
        .valid_at(now)
        .map_err(|_| Problem::new(Code::TicketExpired))?;
    match statement.kind {
        TicketKind::Device { .. } => Ok(statement),
        TicketKind::Outlet { .. } => Err(Problem::new(Code::TicketForAnother)),
    }
}

/// The identity key of a joined org, `None` when the keyring has none.
pub(crate) async fn identity(
    vault: &Vault,
    membership: &Membership,
) -> Result<Option<Arc<SigningKey>>, Problem> {
    let secret = vault
        .read(&membership.org, Entry::Identity)
        .await
        .map_err(problems::of_store)?;
    Ok(secret
        .and_then(|secret| decode(&secret))
        .map(|seed| Arc::new(SigningKey::from_seed(&seed))))
}

fn encode(seed: &[u8; 32]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(seed)
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    use base64::Engine;
    let bytes = Zeroizing::new(
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .ok()?,
    );
    <[u8; 32]>::try_from(bytes.as_slice())
        .ok()
        .map(Zeroizing::new)
}
