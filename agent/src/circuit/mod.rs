//! Circuits and portals: what stands behind `Agent::open(service)`.
//! A newcomer would retry after a refusal: only a broken way is tried again, the outlet's no is a no.

mod admitted;
mod asks;
mod change;
mod dialling;
mod doubt;
mod farewell;
mod keeping;
mod links;
mod live;
mod plan;
mod revive;
mod silence;
mod stoker;
mod warm;

pub(crate) use asks::{Ask, Asks, Came, waits_for_approval};
pub(crate) use farewell::Farewells;
pub(crate) use links::Links;
pub(crate) use live::{Live, Tally};
use stoker::stands_on;
pub(crate) use stoker::stoke;
#[cfg(test)]
pub(crate) use warm::SPARES;
pub(crate) use warm::Warm;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tidegate_link::{Budget, LinkError, Portal, PortalControl};
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::hub::access::Access;
use crate::inlet::host::Opener;
use crate::wake::Wakefulness;
use admitted::{Circuit, CircuitError, Wish};

/// How long everything together may take.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// How long a program is held while somebody has to approve. Most programs have a limit of their own, which counts.
const APPROVAL_LIMIT: Duration = Duration::from_secs(30 * 60);
/// What kept portals may hold in memory beyond the quarter of a MiB that each direction has of its own, in bytes.
const MEMORY: usize = 256 << 20;
/// Attempts whose way broke before the outlet had answered, or whose rights were replaced meanwhile.
const ATTEMPTS: usize = 2;
/// How much later than an outlet we may hear that rights have changed.
const HEARSAY: Duration = Duration::from_millis(500);

/// Whether the agent can be let in right now.
#[derive(Clone)]
pub(crate) enum Admission {
    /// Nobody is signed in, or access was taken away: why.
    None(Problem),
    /// The hub is being asked.
    Pending,
    Ready(Arc<Access>),
}

impl Admission {
    /// Whether nobody could tell the difference.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None(why), Self::None(other)) => why == other,
            (Self::Pending, Self::Pending) => true,
            (Self::Ready(access), Self::Ready(other)) => Arc::ptr_eq(access, other),
            (Self::None(_) | Self::Pending | Self::Ready(_), _) => false,
        }
    }
}

/// A circuit that is ready for a portal.
pub(crate) struct Spare(Circuit);

/// Opens portals for one membership. Shared by inlets, the warm-keeper and `Agent::open`.
pub(crate) struct Circuits {
    pub(crate) admission: watch::Receiver<Admission>,
    pub(crate) links: Links,
    pub(crate) live: Live,
    pub(crate) warm: Arc<Warm>,
    /// What there is to present, and what is waited for.
    pub(crate) asks: watch::Sender<Asks>,
    /// Rings when somebody needs rights now that have run out: do not wait for the next look at the clock.
    pub(crate) hurry: Notify,
    /// Counts changes of the computer's network.
    news: watch::Sender<u64>,
    pub(crate) farewells: Farewells,
    /// What kept portals may hold in memory together.
    memory: Arc<Budget>,
    /// As outlets are told: another one at each start and after each sign-out.
    process: AtomicU64,
    wake: Wakefulness,
    noise: Arc<NoiseSecret>,
    clock: Clock,
}

impl Circuits {
    pub(crate) fn new(
        admission: watch::Receiver<Admission>,
        links: Links,
        noise: Arc<NoiseSecret>,
        clock: Clock,
    ) -> Self {
        Self {
            admission,
            links,
            live: Live::default(),
            warm: Arc::default(),
            asks: watch::Sender::default(),
            hurry: Notify::new(),
            news: watch::Sender::default(),
            farewells: Farewells::new(),
            memory: Budget::new(MEMORY),
            process: AtomicU64::new(admitted::number()),
            wake: Wakefulness::new(clock.now()),
            noise,
            clock,
        }
    }

    /// Opens a portal to `service`, for a program that said `first` first.
    pub(crate) async fn open_portal(
        &self,
        service: &ServiceName,
        first: &[u8],
    ) -> Result<Portal, Problem> {
        // Boxed: whoever opens a portal carries only the wait for it.
        let carry = || Box::pin(self.carry(service, Wish::portal(first)));
        self.within_limit(service, carry).await
    }

    /// As `open_portal`, for somebody who polls [`Self::keep`] beside it.
    pub(crate) async fn open_kept(
        &self,
        service: &ServiceName,
        first: &[u8],
    ) -> Result<Portal, Problem> {
        let carry = || self.carry(service, Wish::kept(first));
        self.within_limit(service, carry).await
    }

    /// Asks the outlet for a permitted, audited probe of the target. The circuit it went over can carry a portal next.
    pub(crate) async fn probe(&self, service: &ServiceName) -> Result<Spare, Problem> {
        let probe = || async { self.fresh(service, Wish::PROBE).await.map(Spare) };
        self.within_limit(service, probe).await
    }

    async fn within_limit<T, W: Future<Output = Result<T, Problem>>>(
        &self,
        service: &ServiceName,
        work: impl Fn() -> W,
    ) -> Result<T, Problem> {
        let timed_out = || Err(Problem::new(Code::TimedOut).service(service));
        timeout(OPEN_LIMIT, self.with_newest_grant(service, work))
            .await
            .unwrap_or_else(|_| timed_out())
            .map_err(|problem| self.explained(self.noted(problem, service)))
    }

    /// An agent that has just started may be refused before the hub has told it of a grant: then it is asked for anew, with that.
    async fn with_newest_grant<T, W: Future<Output = Result<T, Problem>>>(
        &self,
        service: &ServiceName,
        work: impl Fn() -> W,
    ) -> Result<T, Problem> {
        let held = || self.asks.borrow().granted_id(service);
        loop {
            let stood_on = held();
            let done = work().await;
            let could_help = |problem: &Problem| {
                problem.code == Code::NotAvailable || waits_for_approval(problem.code)
            };
            let newer = held().filter(|_| held() != stood_on);
            match done {
                Err(problem) if could_help(&problem) && newer.is_some() => {}
                done => return done,
            }
        }
    }

    /// What the outlet says about approvals, whoever waits is told. Where its owner asks for particular approvers, it cannot
    /// know that asking helps, and says as little as it says of what is not there; the org's rules know it.
    fn noted(&self, problem: Problem, service: &ServiceName) -> Problem {
        let code = match problem.code {
            Code::NotAvailable if self.has_to_be_asked_for(service) => Code::AskFirst,
            code => code,
        };
        if code == Code::AskFirst {
            self.asks.send_if_modified(|asks| asks.need(service));
        }
        Problem { code, ..problem }
    }

    fn has_to_be_asked_for(&self, service: &ServiceName) -> bool {
        let nothing_held = self.asks.borrow().granted(service).is_none();
        match &*self.admission.borrow() {
            Admission::Ready(access) => {
                nothing_held && access.askable.iter().any(|one| one.service == *service)
            }
            Admission::Pending | Admission::None(_) => false,
        }
    }

    /// Opens a portal; where somebody has to approve first, waits for that and goes on by itself.
    async fn open_when_approved(
        &self,
        service: &ServiceName,
        first: &[u8],
    ) -> Result<Portal, Problem> {
        let mut asks = self.asks.subscribe();
        loop {
            let before = asks.borrow_and_update().clone();
            let refused = match self.open_kept(service, first).await {
                Err(problem) if waits_for_approval(problem.code) => problem,
                opened => return opened,
            };
            let came = asks.wait_for(|asks| asks.since(&before, service).is_some());
            match timeout(APPROVAL_LIMIT, came).await {
                Ok(Ok(now)) => {
                    if let Some(Came::Refused(problem)) = now.since(&before, service) {
                        return Err(problem.service(service));
                    }
                }
                Ok(Err(_)) => return Err(Problem::new(Code::AppQuitting)),
                Err(_) => return Err(refused),
            }
        }
    }

    /// What is refused to a sign-in with a code may be allowed to one with the browser: then the person can mend it.
    pub(crate) fn explained(&self, problem: Problem) -> Problem {
        let is_low = matches!(&*self.admission.borrow(), Admission::Ready(access) if access.session.with_code);
        if problem.code != Code::NotAvailable || !is_low {
            return problem;
        }
        Problem {
            code: Code::BrowserSignInNeeded,
            ..problem
        }
    }

    async fn carry(&self, service: &ServiceName, wish: Wish<'_>) -> Result<Portal, Problem> {
        self.look_up();
        let circuit = match self.on_spare(service, wish).await? {
            Some(circuit) => circuit,
            None => self.fresh(service, wish).await?,
        };
        let granted = circuit.grant().is_some();
        let opened = circuit.into_portal(&self.memory, self.home());
        let control = opened.portal.control();
        if let Some((mooring, _)) = &opened.mooring {
            self.farewells.watch(service, &control, mooring);
        }
        self.live.add(
            service,
            control,
            opened.hash,
            (opened.deadline, granted),
            opened.mooring,
        );
        // Access may have been taken back while the outlet was asked: what ended everything then did not see this one.
        match &*self.admission.borrow() {
            Admission::None(why) => {
                opened.portal.control().reset(why.code.number());
                Err(why.clone().service(service))
            }
            Admission::Pending | Admission::Ready(_) => Ok(opened.portal),
        }
    }

    /// Where circuits go whose portal ended cleanly: back on the shelf, if they stand on what is true now.
    fn home(&self) -> impl FnOnce(Circuit) -> Option<Circuit> + Send + Sync + 'static {
        let (warm, admission) = (Arc::clone(&self.warm), self.admission.clone());
        let asks = self.asks.subscribe();
        move |circuit| match &*admission.borrow() {
            Admission::Ready(access) if stands_on(&circuit, access, &asks.borrow()) => {
                warm.take_back(circuit)
            }
            Admission::Ready(_) | Admission::Pending | Admission::None(_) => Some(circuit),
        }
    }

    /// A spare circuit that is alive and speaks for whoever is signed in now.
    fn spare(&self, service: &ServiceName) -> Option<Circuit> {
        let Admission::Ready(access) = self.admission.borrow().clone() else {
            return None;
        };
        let (now, grant) = (self.clock.now(), self.asks.borrow().granted_id(service));
        self.warm.take(service, |circuit| {
            let rights = circuit.access();
            circuit.grant() == grant
                && rights.holds(now)
                && rights.is_of_the_same_sign_in(&access)
                && circuit.is_alive()
        })
    }

    /// A spare circuit on which the outlet has said yes. `None` when there is no spare or it turned out to be broken.
    async fn on_spare(
        &self,
        service: &ServiceName,
        wish: Wish<'_>,
    ) -> Result<Option<Circuit>, Problem> {
        let Some(circuit) = self.spare(service) else {
            return Ok(None);
        };
        let patience = self.links.patience(circuit.relay());
        match circuit.ask_within(wish, patience).await {
            Ok(circuit) => Ok(Some(circuit)),
            Err(CircuitError::Link(_) | CircuitError::Ended(_)) => Ok(None),
            // It stands on rights from before a change over there; a new one stands on those of now.
            Err(CircuitError::Refused(problem)) if problem.code == Code::SessionExpired => Ok(None),
            Err(CircuitError::Refused(problem)) => Err(problem),
        }
    }

    /// A circuit of its own on which the outlet has said yes. A grant that the outlet does not believe keeps nobody out who
    /// may come in without it.
    async fn fresh(&self, service: &ServiceName, wish: Wish<'_>) -> Result<Circuit, Problem> {
        let grant = self.asks.borrow().granted_id(service);
        let not_admitted = |asked: &Result<Circuit, Problem>| {
            let refused = asked.as_ref().err();
            refused.is_some_and(|problem| problem.code == Code::NotAdmitted)
        };
        let asked = self.fresh_by_rights(service, wish).await;
        let Some(grant) = grant.filter(|_| not_admitted(&asked)) else {
            return asked;
        };
        self.asks.send_if_modified(|asks| asks.doubt(grant));
        let without = self.fresh_by_rights(service, wish).await;
        if not_admitted(&without) {
            self.asks.send_if_modified(|asks| asks.trust(grant));
        } else {
            tracing::warn!(%service, %grant, "a grant was not believed by the outlet");
        }
        without
    }

    async fn fresh_by_rights(
        &self,
        service: &ServiceName,
        wish: Wish<'_>,
    ) -> Result<Circuit, Problem> {
        let mut attempt = 1;
        loop {
            let access = self.access().await.map_err(|why| why.service(service))?;
            let asked = match self.circuit_on(&access, service).await {
                Ok(circuit) => circuit.ask(wish).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(circuit) => return Ok(circuit),
                Err(error) if attempt < ATTEMPTS && is_about_rights(&error) => {
                    attempt += 1;
                    if !self.has_changed(&access).await {
                        return Err(error.problem(service));
                    }
                }
                Err(error) if attempt < ATTEMPTS && is_broken_way(&error) => {
                    attempt += 1;
                }
                Err(error) => return Err(error.problem(service)),
            }
        }
    }

    /// Waits until there are valid rights.
    pub(crate) async fn let_in(&self) -> Result<(), Problem> {
        self.access().await.map(drop)
    }

    /// Whether these rights are not those of now any more, or are about to be replaced: an outlet may have heard of it first.
    async fn has_changed(&self, access: &Arc<Access>) -> bool {
        let mut admission = self.admission.clone();
        let replaced =
            |now: &Admission| !matches!(now, Admission::Ready(now) if Arc::ptr_eq(now, access));
        let changed = async {
            tokio::select! {
                () = access.outdated.cancelled() => {}
                _ = admission.wait_for(replaced) => {}
            }
        };
        timeout(HEARSAY, changed).await.is_ok()
    }

    /// Ends everything that is open.
    pub(crate) async fn shutdown(&self, why: Code) {
        self.warm.clear();
        self.live.end(|_| true, why);
        self.links.end().await;
    }
}

/// Whether the outlet said no to what was shown, and not to the person: newer rights may do better.
fn is_about_rights(error: &CircuitError) -> bool {
    matches!(
        error,
        CircuitError::Refused(problem) if matches!(problem.code, Code::NotAdmitted | Code::SessionExpired)
    )
}

/// Whether another attempt can do better. A refusal cannot, and neither can a peer that is not the pinned one.
fn is_broken_way(error: &CircuitError) -> bool {
    matches!(
        error,
        CircuitError::Link(LinkError::Lost | LinkError::Io(_) | LinkError::TimedOut)
    )
}

impl Opener for Circuits {
    fn open<'a>(
        &'a self,
        service: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(self.open_kept(service, first))
    }

    fn keep<'a>(
        &'a self,
        service: &'a ServiceName,
        portal: &'a PortalControl,
    ) -> Pin<Box<dyn Future<Output = Problem> + Send + 'a>> {
        Box::pin(self.keep(service, portal))
    }

    fn open_when_approved<'a>(
        &'a self,
        service: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(self.open_when_approved(service, first))
    }

    fn asks(&self) -> Option<watch::Receiver<Asks>> {
        Some(self.asks.subscribe())
    }
}
