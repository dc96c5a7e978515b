//! A circuit that has finished handshake and AUTH: it holds no permit and no target socket, and carries one portal at a time.
//! AUTH and OPEN leave in one flight when a portal is wanted at once; a warm circuit sends its OPEN later.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tidegate_link::{Budget, LinkError, LinkState, Portal, Returned, Secure};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::grant::Grant;
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::problem::Problem;
use tidegate_proto::statement::GrantId;
use tidegate_proto::time::UnixTime;
use tokio::time::{sleep, timeout};

use super::doubt::Road;
use super::revive::{Mooring, Resumed};
use crate::hub::access::Access;
use crate::problems;

/// An outlet that has said nothing for this long is asked whether it is still there.
const QUIET: Duration = Duration::from_millis(500);
/// How long the answer to that may take, where nothing else would come of waiting less.
const GONE: Duration = Duration::from_secs(2);
/// What it is asked with: the number says nothing.
const ARE_YOU_THERE: u64 = 0;

/// Why a circuit did not come about or gave no portal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CircuitError {
    /// The way broke: another circuit may do better.
    Link(LinkError),
    /// The outlet ended the circuit before it gave a portal: a spare that waited too long, or a change over there.
    Ended(Problem),
    /// The outlet, or we ourselves, said no: final.
    Refused(Problem),
}

impl From<LinkError> for CircuitError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl CircuitError {
    pub(crate) fn problem(self, service: &ServiceName) -> Problem {
        match self {
            Self::Link(error) => problems::of_circuit(error, service),
            Self::Ended(problem) | Self::Refused(problem) => problem,
        }
    }
}

/// What a circuit is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    purpose: Purpose,
    first: &'a [u8],
}

impl<'a> Wish<'a> {
    pub(crate) const PROBE: Self = Self {
        purpose: Purpose::Probe,
        first: &[],
    };

    /// A portal for a program that said this first, as far as the outlet has to know it.
    pub(crate) fn portal(first: &'a [u8]) -> Self {
        Self {
            purpose: Purpose::Connect,
            first,
        }
    }

    /// As `portal`; somebody sees to it that it is resumed when its circuit dies.
    pub(crate) fn kept(first: &'a [u8]) -> Self {
        Self {
            purpose: Purpose::Resumable,
            first,
        }
    }
}

/// A circuit whose AUTH was sent.
pub(crate) struct Circuit {
    secure: Secure,
    roots: Roots,
    /// Known once ADMITTED has arrived.
    deadline: Option<UnixTime>,
    /// Where the portal lies that was opened last, if it can be resumed.
    mooring: Option<Mooring>,
}

/// What came of one frame, as far as somebody waits for it.
#[derive(PartialEq, Eq)]
enum Step {
    Nothing,
    Opened(u64),
    Resumed(u64),
}

/// What a circuit stands on, also while a portal has it.
pub(super) struct Roots {
    pub(super) service: ServiceName,
    pub(super) access: Arc<Access>,
    pub(super) road: Road,
    /// What was presented on it.
    pub(super) grant: Option<Arc<Grant>>,
    pub(super) process: u64,
}

/// A portal and what its registration needs.
pub(crate) struct OpenPortal {
    pub(crate) portal: Portal,
    pub(crate) hash: HandshakeHash,
    pub(crate) deadline: UnixTime,
    pub(crate) mooring: Option<(Mooring, Road)>,
}

impl Circuit {
    /// Whose AUTH has just been sent.
    pub(super) fn asked_for(secure: Secure, roots: Roots) -> Self {
        Self {
            secure,
            roots,
            deadline: None,
            mooring: None,
        }
    }

    /// Waits for ADMITTED: then the circuit is warm.
    pub(crate) async fn warm(mut self) -> Result<Self, CircuitError> {
        while self.deadline.is_none() {
            self.step().await?;
        }
        Ok(self)
    }

    /// Asks the outlet for a portal, or for a probe, and waits for its word. After a probe the circuit is as warm as before.
    pub(crate) async fn ask(self, wish: Wish<'_>) -> Result<Self, CircuitError> {
        self.ask_within(wish, GONE).await
    }

    /// The same, where another circuit can be had: one that is silent for so long is given up for it.
    pub(super) async fn ask_within(
        mut self,
        Wish { purpose, first }: Wish<'_>,
        gone: Duration,
    ) -> Result<Self, CircuitError> {
        let portal = number();
        let open = Open {
            portal,
            process: self.roots.process,
            purpose,
            grant: self.grant().map(|grant| grant.0),
            first,
        };
        self.secure.send(&Frame::Open(open)).await?;
        self.mooring = None;
        while self.heard(gone).await? != Step::Opened(portal) {}
        match self.deadline {
            Some(_) => Ok(self),
            None => Err(LinkError::OutOfTurn.into()),
        }
    }

    /// Asks to carry on a portal that lost its circuit, and waits up to `limit` for the outlet's word; no longer than the link
    /// stands, for what took the link has most likely taken this too.
    pub(super) async fn resume(
        mut self,
        resume: Resume,
        limit: Duration,
    ) -> Result<Resumed, CircuitError> {
        self.secure.send(&Frame::Resume(resume)).await?;
        let road = self.roots.road.clone();
        let word = async {
            loop {
                if let Step::Resumed(received) = self.step().await? {
                    break Ok::<_, CircuitError>(received);
                }
            }
        };
        let received = tokio::select! {
            biased;
            said = timeout(limit, word) => said.map_err(|_| LinkError::TimedOut)??,
            () = road.breaks() => return Err(LinkError::Lost.into()),
        };
        let deadline = self.deadline.ok_or(LinkError::OutOfTurn)?;
        Ok(Resumed {
            received,
            deadline,
            hash: self.secure.hash,
            secure: self.secure,
            road: self.roots.road,
            access: self.roots.access,
            grant: self.roots.grant,
        })
    }

    /// The portal that was opened. When it has ended cleanly on both sides, `home` gets the circuit, or gives it back to be closed.
    pub(crate) fn into_portal(
        self,
        memory: &Arc<Budget>,
        home: impl FnOnce(Self) -> Option<Self> + Send + Sync + 'static,
    ) -> OpenPortal {
        let Self {
            secure,
            roots,
            deadline,
            mooring,
        } = self;
        let hash = secure.hash;
        let mooring = mooring.map(|mooring| (mooring, roots.road.clone()));
        let home = move |returned: Returned| {
            let circuit = Self {
                secure: returned.circuit,
                roots,
                deadline: returned.admitted.or(deadline),
                mooring: None,
            };
            home(circuit).map(|unwanted| unwanted.secure)
        };
        OpenPortal {
            hash,
            deadline: deadline.unwrap_or_default(),
            portal: match mooring {
                Some(_) => Portal::resumable(secure, memory, home),
                None => Portal::lent(secure, home),
            },
            mooring,
        }
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.roots.service
    }

    /// The rights it was admitted with.
    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.roots.access
    }

    /// What was presented on it.
    pub(crate) fn grant(&self) -> Option<GrantId> {
        self.roots.grant.as_ref().map(|grant| grant.id())
    }

    /// Whether an idle circuit is still good; answers pings that came meanwhile.
    pub(crate) fn is_alive(&mut self) -> bool {
        if self.roots.road.is_gone() {
            return false;
        }
        while let Some(step) = self.step().now_or_never() {
            // An OPENED that nobody asked for ends it as surely as an error.
            if step != Ok(Step::Nothing) {
                return false;
            }
        }
        true
    }

    /// Whether the link it was asked for on still stands: if not, the network has probably changed under it.
    pub(crate) fn link_is_up(&self) -> bool {
        *self.roots.road.link.borrow() == LinkState::Up
    }

    /// Over which relay it came.
    pub(super) fn relay(&self) -> &HubAddress {
        &self.roots.road.relay
    }

    /// The next step, while the outlet answers at all. One that works on an OPEN says that it is there, also where its
    /// target takes long; of one that has not admitted us yet only the handshake's own limit is known.
    async fn heard(&mut self, gone: Duration) -> Result<Step, CircuitError> {
        if self.deadline.is_none() {
            return self.step().await;
        }
        let road = self.roots.road.clone();
        let quiet = async {
            tokio::select! {
                () = sleep(QUIET) => {}
                () = road.breaks() => {}
            }
        };
        tokio::select! {
            biased;
            step = self.step() => return step,
            () = quiet => {}
        }
        let silent = Err(LinkError::TimedOut.into());
        if self.roots.road.is_gone() {
            return silent;
        }
        self.secure.send(&Frame::Ping(ARE_YOU_THERE)).await?;
        timeout(gone, self.step()).await.unwrap_or(silent)
    }

    /// Handles one frame. Safe to abandon while it waits for a frame.
    async fn step(&mut self) -> Result<Step, CircuitError> {
        let record = self.secure.recv().await?;
        match record.frame() {
            Frame::Admitted { deadline } => self.deadline = Some(deadline),
            Frame::Opened { portal } => return Ok(Step::Opened(portal)),
            Frame::Berth {
                portal,
                instance,
                seconds,
            } => {
                let grace = Duration::from_secs(seconds.into());
                let at = (instance, self.secure.peer);
                let grant = self.roots.grant.clone();
                self.mooring = Some(Mooring::new(portal, at, grace, grant));
                return Ok(Step::Opened(portal));
            }
            Frame::Resumed { received } => return Ok(Step::Resumed(received)),
            Frame::Refused { code, text } => {
                return Err(CircuitError::Refused(problems::of_refusal(
                    code,
                    text,
                    &self.roots.service,
                )));
            }
            Frame::Reset { code } => {
                return Err(CircuitError::Ended(problems::of_refusal(
                    code,
                    "",
                    &self.roots.service,
                )));
            }
            Frame::Ping(number) => self.secure.send(&Frame::Pong(number)).await?,
            Frame::Pong(_) | Frame::Notice { .. } => {}
            Frame::Auth(_)
            | Frame::Open(_)
            | Frame::Data { .. }
            | Frame::Ack { .. }
            | Frame::Fin { .. }
            | Frame::Reauth(_)
            | Frame::Resume(_)
            | Frame::Window { .. } => return Err(LinkError::OutOfTurn.into()),
        }
        Ok(Step::Nothing)
    }
}

/// A number nobody uses twice: of a portal, or of a process.
pub(super) fn number() -> u64 {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
