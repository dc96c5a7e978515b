//! OPEN on an admitted circuit: policy, durable record, permit, target. In this order, and nothing is skipped.
//! A refusal leaves the circuit warm: the person may sign in again or ask for something else on it.

use super::berths::Berth;
use super::portal::{self, Ready, Voyage};
use super::watch::Watch;
use super::{Turned, say, turn_away};
use crate::audit::OpenRecord;
use crate::clock;
use crate::grants::NotStarted;
use crate::premises::{Premises, Service};
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::Secure;
use tidegate_proto::frame::{Frame, MAX_FIRST, Open, Purpose};
use tidegate_proto::names::ServiceName;
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::{Phase, Refusal, RefusalReason};
use tidegate_proto::session::Session;
use tokio::join;

/// What is left after an OPEN.
pub(super) enum After {
    /// The circuit is over.
    Gone,
    /// A probe was answered, or a portal ended cleanly; the circuit waits for the next OPEN.
    Warm(Box<Secure>, Session),
    /// Somebody was turned away; the circuit waits.
    Refused(Box<Secure>, Session),
}

pub(super) async fn open(
    premises: &Arc<Premises>,
    service: &Arc<Service>,
    watch: &mut Watch,
    mut secure: Secure,
    mut session: Session,
    open: &Open<'_>,
) -> After {
    if let Some(principal) = session.principal() {
        premises
            .berths
            .arrived((principal.device, &principal.sub), open.process);
    }
    let mut gone = false;
    let permitted = permit(premises, service, watch, &mut session, open);
    let turned = match awake((&mut secure, &mut gone), Box::pin(permitted)).await {
        None => return After::Gone,
        Some(Err(turned)) => turned,
        Some(Ok((_, record, _))) if gone => {
            record.close(Code::CircuitLost);
            return After::Gone;
        }
        Some(Ok((permit, record, ready))) => match open.purpose {
            Purpose::Probe => match awake(
                (&mut secure, &mut gone),
                Box::pin(probe(premises, (permit, ready), watch, &mut session)),
            )
            .await
            {
                None => return After::Gone,
                Some(Ok(())) => {
                    record.close(Code::ClosedByProgram);
                    end_portal(premises, &mut session);
                    return after_probe(secure, session, open.portal).await;
                }
                Some(Err(problem)) => not_reached(record, &problem),
            },
            Purpose::Connect | Purpose::Resumable => {
                let reach = reach(premises, (permit, ready), watch, &mut session, open.first);
                match awake((&mut secure, &mut gone), Box::pin(reach)).await {
                    None => return After::Gone,
                    Some(Ok(reached)) => {
                        let grace = reached.grace(&premises.limits).longest();
                        let berth = berth(premises, &session, open, grace);
                        let opened = opened(open.portal, berth.as_ref(), grace);
                        if gone || !answer(&mut secure, &opened, &reached).await {
                            record.close(Code::CircuitLost);
                            return After::Gone;
                        }
                        let voyage = Voyage {
                            premises,
                            watch,
                            session: &mut session,
                            record,
                            berth,
                            portal: open.portal,
                        };
                        let back = Box::pin(voyage.carry(secure, reached)).await;
                        end_portal(premises, &mut session);
                        return back
                            .map_or(After::Gone, |secure| After::Warm(Box::new(secure), session));
                    }
                    Some(Err(problem)) => not_reached(record, &problem),
                }
            }
        },
    };
    end_portal(premises, &mut session);
    if turn_away(premises, &mut secure, &session, turned).await {
        After::Refused(Box::new(secure), session)
    } else {
        After::Gone
    }
}

/// Works, and says meanwhile that we are there when the agent asks: a target may take longer to answer than anybody believes in
/// an outlet that says nothing. `None` when the agent says something else, for which it is too early. `gone` is set when its
/// circuit has ended meanwhile: what comes of the work is for nobody then.
async fn awake<T>(
    (secure, gone): (&mut Secure, &mut bool),
    mut work: impl Future<Output = T> + Unpin,
) -> Option<T> {
    loop {
        let heard = tokio::select! {
            biased;
            done = &mut work => return Some(done),
            heard = secure.recv() => heard,
        };
        let Ok(record) = heard else {
            // Nobody is there to be told: what was begun goes to its end, and nothing more is begun.
            *gone = true;
            return Some(work.await);
        };
        match record.frame() {
            Frame::Ping(number) => {
                say(secure, &Frame::Pong(number)).await;
            }
            _ => return None,
        }
    }
}

/// Where the portal lies when its circuit is lost, if its agent would come for it.
fn berth(
    premises: &Premises,
    session: &Session,
    open: &Open<'_>,
    grace: Duration,
) -> Option<Berth> {
    if open.purpose != Purpose::Resumable || grace.is_zero() {
        return None;
    }
    let owner = session.principal()?;
    let berths = &premises.berths;
    berths.take((owner.device, &owner.sub), session.service(), open)
}

fn opened(portal: u64, berth: Option<&Berth>, grace: Duration) -> Frame<'static> {
    match berth {
        None => Frame::Opened { portal },
        Some(berth) => Frame::Berth {
            portal,
            instance: berth.instance(),
            seconds: u16::try_from(grace.as_secs()).unwrap_or(u16::MAX),
        },
    }
}

/// Where the target has spoken already, OPENED leaves together with what it said.
async fn answer(secure: &mut Secure, opened: &Frame<'_>, reached: &portal::Reached<'_>) -> bool {
    match reached.speaks_at_once() {
        true => secure.send_with_next(opened).is_ok(),
        false => say(secure, opened).await,
    }
}

/// The record of what was permitted ends with why it came to nothing.
fn not_reached(record: OpenRecord, problem: &Problem) -> Turned {
    record.close(problem.code);
    Turned::by_us(problem, "the target was not reached")
}

/// Checks 9 and 10. While the record is on its way to disk, what the target takes is read; it is not reached for.
async fn permit<'s>(
    premises: &Premises,
    service: &'s Service,
    watch: &mut Watch,
    session: &mut Session,
    open: &Open<'_>,
) -> Result<(Permit, OpenRecord, Ready<'s>), Turned> {
    let Some(footing) = premises.footing() else {
        return Err(Refusal::new(Phase::Opening, RefusalReason::TrustChanged).into());
    };
    if open.first.len() > MAX_FIRST {
        let problem = Problem::new(Code::ClientAsksTooMuch).service(session.service());
        return Err(Turned::by_us(
            &problem.said("a first packet of more than 16 KiB"),
            "the first packet is too long",
        ));
    }
    let now = clock::now();
    let allowed = session.handle_open(open, &footing.standing, &watch.context(now), now)?;
    watch.saw(&footing, session, now, allowed.event().deadline);
    // After the policy: who may not connect does not learn that the service is closed.
    if watch.is_killed() {
        return Err(Turned::by_us(
            &Problem::new(Code::KillSwitch),
            "the owner closed the service",
        ));
    }
    let (recorded, ready) = join!(
        premises.audit.open_record(allowed.event()),
        portal::ready(&service.kind)
    );
    let (recorded, record) =
        recorded.map_err(|error| Turned::by_us(&Problem::new(Code::NotRecorded), error))?;
    match allowed.recorded(recorded) {
        Ok(permit) => Ok((permit, record, ready)),
        Err(refusal) => {
            record.close(Code::Internal);
            Err(refusal.into())
        }
    }
}

/// Reaches the target, unless the right ends first, and starts the clock of the grant before anything is answered.
async fn reach<'s>(
    premises: &Premises,
    (permit, ready): (Permit, Ready<'s>),
    watch: &mut Watch,
    session: &mut Session,
    first: &[u8],
) -> Result<portal::Reached<'s>, Problem> {
    let service = permit.service().clone();
    let reaching = Box::pin(portal::reach(ready, permit, premises.limits.dial, first));
    let reached = while_right(&service, watch, session, reaching).await?;
    match premises.clocks.run_for(session).await {
        Ok(()) => Ok(reached),
        Err(NotStarted(code)) => Err(Problem::new(code).service(&service)),
    }
}

/// Looks at the target, unless the right ends first.
async fn probe(
    premises: &Premises,
    (permit, ready): (Permit, Ready<'_>),
    watch: &mut Watch,
    session: &mut Session,
) -> Result<(), Problem> {
    let service = permit.service().clone();
    let looking = portal::look(ready, permit, premises.limits.dial);
    while_right(&service, watch, session, looking).await
}

/// Works at the target for as long as the right lasts. What changed while the record was written counts first: nothing is
/// dialled for a right that has ended meanwhile.
async fn while_right<T>(
    service: &ServiceName,
    watch: &mut Watch,
    session: &mut Session,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::select! {
        biased;
        code = watch.ended(session, None) => Err(Problem::new(code).service(service)),
        done = work => done,
    }
}

async fn after_probe(mut secure: Secure, session: Session, portal: u64) -> After {
    if say(&mut secure, &Frame::Opened { portal }).await {
        After::Warm(Box::new(secure), session)
    } else {
        After::Gone
    }
}

/// The session carries nothing any more; that it carried nothing to begin with is fine.
fn end_portal(premises: &Premises, session: &mut Session) {
    if let Some(footing) = premises.footing() {
        let _ = session.portal_ended(&footing.standing, clock::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{clocks_in, private_dir};
    use tidegate_proto::channel::HandshakeHash;

    use super::*;

    #[tokio::test]
    async fn what_ended_while_the_record_was_written_is_not_even_dialled() {
        let data = private_dir();
        let mut watch = Watch::of_a_closed_service(clocks_in(data.path()));
        let name: ServiceName = "echo".parse().unwrap();
        let mut session = Session::new(name.clone(), HandshakeHash([0; 32]), clock::now());
        let mut dialled = false;

        let answer = while_right(&name, &mut watch, &mut session, async {
            dialled = true;
            Ok(())
        })
        .await;

        assert_eq!(answer.unwrap_err().code, Code::KillSwitch);
        assert!(!dialled);
    }
}
