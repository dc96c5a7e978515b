//! A running portal: bytes between the circuit and the target until one side ends, or the right to it does.
//! Whatever ends it, the target's socket and the record end with it, and the circuit too unless both sides had finished.

use super::berths::Berth;
use super::grace::Grace;
use super::keeping::{Keeping, channel_of};
use super::watch::Watch;
use crate::audit::{OpenRecord, StatementAudit};
use crate::config::{Limits, ServiceConfig, Target};
use crate::dial::{self, Opened, Recent, Right, Way};
use crate::postgres::{self, Beginning, Bounds, PortalEnd, PostgresService, RoleKeeping};
use crate::premises::Premises;
use std::time::Duration;
use tidegate_link::kept::KeptError;
use tidegate_link::{Meter, PipeEnd, Portal, PortalError, Returned, Secure, abort, pipe};
use tidegate_postgres::Rest;
use tidegate_proto::names::HubAddress;
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::session::Session;
use tokio::sync::oneshot;

/// What stands behind a service while portals use it, by kind.
pub(crate) enum Kind {
    Tcp(TcpTarget),
    Postgres(PostgresService),
}

/// Where a service of plain bytes is, and what answered there last.
pub(crate) struct TcpTarget {
    address: HubAddress,
    recent: Recent,
}

impl Kind {
    /// `statements`: where what is asked of a database is recorded, where the owner wants that.
    /// `roles`: with what its temporary roles are kept. Blocks on their journal.
    ///
    /// # Errors
    /// When the journal is there and cannot be read.
    pub(crate) fn new(
        service: &ServiceConfig,
        statements: Option<StatementAudit>,
        roles: &RoleKeeping<'_>,
    ) -> Result<Self, KeptError> {
        match &service.target {
            Target::Tcp(address) => Ok(Self::tcp(address.clone())),
            Target::Postgres(target) => {
                let postgres = PostgresService::new(service.name.clone(), target.clone());
                let postgres = postgres.recording(statements).keeping_roles(roles)?;
                Ok(Self::Postgres(postgres))
            }
        }
    }

    /// Begins to look after what it has at the target.
    pub(crate) fn start(&self) {
        if let Self::Postgres(service) = self {
            service.start();
        }
    }

    /// Leaves nothing behind at the target. To be called when no portal is left.
    pub(crate) async fn shutdown(&self) {
        if let Self::Postgres(service) = self {
            service.shutdown().await;
        }
    }

    /// Plain bytes to and from `address`.
    pub(crate) fn tcp(address: HubAddress) -> Self {
        let recent = Recent::default();
        Self::Tcp(TcpTarget { address, recent })
    }
}

/// What it takes to reach a target, by kind, but for the right to do so.
#[allow(clippy::large_enum_variant)] // lives on one stack for one portal
pub(super) enum Ready<'k> {
    Tcp(&'k TcpTarget),
    Postgres(&'k PostgresService, postgres::Ready),
}

/// Reads what the next portal will need. Nothing of it leaves this computer.
pub(super) async fn ready(kind: &Kind) -> Ready<'_> {
    match kind {
        Kind::Tcp(target) => Ready::Tcp(target),
        Kind::Postgres(service) => Ready::Postgres(service, service.ready().await),
    }
}

/// What a portal will be carried to.
#[allow(clippy::large_enum_variant)] // lives on one stack for one portal
pub(super) enum Reached<'k> {
    Tcp(Opened),
    Postgres(&'k PostgresService, Beginning, Rest),
}

/// Reaches what the permit is for. A database can be reached only when it is known what the program said first, since
/// that tells a session from the wish to cancel one; otherwise this is done when the program has spoken. Of `tcp` nothing is known.
pub(super) async fn reach<'k>(
    ready: Ready<'k>,
    permit: Permit,
    limit: Duration,
    first: &[u8],
) -> Result<Reached<'k>, Problem> {
    match ready {
        // They would be lost: who sends them believes that somebody reads them.
        Ready::Tcp(_) if !first.is_empty() => {
            let problem = Problem::new(Code::ClientAsksTooMuch);
            Err(problem.service(permit.service()))
        }
        Ready::Tcp(target) => tcp_target(target, permit, limit).await.map(Reached::Tcp),
        Ready::Postgres(service, ready) => {
            let beginning = service.begin(first, permit, ready).await?;
            Ok(Reached::Postgres(service, beginning, Rest::default()))
        }
    }
}

/// Whether the next connection would be served: connects, logs in where that belongs to it, and leaves.
pub(super) async fn look(ready: Ready<'_>, permit: Permit, limit: Duration) -> Result<(), Problem> {
    match ready {
        Ready::Tcp(target) => tcp_target(target, permit, limit).await.map(drop),
        Ready::Postgres(service, ready) => service.look(permit, ready).await,
    }
}

async fn tcp_target(
    target: &TcpTarget,
    permit: Permit,
    limit: Duration,
) -> Result<Opened, Problem> {
    let service = permit.service().clone();
    let way = Way {
        address: &target.address,
        loopback_only: false,
        limit,
        recent: Some(&target.recent),
    };
    dial::open(Right::Portal(permit), &way)
        .await
        .map_err(|error| {
            tracing::warn!(%service, %error, "target was not reached");
            error.problem(&service)
        })
}

/// A portal under way, and all that it has to do with.
pub(super) struct Voyage<'a> {
    pub(super) premises: &'a Premises,
    pub(super) watch: &'a mut Watch,
    pub(super) session: &'a mut Session,
    pub(super) record: OpenRecord,
    /// For one that can be resumed.
    pub(super) berth: Option<Berth>,
    pub(super) portal: u64,
}

impl Voyage<'_> {
    /// Carries the portal to its end and closes its record. Gives the circuit back if it may carry the next one.
    pub(super) async fn carry(self, secure: Secure, reached: Reached<'_>) -> Option<Secure> {
        let Self {
            premises,
            watch,
            session,
            mut record,
            mut berth,
            portal: number,
        } = self;
        let channel = channel_of(&secure);
        let grace = reached.grace(&premises.limits);
        let (home, mut returned) = oneshot::channel();
        let home = |back: Returned| home.send(back.circuit).err();
        let memory = session
            .principal()
            .map(|principal| premises.gates.memory(&principal.sub));
        let portal = match (&berth, memory) {
            (Some(_), Some(memory)) => Portal::resumable(secure, &memory, home),
            _ => Portal::lent(secure, home),
        };
        let control = portal.control();
        record.count(portal.control());
        let mut record = Some(record);
        let keeping = Keeping {
            premises,
            watch,
            session,
            control: &control,
            berth: berth.as_mut(),
            record: &mut record,
            channel,
            portal: number,
            grace,
        };
        let Ended { reason, clean } = match reached {
            Reached::Tcp(opened) => tcp(portal, opened, keeping).await,
            Reached::Postgres(service, beginning, rest) => {
                postgres(portal, service, (beginning, rest), keeping).await
            }
        };
        if let Some(record) = record {
            record.close(reason);
        }
        // Both sides may have finished a moment before the right ended: such a circuit ends all the same.
        returned.try_recv().ok().filter(|_| clean)
    }
}

impl Reached<'_> {
    /// Whether bytes follow OPENED at once.
    pub(super) fn speaks_at_once(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Postgres(_, beginning, _) => beginning.speaks_at_once(),
        }
    }

    pub(super) fn grace(&self, limits: &Limits) -> Grace {
        match self {
            Self::Tcp(_) => Grace::plain(limits),
            Self::Postgres(_, _, rest) => Grace::postgres(limits, rest.clone()),
        }
    }
}

/// How a portal ended, and whether nobody had to end it.
struct Ended {
    reason: Code,
    clean: bool,
}

async fn postgres(
    portal: Portal,
    service: &PostgresService,
    (beginning, rest): (Beginning, Rest),
    keeping: Keeping<'_>,
) -> Ended {
    let control = portal.control();
    let last_call = keeping.watch.last_call();
    // Boxed: it is handed on from one future to the next, and each would hold all of it.
    let ended = Box::pin(async {
        let code = keeping.until_over().await;
        Problem::new(code).service(service.name())
    });
    let bounds = Bounds {
        ended,
        last_call,
        rest,
    };
    let served = service.serve(portal, beginning, bounds);
    let (reason, clean) = match served.await {
        PortalEnd::Closed | PortalEnd::Cancel { .. } => (Code::ClosedByProgram, true),
        PortalEnd::Refused(problem) => (problem.code, true),
        PortalEnd::Lost => (lost(control.ended()), false),
        PortalEnd::Ended(problem) => (problem.code, false),
    };
    Ended { reason, clean }
}

fn lost(how: Option<PortalError>) -> Code {
    how.map_or(Code::CircuitLost, by_portal)
}

async fn tcp(mut portal: Portal, opened: Opened, keeping: Keeping<'_>) -> Ended {
    let control = portal.control();
    let mut socket = opened.socket;
    let meter = Meter::new();
    let end = pipe(&mut socket, &mut portal, &meter, keeping.until_over()).await;
    let reason = reason(&end);
    let clean = end == PipeEnd::Finished;
    if !clean {
        // Neither side may take a broken end for a clean one.
        control.reset(reason.number());
        abort(socket);
    }
    Ended { reason, clean }
}

fn reason(end: &PipeEnd<Code>) -> Code {
    match end {
        PipeEnd::Finished => Code::ClosedByProgram,
        PipeEnd::Withdrawn(code) => *code,
        PipeEnd::Plain(_) => Code::ClosedByTarget,
        PipeEnd::Portal(how) => by_portal(*how),
    }
}

fn by_portal(how: PortalError) -> Code {
    match how {
        PortalError::Reset(code) => said_by_peer(code),
        PortalError::CircuitLost => Code::CircuitLost,
        PortalError::Withdrawn(code) => withdrawn(code),
        PortalError::Broken(_) => Code::PeerBrokeProtocol,
    }
}

/// We ended it for something that its bytes did.
fn withdrawn(code: u16) -> Code {
    match Code::try_from(code) {
        Ok(code @ Code::TooManyConnections) => code,
        _ => Code::ClosedByProgram,
    }
}

/// A peer may say that it ended its own portal; it may not put other reasons into our audit.
fn said_by_peer(code: u16) -> Code {
    match Code::try_from(code) {
        Ok(
            code @ (Code::DisconnectedByYou | Code::AppQuitting | Code::SignedOut | Code::Expired),
        ) => code,
        _ => Code::ClosedByProgram,
    }
}
