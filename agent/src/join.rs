//! Uses a join link: finds the hub that its fingerprint names, and enrols a new identity key with its ticket.
//! The key is kept before the hub hears of it: a ticket is good once, and a key that was lost afterwards would cost a new one.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::api::EnrolRequest;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey, VerifyKey};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{
    DeviceChain, Enrolment, JoinLink, JoinTicket, Promised, Statement, StatementError, TicketKind,
    TicketStatement,
};
use tidegate_proto::time::UnixTime;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::disk::Membership;
use crate::hub::api::{Api, ApiError, HubIdentity};
use crate::hub::trust::Trust;
use crate::keys::{Entry, Kept, StoreError, Vault};
use crate::problems;

/// How long a join whose key must last waits for a keyring that does not answer; a verb waits 60 seconds for the join.
const KEYRING_PATIENCE: Duration = Duration::from_secs(45);
/// How soon after its silence a keyring is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A device that was enrolled.
pub(crate) struct Joined {
    pub(crate) membership: Membership,
    pub(crate) identity: Arc<SigningKey>,
    /// What the person should know about where the key is kept.
    pub(crate) trouble: Option<Problem>,
}

/// Why nothing came of it.
pub(crate) enum NotJoined {
    Stopped,
    Failed(Problem),
}

impl From<Problem> for NotJoined {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// Told why a join has to wait.
pub(crate) type Waiting = dyn Fn(Problem) + Send + Sync;

/// Enrols this device with `link`, or prepares it to be let in by another one if there is no ticket in it. A `lasting` key that cannot be kept costs no ticket.
/// `stop` ends it, up to the hub's answer: from then on the new key is this device, and the one before stays until then.
pub(crate) async fn join(
    link: JoinLink,
    vault: &Vault,
    noise: &NoiseSecret,
    (now, lasting): (UnixTime, Option<&Waiting>),
    stop: CancellationToken,
) -> Result<Joined, NotJoined> {
    let hub = HubIdentity {
        address: link.address,
        org: link.org,
        root: link.root,
    };
    let met = stop.run_until_cancelled(Api::connect(&hub, noise)).await;
    let mut api = met
        .ok_or(NotJoined::Stopped)?
        .map_err(|error| error.problem(&hub.address))?;
    let ticket = match link.ticket {
        Some(ticket) => Some((check(&ticket, &api, &hub, now)?, ticket)),
        None => None,
    };
    let key = match &ticket {
        Some((_, ticket)) => with_ticket(vault, &hub.org, mark(&ticket.jws)).await,
        None => without_ticket(vault, &hub.org).await,
    };
    let key = match lasting {
        Some(waiting) => key.in_time(vault, waiting, &stop).await?,
        None => key,
    };
    let enrolled = match &ticket {
        Some((statement, ticket)) => {
            let request = request(ticket, statement, &key.identity, now);
            let asked = enrol(&mut api, request, &hub, noise);
            // Without an answer the key waits beside the one in use: the same ticket goes on with it.
            let answer = stop.run_until_cancelled(asked).await;
            match answer.ok_or(NotJoined::Stopped)? {
                Ok(enrolled) => enrolled,
                Err(error) => {
                    give_up(vault, &hub.org, &error).await;
                    return Err(error.problem(&hub.address).into());
                }
            }
        }
        // Another device of the person will have to let this one in.
        None => Enrolled::default(),
    };
    let promised = ticket.map_or_else(Vec::new, |(statement, _)| statement.services);
    Ok(joined(hub, api.root, key, enrolled, promised))
}

/// What the authority calls this device, and how it came to be one.
#[derive(Default)]
struct Enrolled {
    device: String,
    chain: Option<DeviceChain>,
}

fn joined(
    hub: HubIdentity,
    root: VerifyKey,
    key: NewKey,
    enrolled: Enrolled,
    promised: Vec<Promised>,
) -> Joined {
    let Enrolled { device, chain } = enrolled;
    tracing::info!(org = %hub.org, hub = %hub.address, enrolled = !device.is_empty(), "org was joined");
    let membership = Membership {
        org: hub.org,
        hub: hub.address,
        root: hub.root,
        root_key: Some(root),
        device,
        chain,
        last: None,
        signed_out: true,
        trust: Trust::default(),
        services: Vec::new(),
        promised,
    };
    let trouble = match key.kept {
        Kept::Stored => None,
        Kept::InMemory(error) => Some(problems::of_key(error)),
    };
    Joined {
        membership,
        identity: key.identity,
        trouble,
    }
}

fn request(
    ticket: &JoinTicket,
    statement: &TicketStatement,
    identity: &SigningKey,
    now: UnixTime,
) -> EnrolRequest {
    let enrolment = Enrolment {
        org: statement.org.clone(),
        ticket: statement.id.clone(),
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
    request: EnrolRequest,
    hub: &HubIdentity,
    noise: &NoiseSecret,
) -> Result<Enrolled, ApiError> {
    let answer = match api.enrol(&request).await {
        Err(ApiError::Broken | ApiError::TimedOut) => {
            Api::connect(hub, noise).await?.enrol(&request).await?
        }
        other => other?,
    };
    let chain = DeviceChain {
        ticket: request.ticket,
        enrolment: request.enrolment,
        vouches: Vec::new(),
    };
    Ok(Enrolled {
        device: answer.device,
        chain: Some(chain),
    })
}

/// A key, and whether it outlives this process.
struct NewKey {
    identity: Arc<SigningKey>,
    kept: Kept,
}

impl NewKey {
    /// The key once it outlives this process. A keyring that was too busy to answer is asked again until it does:
    /// a newcomer would give up, and the person would have to type the link again. `stop` ends the wait.
    async fn in_time(
        self,
        vault: &Vault,
        waiting: &Waiting,
        stop: &CancellationToken,
    ) -> Result<Self, NotJoined> {
        let Kept::InMemory(error) = self.kept else {
            return Ok(self);
        };
        if error != StoreError::Silent {
            return Err(problems::of_store(error).into());
        }
        tracing::info!("a join waits for the keyring, which did not answer");
        waiting(problems::of_store(error));
        let paid = async {
            while !vault.pay().await {
                sleep(ASK_AGAIN).await;
            }
        };
        let waited = timeout(KEYRING_PATIENCE, stop.run_until_cancelled(paid)).await;
        match waited {
            Ok(Some(())) => Ok(Self {
                kept: Kept::Stored,
                ..self
            }),
            Ok(None) => Err(NotJoined::Stopped),
            Err(_) => Err(problems::of_store(error).into()),
        }
    }
}

/// A key for a ticket, beside the one that is in use: an earlier try with the same ticket may have been the one that counted, so its key is tried again.
async fn with_ticket(vault: &Vault, org: &OrgName, mark: &str) -> NewKey {
    let before = vault.read(org, Entry::Joining).await.ok().flatten();
    let tried = before.and_then(|secret| key_of(&secret, mark));
    let identity = tried.unwrap_or_else(|| SigningKey::generate(&SystemEntropy));
    let secret = Zeroizing::new(format!("{mark}\n{}", *encode(&identity.seed())));
    let kept = vault.write(org, Entry::Joining, &secret).await;
    NewKey {
        identity: Arc::new(identity),
        kept,
    }
}

/// A key that no hub knows yet: another device will have to let it in.
async fn without_ticket(vault: &Vault, org: &OrgName) -> NewKey {
    let identity = SigningKey::generate(&SystemEntropy);
    let secret = encode(&identity.seed());
    let kept = vault.write(org, Entry::Identity, &secret).await;
    NewKey {
        identity: Arc::new(identity),
        kept,
    }
}

/// A key that was refused is nobody's. One whose answer got lost may be enrolled: it waits for the same ticket.
async fn give_up(vault: &Vault, org: &OrgName, error: &ApiError) {
    match error {
        ApiError::Refused(_) | ApiError::Shape | ApiError::Statement(_) => {
            let _ = vault.delete(org, Entry::Joining).await;
        }
        ApiError::Link(_) | ApiError::Broken | ApiError::TimedOut => {}
    }
}

/// Takes the last step of a join, once its org is on disk: the key that was enrolled becomes the one in use. `None` when there is no such step to take.
///
/// # Errors
/// When the store cannot say.
pub(crate) async fn settle(
    vault: &Vault,
    membership: &Membership,
) -> Result<Option<SigningKey>, Problem> {
    let (org, Some(chain)) = (&membership.org, &membership.chain) else {
        return Ok(None);
    };
    let waiting = vault.read(org, Entry::Joining).await;
    let waiting = waiting.map_err(problems::of_store)?;
    let Some(key) = waiting.and_then(|secret| key_of(&secret, mark(&chain.ticket))) else {
        return Ok(None);
    };
    let kept = vault
        .write(org, Entry::Identity, &encode(&key.seed()))
        .await;
    if kept == Kept::Stored {
        let _ = vault.delete(org, Entry::Joining).await;
    }
    Ok(Some(key))
}

/// What tells a ticket from every other: its signature.
fn mark(ticket: &str) -> &str {
    ticket.rsplit('.').next().unwrap_or_default()
}

/// The key that was kept for the ticket with this mark.
fn key_of(secret: &str, mark: &str) -> Option<SigningKey> {
    let (of, seed) = secret.split_once('\n')?;
    let seed = (of == mark).then(|| decode(seed))??;
    Some(SigningKey::from_seed(&seed))
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
    if let Some(key) = settle(vault, membership).await? {
        return Ok(Some(Arc::new(key)));
    }
    let secret = vault
        .read(&membership.org, Entry::Identity)
        .await
        .map_err(problems::of_store)?;
    Ok(secret
        .and_then(|secret| decode(&secret))
        .map(|seed| Arc::new(SigningKey::from_seed(&seed))))
}

fn encode(seed: &[u8; 32]) -> Zeroizing<String> {
    use base64::Engine;
    Zeroizing::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(seed))
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
