//! The other half of a permit: resolves when the right to a circuit or portal has ended, and says why.
//! It looks again at every change of what is known and every few seconds besides, because no timer runs while a machine sleeps.

use crate::clock;
use crate::grants::{Clocks, NotStarted, Start};
use crate::kill::Killed;
use crate::known::Footing;
use crate::premises::{Premises, Service};
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::PortalControl;
use tidegate_proto::policy::RequestContext;
use tidegate_proto::problem::Code;
use tidegate_proto::session::{Session, Standing};
use tidegate_proto::time::UnixTime;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A policy that knows hours is asked at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long telling somebody about a renewal may keep us from looking.
const TELL_LIMIT: Duration = Duration::from_millis(250);

/// Watches over one circuit.
pub(super) struct Watch {
    service: Arc<Service>,
    footing: watch::Receiver<Option<Footing>>,
    /// The deadline that was last said, and when that is by a clock that nobody can turn back.
    until: Option<(UnixTime, Instant)>,
    killed: watch::Receiver<Killed>,
    clocks: Arc<Clocks>,
    stop: CancellationToken,
    /// The last time that the policies allowed it.
    seen: Option<Seen>,
    /// A renewal may have brought a grant whose clock does not run yet.
    clock_due: bool,
    /// The clock that is being started, and the deadline that a renewal is told once it runs. Both stay when whoever waits
    /// for them is abandoned.
    start: Option<Start>,
    renewed: Option<UnixTime>,
    end: End,
}

/// What was allowed, and all that this depends on: asked again with the same, the policies say the same.
struct Seen {
    standing: Arc<Standing>,
    /// Of the session.
    steps: u64,
    now: UnixTime,
    deadline: UnixTime,
}

/// How a grant's time ends for the portal that stands on it.
#[derive(Default)]
struct End {
    /// Told when nothing new may begin; nobody where what runs cannot be told from what begins.
    last_call: Option<CancellationToken>,
    /// By the rules of the last look at which the grant counted.
    may_finish: Duration,
    /// When what runs ends too, once the time is over.
    by: Option<Instant>,
}

impl End {
    /// The time is over: what runs may go on for as long as the rules gave it.
    fn has_come(&mut self, now: UnixTime) -> Result<UnixTime, Code> {
        let last_call = self.last_call.as_ref().ok_or(Code::GrantEnded)?;
        let by = *self
            .by
            .get_or_insert_with(|| Instant::now() + self.may_finish);
        last_call.cancel();
        let left = by.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(Code::GrantEnded),
            false => Ok(now.plus(left.as_secs())),
        }
    }
}

/// What to do about a REAUTH.
enum Woken {
    Look,
    Reauth(Vec<u8>),
    Clock(Result<(), NotStarted>),
    Stop,
}

impl Watch {
    pub(super) fn new(premises: &Premises, service: &Arc<Service>) -> Self {
        Self {
            service: Arc::clone(service),
            footing: premises.footing.clone(),
            until: None,
            killed: premises.killed.clone(),
            clocks: Arc::clone(&premises.clocks),
            stop: premises.stop.clone(),
            seen: None,
            clock_due: false,
            start: None,
            renewed: None,
            end: End::default(),
        }
    }

    /// Over a service that its owner has closed; nothing else ever happens there.
    #[cfg(test)]
    pub(super) fn of_a_closed_service(clocks: Arc<Clocks>) -> Self {
        let killed = Killed {
            all: true,
            ..Killed::default()
        };
        Self {
            service: Service::nowhere(),
            footing: watch::Sender::new(None).subscribe(),
            until: None,
            killed: watch::Sender::new(killed).subscribe(),
            clocks,
            stop: CancellationToken::new(),
            seen: None,
            clock_due: false,
            start: None,
            renewed: None,
            end: End::default(),
        }
    }

    /// Local time and weekday at the service, for its policies.
    pub(super) fn context(&self, now: UnixTime) -> RequestContext {
        let local = self.service.zone.local(now);
        RequestContext {
            local_time: local.seconds,
            weekday: local.weekday,
        }
    }

    /// Whether the owner has closed this service.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.borrow().holds(&self.service.name)
    }

    /// For one portal: what is told when the time of its grant is over, and what runs may finish.
    pub(super) fn last_call(&mut self) -> CancellationToken {
        let last_call = CancellationToken::new();
        self.end = End {
            last_call: Some(last_call.clone()),
            ..End::default()
        };
        last_call
    }

    /// Another session stands behind the portal from here on: nothing that was known of the former holds for it.
    pub(super) fn begins_anew(&mut self) {
        (self.seen, self.until) = (None, None);
        (self.clock_due, self.renewed) = (true, None);
    }

    /// Resolves when the right has ended. With a portal, renewals that come over it are judged here. Safe to abandon: what
    /// was begun for a renewal is gone on with when this is asked again.
    pub(super) async fn ended(
        &mut self,
        session: &mut Session,
        portal: Option<&PortalControl>,
    ) -> Code {
        loop {
            let deadline = match self.look(session) {
                Ok(deadline) => deadline,
                Err(code) => return code,
            };
            if let Err(NotStarted(code)) = self.start_clock(session) {
                return code;
            }
            match self.woken(deadline, portal).await {
                Woken::Look => {}
                Woken::Stop => return Code::OutletStopping,
                Woken::Clock(Err(NotStarted(code))) => return code,
                // Boxed: a portal carries only the wait for it.
                Woken::Clock(Ok(())) => Box::pin(self.say_renewed(portal)).await,
                Woken::Reauth(record) => {
                    Box::pin(self.renew(session, &record, portal)).await;
                }
            }
        }
    }

    /// A renewal may have brought another grant, whose time begins now. The disk may take long: nobody waits here for it.
    fn start_clock(&mut self, session: &Session) -> Result<(), NotStarted> {
        if self.clock_due {
            self.start = Some(self.clocks.start_for(session)?);
            self.clock_due = false;
        }
        Ok(())
    }

    pub(super) fn look(&mut self, session: &Session) -> Result<UnixTime, Code> {
        if self.stop.is_cancelled() {
            return Err(Code::OutletStopping);
        }
        if self.killed.borrow_and_update().holds(&self.service.name) {
            return Err(Code::KillSwitch);
        }
        let now = clock::now();
        let footing = self.footing.borrow_and_update().clone();
        // Once known, a footing never goes away: whoever was admitted was admitted on one.
        let footing = footing.ok_or(Code::Internal)?;
        let deadline = match self.seen_before(&footing, session, now) {
            Some(deadline) => deadline,
            None => {
                let allowed = session.still_allowed(&footing.standing, &self.context(now), now);
                let deadline = match allowed.map_err(|refusal| refusal.code) {
                    Err(Code::GrantEnded) => return self.end.has_come(now),
                    allowed => allowed?,
                };
                let may_finish = session.may_finish(&footing.standing, now);
                self.end.may_finish = Duration::from_secs(may_finish);
                self.saw(&footing, session, now, deadline);
                deadline
            }
        };
        self.within_own_time(deadline, now)
    }

    /// The policies have just allowed what `session` carries, at `now` by `footing`.
    pub(super) fn saw(
        &mut self,
        footing: &Footing,
        session: &Session,
        now: UnixTime,
        deadline: UnixTime,
    ) {
        self.seen = Some(Seen {
            standing: Arc::clone(&footing.standing),
            steps: session.steps(),
            now,
            deadline,
        });
    }

    fn seen_before(&self, footing: &Footing, session: &Session, now: UnixTime) -> Option<UnixTime> {
        let seen = self.seen.as_ref()?;
        let same = Arc::ptr_eq(&seen.standing, &footing.standing)
            && (seen.steps, seen.now) == (session.steps(), now);
        same.then_some(seen.deadline)
    }

    /// Holds the deadline against the monotonic clock too: turning back the wall clock prolongs nothing.
    fn within_own_time(&mut self, deadline: UnixTime, now: UnixTime) -> Result<UnixTime, Code> {
        let left = Duration::from_secs(now.until(deadline)) + LOOK_AGAIN;
        match self.until {
            Some((said, own)) if said == deadline && Instant::now() >= own => Err(Code::Expired),
            Some((said, _)) if said == deadline => Ok(deadline),
            _ => {
                self.until = Some((deadline, Instant::now() + left));
                Ok(deadline)
            }
        }
    }

    async fn woken(&mut self, deadline: UnixTime, portal: Option<&PortalControl>) -> Woken {
        let left = Duration::from_secs(clock::now().until(deadline)).min(LOOK_AGAIN);
        // Whole seconds: the deadline's second must have begun when we look.
        let wait = left.max(Duration::from_millis(100));
        tokio::select! {
            () = self.stop.cancelled() => Woken::Stop,
            Ok(()) = self.footing.changed() => Woken::Look,
            Ok(()) = self.killed.changed() => Woken::Look,
            () = tokio::time::sleep(wait) => Woken::Look,
            clock = runs(&mut self.start) => Woken::Clock(clock),
            record = reauth(portal) => Woken::Reauth(record),
        }
    }

    /// A renewal that does not hold changes nothing: what was proved before goes on to its own end.
    async fn renew(
        &mut self,
        session: &mut Session,
        record: &[u8],
        portal: Option<&PortalControl>,
    ) {
        let footing = self.footing.borrow().clone();
        let standing = footing.as_ref().and_then(Footing::for_proofs);
        let (Some(standing), Some(portal)) = (standing, portal) else {
            return;
        };
        match session.handle_reauth(record, standing, clock::now()) {
            // From here on the session stands on what was shown; it is said once its clock runs.
            Ok(deadline) => (self.clock_due, self.renewed) = (true, Some(deadline)),
            Err(refusal) => {
                tracing::info!(service = %self.service.name, exact = %refusal.exact, "renewal was refused");
                let (code, text) = refusal.for_peer();
                // A peer that does not read must not keep us from looking.
                let _ = timeout(TELL_LIMIT, portal.notice(code, &text)).await;
            }
        }
    }

    async fn say_renewed(&mut self, portal: Option<&PortalControl>) {
        if let (Some(deadline), Some(portal)) = (self.renewed.take(), portal) {
            let _ = timeout(TELL_LIMIT, portal.admitted(deadline)).await;
        }
    }
}

/// Resolves when a clock that is being started runs, or cannot.
async fn runs(start: &mut Option<Start>) -> Result<(), NotStarted> {
    let Some(starting) = start else {
        return std::future::pending().await;
    };
    let runs = starting.runs().await;
    *start = None;
    runs
}

async fn reauth(portal: Option<&PortalControl>) -> Vec<u8> {
    if let Some(portal) = portal
        && let Some(record) = portal.next_reauth().await
    {
        return record;
    }
    std::future::pending().await
}
