//! A portal that lost its circuit, and the agent that comes back for it: judged like an OPEN, recorded, then carried on.
//! Whoever may not have the portal learns nothing about it; the portal itself waits on, until its right or its grace ends.

use super::berths::{Berth, Comer, NoBerth};
use super::watch::Watch;
use super::{Turned, say, turn_away};
use crate::clock;
use crate::premises::{Premises, Service};
use std::time::Duration;
use tidegate_link::{Line, PortalControl, Secure};
use tidegate_proto::event::{EventKind, PortalOpened, PortalResumed};
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::permit::Allowed;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::{Phase, Refusal, RefusalReason};
use tidegate_proto::session::Session;
use tokio::time::{Instant, sleep_until};

/// RESUME on an admitted circuit. The circuit goes to the portal's own task, or ends.
pub(super) async fn offer(
    premises: &Premises,
    service: &Service,
    watch: &Watch,
    mut secure: Secure,
    mut session: Session,
    resume: Resume,
) {
    match allowed(premises, service, watch, &mut session, &resume) {
        Ok((comers, record)) => {
            let comer = Comer {
                secure,
                session,
                resume,
                record,
            };
            // Full or closed: another one is ahead of it, or the portal has just ended. Its agent asks again.
            let _ = comers.try_send(comer);
        }
        Err(turned) => drop(turn_away(premises, &mut secure, &session, turned).await),
    }
}

type Way = tokio::sync::mpsc::Sender<Comer>;

/// Everything that OPEN would be asked, for a portal that this device has.
fn allowed(
    premises: &Premises,
    service: &Service,
    watch: &Watch,
    session: &mut Session,
    resume: &Resume,
) -> Result<(Way, PortalResumed), Turned> {
    let device = session.principal().map(|principal| principal.device);
    let device = device.ok_or_else(|| turned(NoBerth::Unknown))?;
    let found = premises.berths.find(device, &service.name, resume);
    let found = found.map_err(turned)?;
    let Some(footing) = premises.footing() else {
        return Err(Refusal::new(Phase::Opening, RefusalReason::TrustChanged).into());
    };
    let open = Open {
        portal: resume.portal,
        purpose: Purpose::Resumable,
        grant: found.grant,
        first: &[],
    };
    let now = clock::now();
    let allowed = session.handle_open(&open, &footing.standing, &watch.context(now), now)?;
    if watch.is_killed() {
        let problem = Problem::new(Code::KillSwitch);
        return Err(Turned::by_us(&problem, "the owner closed the service"));
    }
    Ok((found.comers, record(&allowed, resume)))
}

/// What the audit keeps. The portal's own task knows under which channel it was opened.
fn record(allowed: &Allowed, resume: &Resume) -> PortalResumed {
    let opened = allowed.event();
    PortalResumed {
        channel: String::new(),
        portal: opened.portal,
        service: opened.service.clone(),
        over: opened.channel.clone(),
        generation: resume.generation,
        credential: opened.credential.clone(),
    }
}

fn turned(exact: impl ToString) -> Turned {
    Turned::by_us(&Problem::new(Code::CircuitLost), exact)
}

/// A portal's life beside its bytes: its right, its circuits, its grace.
pub(super) struct Keeping<'a> {
    pub(super) premises: &'a Premises,
    pub(super) watch: &'a mut Watch,
    pub(super) session: &'a mut Session,
    pub(super) control: &'a PortalControl,
    pub(super) berth: Option<&'a mut Berth>,
    /// Under which channel the audit has it.
    pub(super) channel: String,
    pub(super) portal: u64,
    /// How long it waits for its agent.
    pub(super) grace: Duration,
}

impl Keeping<'_> {
    /// Resolves when the portal must end, and says why. Meanwhile it goes on over whatever circuit its agent brings.
    pub(super) async fn until_over(mut self) -> Code {
        let Some(berth) = self.berth.take() else {
            return self.watch.ended(self.session, Some(self.control)).await;
        };
        let mut line = self.control.line();
        let mut lost = None;
        loop {
            let now = *line.borrow_and_update();
            if matches!(now, Line::Lost { .. }) && lost.is_none() {
                self.suspended().await;
            }
            lost = match now {
                Line::Lost { since } => Some(since),
                Line::Up | Line::Over => None,
            };
            tokio::select! {
                biased;
                code = self.watch.ended(self.session, Some(self.control)) => return code,
                // Boxed: a portal that nothing happens to carries only the wait for it.
                comer = berth.next() => Box::pin(self.go_on(comer)).await,
                Ok(()) = line.changed() => {}
                () = over(lost, self.grace) => return Code::CircuitLost,
            }
        }
    }

    async fn suspended(&self) {
        let service = self.session.service().clone();
        tracing::info!(%service, portal = self.portal, "portal was suspended");
        let what = EventKind::PortalSuspended {
            channel: self.channel.clone(),
            portal: self.portal,
            service,
        };
        self.premises.record(what).await;
    }

    /// Lets a circuit carry the portal on. If anything is wrong with it, the portal waits for the next one.
    async fn go_on(&mut self, comer: Comer) {
        let Comer {
            mut secure,
            session,
            resume,
            record,
        } = comer;
        if let Err(turned) = self.prepare(&resume, record).await {
            turn_away(self.premises, &mut secure, &session, turned).await;
            return;
        }
        // Whatever carried it so far carries nothing more: what has come now is all that will have come.
        let Ok(received) = self.control.detach() else {
            return;
        };
        if !say(&mut secure, &Frame::Resumed { received }).await {
            return;
        }
        *self.session = session;
        if self.control.attach(secure, resume.received).is_ok() {
            let service = self.session.service();
            tracing::info!(%service, portal = self.portal, generation = resume.generation, "portal was resumed");
        }
    }

    async fn prepare(&self, resume: &Resume, record: PortalResumed) -> Result<(), Turned> {
        if !self.control.can_go_on_from(resume.received) {
            return Err(turned("the place to resume from is not there"));
        }
        let what = EventKind::PortalResumed(PortalResumed {
            channel: self.channel.clone(),
            ..record
        });
        let recorded = self.premises.audit.record(what).await;
        match recorded {
            Ok(_) => Ok(()),
            Err(error) => Err(Turned::by_us(&Problem::new(Code::NotRecorded), error)),
        }
    }
}

/// The channel under which the audit has the portal of this session.
pub(super) fn channel_of(secure: &Secure) -> String {
    PortalOpened::channel_name(&secure.hash)
}

async fn over(lost: Option<Instant>, grace: Duration) {
    match lost {
        Some(since) => sleep_until(since + grace).await,
        None => std::future::pending().await,
    }
}
