//! RESUME on an admitted circuit: who comes back for a portal is judged like an OPEN, and handed to the portal's own task.
//! Whoever may not have the portal learns nothing about it, and the portal does not notice them.

use super::berths::{Comer, NoBerth};
use super::watch::Watch;
use super::{Turned, turn_away};
use crate::clock;
use crate::premises::{Premises, Service};
use tidegate_link::Secure;
use tidegate_proto::event::PortalResumed;
use tidegate_proto::frame::{Open, Purpose, Resume};
use tidegate_proto::permit::Allowed;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::{Phase, Refusal, RefusalReason};
use tidegate_proto::session::Session;

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
    let owner = session
        .principal()
        .ok_or_else(|| turned(NoBerth::Unknown))?;
    let owner = (owner.device, &owner.sub);
    let found = premises.berths.find(owner, &service.name, resume);
    let found = found.map_err(turned)?;
    let Some(footing) = premises.footing() else {
        return Err(Refusal::new(Phase::Opening, RefusalReason::TrustChanged).into());
    };
    // Under whichever grant is shown now, as after a REAUTH; its clock runs before the portal goes on.
    let presented = session.presented().map(|grant| grant.0);
    if found.granted && presented.is_none() {
        return Err(turned(
            "the portal stands on a grant, and none was presented",
        ));
    }
    let open = Open {
        portal: resume.portal,
        process: 0,
        purpose: Purpose::Resumable,
        grant: found.granted.then(|| presented.unwrap_or_default()),
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
        peer: opened.peer.clone(),
        credential: opened.credential.clone(),
        grant: opened.grant.clone(),
        deadline: opened.deadline,
    }
}

/// What everybody hears who may not have the portal.
pub(super) fn turned(exact: impl ToString) -> Turned {
    Turned::by_us(&Problem::new(Code::CircuitLost), exact)
}
