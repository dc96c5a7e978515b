//! A warm circuit: handshake and AUTH are done, there is no permit and no target socket. It waits for OPEN, again after each portal.
//! How many wait, and for how long, is bounded; what was proved is looked at again when OPEN comes.

use super::admission::Admitted;
use super::opening::{self, After};
use super::watch::Watch;
use super::{resume, say, turn_away};
use crate::clock;
use crate::known::Footing;
use crate::premises::{Premises, Service};
use std::sync::Arc;
use tidegate_link::{LinkError, Record, Secure};
use tidegate_proto::frame::Frame;
use tidegate_proto::problem::Code;
use tidegate_proto::session::Session;

/// Refusals on one circuit, before it is ended: asking again and again is no way in.
const REFUSALS: usize = 16;

/// One portal after the other, until the circuit ends.
pub(super) async fn serve(premises: &Arc<Premises>, service: &Arc<Service>, admitted: Admitted) {
    let Admitted {
        mut secure,
        mut session,
        _person,
    } = admitted;
    let mut watch = Watch::new(premises, service);
    let mut refused = 0;
    while refused < REFUSALS {
        let Some(record) = wait(premises, &mut secure, &mut session, &mut watch).await else {
            return;
        };
        match record.frame() {
            Frame::Open(open) => {
                let opened = opening::open(premises, service, &mut watch, secure, session, &open);
                match Box::pin(opened).await {
                    After::Gone => return,
                    After::Warm(back, kept) => (secure, session) = (*back, kept),
                    After::Refused(back, kept) => {
                        (secure, session) = (*back, kept);
                        refused += 1;
                    }
                }
            }
            Frame::Reauth(auth) => {
                if !renew(premises, &mut secure, &mut session, auth).await {
                    refused += 1;
                }
            }
            Frame::Ping(number) => {
                if !say(&mut secure, &Frame::Pong(number)).await {
                    return;
                }
            }
            Frame::Resume(resume) => {
                let offer = resume::offer(premises, service, &watch, secure, session, resume);
                return Box::pin(offer).await;
            }
            Frame::Pong(_) | Frame::Notice { .. } => refused += 1,
            _ => {
                tracing::debug!(service = %service.name, "circuit ended by a frame out of turn");
                return;
            }
        }
    }
}

/// The next record; `None` when the circuit has ended. Its place among the warm ones is held only here.
async fn wait(
    premises: &Premises,
    secure: &mut Secure,
    session: &mut Session,
    watch: &mut Watch,
) -> Option<Record> {
    let Ok(_place) = premises.gates.warm.try_acquire() else {
        // One that OPENs at once needs no place to wait.
        return at_once(secure).await;
    };
    let came: Result<Result<Record, LinkError>, Code> = tokio::select! {
        record = secure.recv() => Ok(record),
        code = watch.ended(session, None) => Err(code),
        () = tokio::time::sleep(premises.limits.warm_idle) => Err(Code::Expired),
    };
    match came {
        Ok(record) => record.ok(),
        Err(code) => {
            say(
                secure,
                &Frame::Reset {
                    code: code.number(),
                },
            )
            .await;
            None
        }
    }
}

async fn at_once(secure: &mut Secure) -> Option<Record> {
    const GRACE: std::time::Duration = std::time::Duration::from_millis(500);
    match tokio::time::timeout(GRACE, secure.recv()).await {
        Ok(record) => record.ok(),
        Err(_) => {
            say(
                secure,
                &Frame::Reset {
                    code: Code::TooManyConnections.number(),
                },
            )
            .await;
            None
        }
    }
}

async fn renew(
    premises: &Premises,
    secure: &mut Secure,
    session: &mut Session,
    auth: &[u8],
) -> bool {
    let footing = premises.footing();
    let Some(standing) = footing.as_ref().and_then(Footing::for_proofs) else {
        return false;
    };
    match session.handle_reauth(auth, standing, clock::now()) {
        Ok(deadline) => say(secure, &Frame::Admitted { deadline }).await,
        Err(refusal) => {
            turn_away(premises, secure, session, refusal.into()).await;
            false
        }
    }
}
