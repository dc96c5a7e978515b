//! A portal whose circuit died is taken up again: another circuit, everything proved anew, and on from where both stand.
//! Nothing here is a task: it runs beside the bytes of the visit that owns the portal, and ends with it.

use std::future::pending;
use std::time::Duration;

use tidegate_link::{Line, PortalControl, Secure};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::frame::Resume;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::admitted::CircuitError;
use super::{Circuits, is_about_rights};
use crate::backoff::Backoff;

/// How long it is tried. An outlet that keeps the portal for less says so at once when it is asked.
const PATIENCE: Duration = Duration::from_secs(600);
/// For one attempt.
const ATTEMPT: Duration = Duration::from_secs(20);
/// How long the other end of a portal may take to answer, when the way to a relay has just broken.
const ANSWER: Duration = Duration::from_secs(1);
/// Other outlets of the service, or other processes, that may answer in place of the one that has the portal.
const STRANGERS: u32 = 6;

/// Where a portal lies at its outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mooring {
    pub(crate) portal: u64,
    pub(crate) instance: [u8; 16],
}

/// A circuit that carries the portal from here on.
pub(super) struct Resumed {
    pub(super) secure: Secure,
    pub(super) received: u64,
    pub(super) hash: HandshakeHash,
    pub(super) deadline: UnixTime,
}

impl Circuits {
    /// Keeps a portal of `service` alive for as long as it is polled. Resolves when that cannot be done any more, and says why.
    pub(crate) async fn keep(&self, service: &ServiceName, control: &PortalControl) -> Problem {
        let Some(mooring) = self.live.mooring(service, control) else {
            return pending().await;
        };
        let mut line = control.line();
        let mut generation = 0;
        let mut broken = self.links.broken();
        loop {
            let lost = tokio::select! {
                lost = lost(&mut line) => lost,
                Ok(()) = broken.changed() => {
                    if !control.answers(ANSWER).await {
                        let _ = control.detach();
                    }
                    continue;
                }
            };
            let Some(since) = lost else {
                return pending().await;
            };
            tracing::info!(%service, portal = mooring.portal, "portal lost its circuit");
            // Boxed: a portal that nothing happens to carries only the wait for it.
            let revived = self.revive(service, control, mooring, since, &mut generation);
            if let Err(problem) = Box::pin(revived).await {
                tracing::info!(%service, portal = mooring.portal, code = %problem.code, "portal was not resumed");
                return problem;
            }
            tracing::info!(%service, portal = mooring.portal, generation, "portal was resumed");
        }
    }

    async fn revive(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        mooring: Mooring,
        since: Instant,
        generation: &mut u64,
    ) -> Result<(), Problem> {
        let mut backoff = Backoff::new();
        let mut strangers = 0;
        while since.elapsed() < PATIENCE {
            *generation += 1;
            let attempt = self.take_up(service, control, mooring, *generation);
            match timeout(ATTEMPT, attempt).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if is_final(&error, &mut strangers) => {
                    return Err(error.problem(service));
                }
                Ok(Err(_)) => {}
                Err(_) => self.links.distrust(),
            }
            sleep(backoff.wait()).await;
        }
        Err(Problem::new(Code::CircuitLost).service(service))
    }

    /// One attempt over whatever relay is there.
    async fn take_up(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        mooring: Mooring,
        generation: u64,
    ) -> Result<(), CircuitError> {
        let circuit = self.circuit(service).await?;
        // It has ended meanwhile: whoever uses it learns that by itself.
        let Ok(received) = control.detach() else {
            return pending().await;
        };
        let resume = Resume {
            instance: mooring.instance,
            portal: mooring.portal,
            generation,
            received,
        };
        let resumed = circuit.resume(resume).await?;
        if control.attach(resumed.secure, resumed.received).is_ok() {
            self.live
                .resumed(service, control, resumed.hash, resumed.deadline);
        }
        Ok(())
    }
}

/// Since when nothing carries the portal; `None` once it has ended.
async fn lost(line: &mut watch::Receiver<Line>) -> Option<Instant> {
    let line = line.wait_for(|line| *line != Line::Up).await;
    match line.as_deref() {
        Ok(Line::Lost { since }) => Some(*since),
        _ => None,
    }
}

/// Whether there is no point in asking again. With several outlets it may have been the wrong one that answered.
fn is_final(error: &CircuitError, strangers: &mut u32) -> bool {
    let CircuitError::Refused(problem) = error else {
        return false;
    };
    if problem.code == Code::CircuitLost {
        *strangers += 1;
        return *strangers >= STRANGERS;
    }
    !is_about_rights(error) && problem.code != Code::TooManyConnections
}
