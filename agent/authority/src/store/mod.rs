//! What the authority must remember over a restart: devices, used tickets, revocations, newest versions.
//! Every call is one transaction: whoever builds a second store must keep "once" true for two callers at the same moment.

mod sqlite;

use futures_util::future::BoxFuture;
use tidegate_proto::{
    api::{devices::DeviceInfo, record::RecordEntry},
    event::{About, EventKind},
    identity::{PeerId, VerifyKey},
    names::{ServiceName, Subject},
    statement::{EnrolmentChain, OutletKeys, RevokeTarget, Revoked},
    time::UnixTime,
};

pub use sqlite::SqliteStore;

/// Why the store did not do its part. Whatever was asked must then be refused.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store cannot be opened")]
    Open,
    #[error("the store was made by a newer version")]
    Newer,
    #[error("the store cannot be read or written")]
    Unavailable,
    #[error("the store holds something that cannot be")]
    Corrupt,
}

/// A device that shows a verified ticket and enrolment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDevice {
    pub ticket: String,
    /// When the administrator made the ticket.
    pub ticket_at: UnixTime,
    pub sub: Subject,
    pub identity: VerifyKey,
    pub now: UnixTime,
}

/// A device that another one vouches for, with a vouch that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouched {
    /// The vouch's id.
    pub vouch: String,
    pub sub: Subject,
    pub identity: VerifyKey,
    pub sponsor: VerifyKey,
    /// As the device called itself.
    pub label: String,
    pub now: UnixTime,
}

/// An outlet that shows a verified ticket and enrolment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOutlet {
    pub ticket: String,
    pub service: ServiceName,
    pub keys: OutletKeys,
    pub chain: EnrolmentChain,
    pub now: UnixTime,
}

/// An outlet that was enrolled; the chain shows it to whoever asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnrolledOutlet {
    pub service: ServiceName,
    pub chain: EnrolmentChain,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Enrolled {
    /// Enrolled now, under this name.
    New(String),
    /// The same key with the same ticket again: an answer was lost on the way.
    Again(String),
    TicketUsed,
    /// The device that vouches is not one of this person, was revoked, or is too far from a ticket itself.
    SponsorUnfit,
    /// The person has as many devices as others may let in.
    TooManyDevices,
    /// The person was revoked after the ticket had been made.
    TicketOutdated,
    /// The key was revoked: it never enrols again.
    KeyRevoked,
    /// The key is a device already, with another ticket: of the same person, or of somebody else.
    KeyTaken {
        same_person: bool,
    },
}

/// A device as it stands now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    pub name: String,
    pub sub: Subject,
    pub revoked: bool,
    /// By another device, not with a ticket.
    pub let_in: bool,
}

/// A device and the epoch, read at one moment: a credential of this epoch dies with the next revocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    pub device: Option<Device>,
    pub epoch: u64,
}

/// A verified order to revoke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRevocation {
    pub id: String,
    pub who: RevokeTarget,
    /// When the administrator signed it.
    pub at: UnixTime,
    pub jws: String,
    pub now: UnixTime,
}

/// The receipt.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    pub epoch: u64,
    /// The same order had been taken before.
    pub again: bool,
}

/// Devices of one person up to which others let more in; an administrator's ticket always does.
pub const LET_IN_AT_MOST: i64 = 16;

/// Devices of one person that the person may take back within so many seconds: each shuts out a key for good and is told to
/// every outlet. Nobody has more to lose at once.
pub const TAKEN_BACK_AT_MOST: i64 = 16;
pub const TAKEN_BACK_WITHIN: u64 = 3_600;

/// A person takes a device of her own back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeBack {
    pub sub: Subject,
    pub device: PeerId,
    pub now: UnixTime,
}

/// What became of it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TakenBack {
    Now(Receipt),
    /// It was shut out before, by whomever.
    Already,
    NotTheirs,
    TooMany,
}

/// The newest revocation of one person or device, as the beacon needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    pub revoked: Revoked,
    pub received: UnixTime,
}

/// A signed thing with a version that may only rise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// `authority`, `idp`, `policy`, `service/<name>`.
    pub name: String,
    pub version: u64,
    /// SHA-256 of the statement: one version has one content.
    pub digest: [u8; 32],
}

/// What became of the versions of a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// All of them are as new as what was seen or newer. `catalogue` counts the changes of the services.
    Yes { catalogue: u64 },
    /// These are older than what was seen, or differ under the same version; nothing was noted.
    No {
        older: Vec<String>,
        differing: Vec<String>,
    },
}

/// A request for access, as `access` writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessDoc {
    pub id: String,
    /// Counts changes from 1.
    pub version: u64,
    /// It is of no interest any more from then on.
    pub gone_at: UnixTime,
    pub doc: String,
}

/// Whose record it is: what an outlet says counts for less.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Keeper {
    Authority(VerifyKey),
    Outlet(VerifyKey),
}

impl Keeper {
    /// By which its lines are signed.
    #[must_use]
    pub fn key(&self) -> &VerifyKey {
        match self {
            Self::Authority(key) | Self::Outlet(key) => key,
        }
    }
}

/// A line of a record, and whom it concerns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordLine {
    pub line: String,
    pub about: About,
    pub done_by: Option<Subject>,
}

impl RecordLine {
    /// What the line says decides whom it concerns.
    pub(crate) fn of(line: String, what: &EventKind) -> Self {
        let (about, done_by) = match what.is_for_them() {
            true => (what.about(), what.done_by().cloned()),
            false => (About::default(), None),
        };
        Self {
            line,
            about,
            done_by,
        }
    }
}

/// The authority's memory.
pub trait Store: Send + Sync {
    /// Uses up a ticket and enrols a key, both or neither.
    fn enrol<'a>(&'a self, device: &'a NewDevice) -> BoxFuture<'a, Result<Enrolled, StoreError>>;

    /// Enrols a key that another device vouches for.
    fn vouch<'a>(&'a self, device: &'a Vouched) -> BoxFuture<'a, Result<Enrolled, StoreError>>;

    /// At most `most` devices of a person: those that are in before those that were shut out, and the newest first.
    fn devices_of<'a>(
        &'a self,
        sub: &'a Subject,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<DeviceInfo>, StoreError>>;

    /// Takes note that a device was given a credential.
    fn saw<'a>(
        &'a self,
        identity: &'a VerifyKey,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Uses up a ticket and enrols an outlet, both or neither.
    fn enrol_outlet<'a>(
        &'a self,
        outlet: &'a NewOutlet,
    ) -> BoxFuture<'a, Result<Enrolled, StoreError>>;

    /// The outlets that were enrolled and not revoked, newest first.
    fn outlets(&self) -> BoxFuture<'_, Result<Vec<EnrolledOutlet>, StoreError>>;

    /// The device with this identity key, and the epoch.
    fn known<'a>(&'a self, identity: &'a VerifyKey) -> BoxFuture<'a, Result<Known, StoreError>>;

    /// Raises the epoch and shuts the target out, durably.
    fn revoke<'a>(&'a self, order: &'a NewRevocation)
    -> BoxFuture<'a, Result<Receipt, StoreError>>;

    /// Shuts out a person's own device at that person's word, durably. Once: what is shut out already raises nothing.
    fn take_back<'a>(&'a self, asked: &'a TakeBack)
    -> BoxFuture<'a, Result<TakenBack, StoreError>>;

    /// Whom the newest revocations shut out, at most `most`, each once, newest first; and the epoch.
    fn past(&self, most: u32) -> BoxFuture<'_, Result<(Vec<Past>, u64), StoreError>>;

    /// The devices that a revocation received at `earliest` or later shut out, and every other key that one ever named.
    fn shut_out_since(&self, earliest: UnixTime) -> BoxFuture<'_, Result<Vec<PeerId>, StoreError>>;

    /// Takes note of the versions of a bundle, all or none; `catalogue` is the digest over all its services.
    fn accept<'a>(
        &'a self,
        seen: &'a [Seen],
        catalogue: [u8; 32],
    ) -> BoxFuture<'a, Result<Accepted, StoreError>>;

    /// Keeps a new document, or the next version of one. Says no when another change came first.
    fn put_access<'a>(&'a self, doc: &'a AccessDoc) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The documents that are not gone at `now`.
    fn accesses(&self, now: UnixTime) -> BoxFuture<'_, Result<Vec<AccessDoc>, StoreError>>;

    /// Forgets the documents that were gone before then: the ID tokens of whoever approved are in them.
    fn forget_accesses(&self, before: UnixTime) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets one document.
    fn forget_access<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Keeps the lines of `keeper` that concern somebody, for whoever they concern; all or none.
    fn record<'a>(
        &'a self,
        keeper: &'a Keeper,
        lines: &'a [RecordLine],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The newest `most` lines that concern a person, of those that were kept before `before`.
    fn recorded<'a>(
        &'a self,
        sub: &'a Subject,
        before: Option<u64>,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<RecordEntry>, StoreError>>;

    /// Forgets the lines that were kept before then, and of each person all but the newest `most`.
    fn forget_records(&self, before: UnixTime, most: u32) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Finishes what is being written and lets go of the files.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A device's name for people and records: says nothing about the person, and the same key has the same one.
fn device_name(identity: PeerId) -> String {
    let fingerprint = identity.to_string();
    format!("dev-{}", fingerprint.get(..12).unwrap_or(&fingerprint))
}
