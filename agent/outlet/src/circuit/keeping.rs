//! A portal's life beside its bytes: its right, the circuits that carry it one after the other, and its grace.
//! The right is watched all the time, also while somebody who came back is judged, written down and answered.

use super::berths::{Berth, Comer, NoBerth};
use super::grace::Grace;
use super::resume::turned;
use super::watch::Watch;
use super::{Turned, say, turn_away};
use crate::audit::OpenRecord;
use crate::grants::NotStarted;
use crate::premises::Premises;
use std::pin::pin;
use std::time::Duration;
use tidegate_link::{Line, PortalControl, Secure};
use tidegate_proto::event::{EventKind, PortalOpened, PortalResumed};
use tidegate_proto::frame::{Frame, Resume};
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::RefusalReason;
use tidegate_proto::session::Session;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long the last acknowledgements may take once both sides have finished and the agent has every byte.
const LINGER: Duration = Duration::from_secs(60);
/// An agent that has said nothing for this long since it was told of its portal is asked for a sign that it heard so.
const SILENT: Duration = Duration::from_secs(1);
/// How long that sign may take. The same when the circuit was lost before there was one: nobody comes back who does not know
/// that there is something to come back for. An agent may have heard of it all the same, and have no way at the moment; what
/// waits for it meanwhile has been asked nothing and holds no lock.
const TAKEN_UP: Duration = Duration::from_secs(45);

/// What a portal's life depends on.
pub(super) struct Keeping<'a> {
    pub(super) premises: &'a Premises,
    pub(super) watch: &'a mut Watch,
    pub(super) session: &'a mut Session,
    pub(super) control: &'a PortalControl,
    pub(super) berth: Option<&'a mut Berth>,
    /// Taken when nothing more can happen that belongs into it, though the portal itself is not over.
    pub(super) record: &'a mut Option<OpenRecord>,
    /// Under which channel the audit has it.
    pub(super) channel: String,
    pub(super) portal: u64,
    pub(super) grace: Grace,
}

impl Keeping<'_> {
    /// Resolves when the portal must end, and says why. Meanwhile it goes on over whatever circuit its agent brings.
    pub(super) async fn until_over(self) -> Code {
        let Self {
            premises,
            watch,
            session,
            control,
            berth,
            record,
            channel,
            portal,
            grace,
        } = self;
        let Some(berth) = berth else {
            return watch.ended(session, Some(control)).await;
        };
        let mut circuits = Circuits {
            premises,
            control,
            berth,
            record,
            line: control.line(),
            lost: None,
            generation: 0,
            service: session.service().clone(),
            channel,
            portal,
            grace,
        };
        loop {
            let next = beside((&mut *watch, &mut *session), Some(control), circuits.next()).await;
            let comer = match next {
                Err(code) => return code,
                Ok(Next::Over) if control.is_met() => return Code::CircuitLost,
                Ok(Next::Over) => return Code::NeverTakenUp,
                Ok(Next::Line) => continue,
                Ok(Next::Comer(comer)) => comer,
            };
            let fits = comer.session.resumes(session);
            // Boxed: a portal that nothing happens to carries only the wait for it.
            let judging = Box::pin(circuits.judge(comer, fits));
            let ready = match beside((&mut *watch, &mut *session), Some(control), judging).await {
                Err(code) => return code,
                Ok(None) => continue,
                Ok(Some(ready)) => ready,
            };
            *session = ready.session;
            watch.begins_anew();
            // Before the first byte: what was known of the former session says nothing about this one.
            if let Err(code) = watch.look(session) {
                return code;
            }
            circuits.attach(ready.secure, &ready.resume);
        }
    }
}

/// Works for as long as the right lasts.
async fn beside<T>(
    (watch, session): (&mut Watch, &mut Session),
    portal: Option<&PortalControl>,
    work: impl Future<Output = T>,
) -> Result<T, Code> {
    tokio::select! {
        biased;
        code = watch.ended(session, portal) => Err(code),
        done = work => Ok(done),
    }
}

/// What happens next to the circuits of a portal.
enum Next {
    /// Something carries it, or nothing does any more.
    Line,
    Comer(Box<Comer>),
    /// Nobody came back for it.
    Over,
}

/// A circuit on which RESUMED was said.
struct Ready {
    secure: Secure,
    session: Session,
    resume: Resume,
}

/// The circuits of one portal, one after the other.
struct Circuits<'a> {
    premises: &'a Premises,
    control: &'a PortalControl,
    berth: &'a mut Berth,
    record: &'a mut Option<OpenRecord>,
    line: watch::Receiver<Line>,
    /// Since when nothing carries it, if that was written down.
    lost: Option<Instant>,
    /// Of the circuit that carries it now.
    generation: u64,
    service: ServiceName,
    channel: String,
    portal: u64,
    grace: Grace,
}

impl Circuits<'_> {
    async fn next(&mut self) -> Next {
        let now = *self.line.borrow_and_update();
        let was_lost = self.lost.is_some();
        self.lost = match now {
            Line::Lost { since } => Some(since),
            Line::Up | Line::Over => None,
        };
        self.close_if_finishing();
        let deserted = self.berth.deserted();
        let (grace, at_most) = (self.grace.clone(), self.at_most());
        let (lost, control) = (self.lost, self.control);
        let mut over = pin!(async {
            match lost {
                Some(since) => nobody_comes(since, (&grace, at_most), &deserted).await,
                None => never_taken_up(control).await,
            }
        });
        if self.lost.is_some() && !was_lost && self.record.is_some() {
            tokio::select! {
                biased;
                // Boxed, as what follows: most portals are never lost.
                () = Box::pin(self.suspended()) => return Next::Line,
                () = &mut over => return Next::Over,
            }
        }
        tokio::select! {
            biased;
            comer = self.berth.next() => Next::Comer(Box::new(comer)),
            Ok(()) = self.line.changed() => Next::Line,
            () = &mut over => Next::Over,
        }
    }

    /// Nothing carries it, and neither side has a byte left to say or to take: the record is whole. What lingers is the berth,
    /// for an agent that asks again for the end that it has not heard.
    fn close_if_finishing(&mut self) {
        if self.lost.is_some()
            && self.control.is_finishing()
            && let Some(record) = self.record.take()
        {
            record.close(Code::ClosedByProgram);
        }
    }

    /// Once both sides have finished, only the last acknowledgements are missing.
    fn at_most(&self) -> Duration {
        match self.control.is_finishing() {
            _ if !self.control.is_met() => TAKEN_UP,
            true => LINGER,
            false => Duration::MAX,
        }
    }

    async fn suspended(&self) {
        tracing::info!(service = %self.service, portal = self.portal, "portal was suspended");
        let what = EventKind::PortalSuspended {
            channel: self.channel.clone(),
            portal: self.portal,
            service: self.service.clone(),
        };
        self.premises.record(what).await;
    }

    /// Says RESUMED to whoever may go on. If anything is wrong with them, the portal waits for the next one.
    async fn judge(&mut self, comer: Box<Comer>, fits: Result<(), RefusalReason>) -> Option<Ready> {
        let Comer {
            mut secure,
            session,
            resume,
            record,
        } = *comer;
        if let Err(turned) = self.let_in(fits, &session, &resume, record).await {
            turn_away(self.premises, &mut secure, &session, turned).await;
            return None;
        }
        // Whatever carried it so far carries nothing more: what has come now is all that will have come.
        let received = self.control.detach().ok()?;
        if !say(&mut secure, &Frame::Resumed { received }).await {
            // It was written down as resumed, and it is not: that it is suspended is written down again.
            self.lost = None;
            return None;
        }
        Some(Ready {
            secure,
            session,
            resume,
        })
    }

    async fn let_in(
        &self,
        fits: Result<(), RefusalReason>,
        session: &Session,
        resume: &Resume,
        record: PortalResumed,
    ) -> Result<(), Turned> {
        fits.map_err(turned)?;
        if resume.generation <= self.generation {
            return Err(turned(NoBerth::Stale));
        }
        if !self.control.can_go_on_from(resume.received) {
            return Err(turned("the place to resume from is not there"));
        }
        let clock = self.premises.clocks.run_for(session).await;
        clock.map_err(|NotStarted(code)| {
            Turned::by_us(&Problem::new(code), "the grant's clock does not run")
        })?;
        // No byte will move: of what is closed nothing more is written down.
        if self.record.is_none() {
            return Ok(());
        }
        let what = EventKind::PortalResumed(PortalResumed {
            channel: self.channel.clone(),
            ..record
        });
        match self.premises.audit.record(what).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Turned::by_us(&Problem::new(Code::NotRecorded), error)),
        }
    }

    fn attach(&mut self, secure: Secure, resume: &Resume) {
        self.generation = resume.generation;
        if self.control.attach(secure, resume.received).is_ok() {
            tracing::info!(service = %self.service, portal = self.portal, generation = resume.generation, "portal was resumed");
        }
    }
}

/// The channel under which the audit has the portal of this session.
pub(super) fn channel_of(secure: &Secure) -> String {
    PortalOpened::channel_name(&secure.hash)
}

/// Resolves when there is nobody left who would come for a portal that was lost.
async fn nobody_comes(
    since: Instant,
    (grace, at_most): (&Grace, Duration),
    deserted: &CancellationToken,
) {
    tokio::select! {
        () = deserted.cancelled() => {}
        () = grace.over(since, at_most) => {}
    }
}

/// Resolves when an agent that is connected gives no sign that it knows of its portal: it gave the circuit up before it was told.
async fn never_taken_up(control: &PortalControl) {
    // Boxed: soon there is nothing left to wait for.
    if Box::pin(taken_up(control)).await {
        std::future::pending().await
    }
}

async fn taken_up(control: &PortalControl) -> bool {
    if !control.is_met() {
        sleep(SILENT).await;
    }
    control.meets(TAKEN_UP).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock;
    use crate::testing::{clocks_in, private_dir};
    use std::future::pending;
    use tidegate_proto::channel::HandshakeHash;

    #[tokio::test]
    async fn a_record_that_never_gets_to_the_disk_keeps_nobody_from_ending_the_portal() {
        let data = private_dir();
        let mut watch = Watch::of_a_closed_service(clocks_in(data.path()));
        let name: ServiceName = "echo".parse().unwrap();
        let mut session = Session::new(name, HandshakeHash([0; 32]), clock::now());

        let end = beside((&mut watch, &mut session), None, pending::<()>()).await;

        assert_eq!(end, Err(Code::KillSwitch));
    }
}
