//! A portal whose circuit died is taken up again: another circuit, everything proved anew, and on from where both stand.
//! Nothing here is a task: it runs beside the bytes of the visit that owns the portal, and ends with it.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_link::{Line, LinkError, PortalControl, Secure};
use tidegate_proto::channel::{ChannelError, HandshakeHash};
use tidegate_proto::frame::Resume;
use tidegate_proto::grant::Grant;
use tidegate_proto::identity::NoisePublic;
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::admitted::CircuitError;
use super::doubt::{Doubt, Road};
use super::silence::Silence;
use super::{Admission, Circuits, is_about_rights};
use crate::backoff::Backoff;
use crate::hub::access::{Access, Listing};

/// How much longer it is tried than the outlet said that it keeps the portal: it counts from when it noticed.
const BEYOND: Duration = Duration::from_secs(30);
/// For one attempt: more than rights may take to come.
const ATTEMPT: Duration = Duration::from_secs(30);
/// How long the first attempt waits for the outlet's word; each that hears nothing lets the next wait twice as long, for it may
/// be thousands that come back at once.
pub(super) const WORD: Duration = Duration::from_secs(5);
/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(2);
/// A circuit that carried the portal for less was worth no more than an attempt that failed: somebody on the way who ends or
/// harms each one once it is resumed is met at the backoff's pace, not as fast as handshakes go.
const LASTING: Duration = Duration::from_secs(5);
/// How often an outlet may say that it has no such portal: several processes may share its key.
const DENIALS: u32 = 3;
/// The longest wait between two attempts that met another outlet of the service: each costs that one a handshake.
const LONGEST_AMONG_STRANGERS: Duration = Duration::from_secs(10);
/// An outlet that takes nothing for so long is asked all the same: it may be gone, and if not, it costs another circuit.
const SLOW: Duration = Duration::from_mins(1);
/// How long other rights are waited for when an outlet did not like those of now.
const OTHER_RIGHTS: Duration = Duration::from_secs(30);

/// Where a portal lies at its outlet.
#[derive(Clone)]
pub(crate) struct Mooring {
    pub(crate) portal: u64,
    pub(crate) instance: [u8; 16],
    /// Whoever opened it, and nobody else of the service.
    pub(crate) outlet: NoisePublic,
    /// How long it waits there.
    grace: Duration,
    /// What it stands on, if it stands on one: presented also when it is not what would be presented for something new.
    grant: Arc<Mutex<Option<Arc<Grant>>>>,
    /// Of the attempts to go on with it, by whomever.
    generation: Arc<AtomicU64>,
}

impl Mooring {
    pub(super) fn new(
        portal: u64,
        (instance, outlet): ([u8; 16], NoisePublic),
        grace: Duration,
        grant: Option<Arc<Grant>>,
    ) -> Self {
        Self {
            portal,
            instance,
            outlet,
            grace,
            grant: Arc::new(Mutex::new(grant)),
            generation: Arc::default(),
        }
    }

    pub(super) fn grant(&self) -> Option<Arc<Grant>> {
        self.lock().clone()
    }

    /// This was shown for it since.
    pub(super) fn stands_on(&self, grant: &Arc<Grant>) {
        let mut stands_on = self.lock();
        // One that was opened without any stands on none, whatever is shown.
        if stands_on.is_some() {
            *stands_on = Some(Arc::clone(grant));
        }
    }

    /// Whether its outlet still serves this.
    pub(super) fn is_at_one_of(&self, listing: &Listing) -> bool {
        let outlets = &listing.statement.outlets;
        outlets.iter().any(|outlet| outlet.noise == self.outlet)
    }

    /// How long it is tried to go on with it, or to say that nobody will.
    pub(super) fn patience(&self) -> Duration {
        self.grace + BEYOND
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Grant>>> {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation of the next attempt.
    pub(super) fn next(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A circuit that carries the portal from here on.
pub(super) struct Resumed {
    pub(super) secure: Secure,
    pub(super) received: u64,
    pub(super) hash: HandshakeHash,
    pub(super) deadline: UnixTime,
    pub(super) road: Road,
    pub(super) access: Arc<Access>,
    pub(super) grant: Option<Arc<Grant>>,
}

impl Circuits {
    /// Keeps a portal of `service` alive for as long as it is polled. Resolves when that cannot be done any more, and says why.
    pub(crate) async fn keep(&self, service: &ServiceName, control: &PortalControl) -> Problem {
        let Some((mooring, road)) = self.live.mooring(service, control) else {
            return pending().await;
        };
        let mut line = control.line();
        let mut relay = road.relay.clone();
        let mut doubt = Doubt::about(road, &self.links);
        let mut silence = Silence::new();
        let (mut backoff, mut resumed) = (Backoff::new(), None);
        loop {
            let lost = tokio::select! {
                lost = lost(&mut line) => lost,
                () = doubt.rises(&self.links) => {
                    if !control.answers(self.links.patience(&relay)).await {
                        let _ = control.detach();
                    }
                    continue;
                }
                waited = silence.lasts(control) => {
                    if self.hears_nothing(control, &relay, waited).await {
                        tracing::info!(%service, portal = mooring.portal, "portal's circuit gives no answer");
                        let _ = control.detach();
                    }
                    continue;
                }
            };
            let Some(since) = lost else {
                return pending().await;
            };
            tracing::info!(%service, portal = mooring.portal, "portal lost its circuit");
            if resumed.is_some_and(|at| since.saturating_duration_since(at) < LASTING) {
                sleep(backoff.wait().min(LONGEST)).await;
            } else {
                backoff.reset();
            }
            // Boxed: a portal that nothing happens to carries only the wait for it.
            let reviving = self.revive(service, control, &mooring, (since, &mut backoff));
            let road = match Box::pin(reviving).await {
                Ok(road) => road,
                Err(problem) => {
                    tracing::info!(%service, portal = mooring.portal, code = %problem.code, "portal was not resumed");
                    return problem;
                }
            };
            resumed = Some(Instant::now());
            tracing::info!(%service, portal = mooring.portal, relay = %road.relay, "portal was resumed");
            relay.clone_from(&road.relay);
            doubt = Doubt::about(road, &self.links);
        }
    }

    /// Asks whether the outlet is there. A reader that is slow, at either end, says nothing about that, unless it is for long.
    async fn hears_nothing(
        &self,
        control: &PortalControl,
        relay: &HubAddress,
        waited: Duration,
    ) -> bool {
        let patience = self.links.patience(relay) * 2;
        let is_slow = control.has_backlog() && waited < SLOW;
        !is_slow && !control.answers(patience).await && !control.has_unheard()
    }

    async fn revive(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        mooring: &Mooring,
        (since, backoff): (Instant, &mut Backoff),
    ) -> Result<Road, Problem> {
        let mut longest = LONGEST;
        let (mut denials, mut strangers, mut word) = (0, 0, WORD);
        while since.elapsed() < mooring.patience() {
            let (shown, mut news) = (self.ready(), self.news.subscribe());
            let attempt = self.take_up(service, control, (mooring, word));
            match timeout(ATTEMPT, attempt).await {
                Ok(Ok(road)) => return Ok(road),
                Ok(Err(error)) if is_final(&error, &mut denials) => {
                    return Err(error.problem(service));
                }
                Ok(Err(error)) if is_about_rights(&error) => {
                    self.live.tried(service, control, error.problem(service));
                    self.other_rights(shown).await;
                }
                // The relay gives one outlet after the other: once round it is worth asking at once.
                Ok(Err(CircuitError::Link(LinkError::Channel(ChannelError::UnexpectedPeer)))) => {
                    strangers += 1;
                    if shown.is_some_and(|access| strangers < outlets(&access, service)) {
                        continue;
                    }
                    longest = LONGEST_AMONG_STRANGERS;
                }
                Ok(Err(error)) => {
                    if matches!(error, CircuitError::Link(LinkError::TimedOut)) {
                        word = (word * 2).min(ATTEMPT);
                    }
                    self.live.tried(service, control, error.problem(service));
                    longest = LONGEST;
                }
                Err(_) => {
                    let timed_out = Problem::new(Code::TimedOut).service(service);
                    self.live.tried(service, control, timed_out);
                    longest = LONGEST;
                }
            }
            tokio::select! {
                () = sleep(backoff.wait().min(longest)) => {}
                // What made it fail may be over.
                _ = news.changed() => {}
            }
        }
        Err(Problem::new(Code::CircuitLost).service(service))
    }

    /// Waits for other rights than these, but not for ever: an outlet may have been the one that was behind.
    async fn other_rights(&self, shown: Option<Arc<Access>>) {
        let Some(shown) = shown else { return };
        let mut admission = self.admission.clone();
        let other =
            |now: &Admission| !matches!(now, Admission::Ready(now) if Arc::ptr_eq(now, &shown));
        let _ = timeout(OTHER_RIGHTS, admission.wait_for(other)).await;
    }

    /// One attempt over whatever relay is there; gives over what the circuit came.
    async fn take_up(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        (mooring, word): (&Mooring, Duration),
    ) -> Result<Road, CircuitError> {
        let circuit = self.circuit_to(service, mooring).await?;
        // It has ended meanwhile: whoever uses it learns that by itself.
        let Ok(received) = control.detach() else {
            return pending().await;
        };
        let resume = Resume {
            instance: mooring.instance,
            portal: mooring.portal,
            generation: mooring.next(),
            received,
        };
        let resumed = circuit.resume(resume, word).await?;
        let road = resumed.road.clone();
        let access = Arc::clone(&resumed.access);
        self.live.resumed(service, control, &resumed);
        // One that has ended meanwhile says farewell over another circuit.
        if control.attach(resumed.secure, resumed.received).is_ok() {
            self.renew_if_outdated(service, control, &access).await;
        }
        Ok(road)
    }

    /// A renewal that came while the circuit was on its way reached nobody.
    async fn renew_if_outdated(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        shown: &Arc<Access>,
    ) {
        let now = self.ready();
        if let Some(now) = now.filter(|now| !Arc::ptr_eq(now, shown)) {
            let asks = self.asks.borrow().clone();
            self.live.renew_one(service, control, &now, &asks).await;
        }
    }
}

/// How many outlets serve this.
fn outlets(access: &Access, service: &ServiceName) -> usize {
    let listing = access.catalogue.get(service);
    listing.map_or(0, |listing| listing.statement.outlets.len())
}

/// Since when nothing carries the portal; `None` once it has ended.
async fn lost(line: &mut watch::Receiver<Line>) -> Option<Instant> {
    let line = line.wait_for(|line| *line != Line::Up).await;
    match line.as_deref() {
        Ok(Line::Lost { since }) => Some(*since),
        _ => None,
    }
}

/// Whether there is no point in asking again. `denials`: how often the outlet has said that it has no such portal.
pub(super) fn is_final(error: &CircuitError, denials: &mut u32) -> bool {
    let CircuitError::Refused(problem) = error else {
        return false;
    };
    match problem.code {
        Code::CircuitLost => {
            *denials += 1;
            *denials >= DENIALS
        }
        // What may be better in a moment: rights that were not there in time, a disk that is busy, places that are taken.
        Code::HubUnreachable | Code::NotRecorded | Code::TooManyConnections => false,
        _ => !is_about_rights(error),
    }
}
