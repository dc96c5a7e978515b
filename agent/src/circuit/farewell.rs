//! What ends here while nothing carries it is told to its outlet all the same: a session that nobody comes back for holds locks.
//! RESUME and then RESET, over the next circuit there is. If there is none in time, the outlet's own grace ends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_link::{PortalControl, RelayLink};
use tidegate_proto::frame::{Frame, Resume};
use tidegate_proto::names::{HubAddress, ServiceName};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Circuits;
use super::admitted::CircuitError;
use super::revive::{Mooring, WORD, is_final};
use crate::backoff::Backoff;
use crate::hub::access::Access;

/// Farewells that wait for their turn; more than these are left to the outlet's grace.
const WAITING: usize = 256;
/// Farewells said at once.
const AT_ONCE: usize = 8;
/// For one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the outlet may take to close.
const CLOSING: Duration = Duration::from_secs(1);
/// How long what has just been given up still serves to say farewell.
const PARTING: Duration = Duration::from_secs(2);

/// A portal that ended, and whose outlet does not know it.
pub(super) struct Farewell {
    service: ServiceName,
    mooring: Mooring,
    /// Why it ended.
    code: u16,
    received: u64,
}

/// All farewells of one membership.
pub(crate) struct Farewells {
    queue: mpsc::Sender<Farewell>,
    waiting: Mutex<Option<mpsc::Receiver<Farewell>>>,
    /// Not said yet.
    open: watch::Sender<usize>,
    parting: Mutex<Option<Arc<Parting>>>,
    /// For attempts that are being made, not for those that wait: an outlet that is away keeps nobody else waiting.
    slots: Semaphore,
}

/// The rights and ways that a person had until a moment ago.
pub(super) struct Parting {
    pub(super) access: Arc<Access>,
    pub(super) links: Vec<(HubAddress, Arc<RelayLink>)>,
}

impl Farewells {
    pub(super) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        Self {
            queue,
            waiting: Mutex::new(Some(waiting)),
            open: watch::Sender::new(0),
            parting: Mutex::new(None),
            slots: Semaphore::new(AT_ONCE),
        }
    }

    /// Sees to it that the outlet hears of the end of this portal.
    pub(super) fn watch(&self, service: &ServiceName, control: &PortalControl, mooring: &Mooring) {
        let (queue, open) = (self.queue.clone(), self.open.clone());
        let (service, mooring) = (service.clone(), mooring.clone());
        control.when_unheard(move |code, received| {
            let farewell = Farewell {
                service,
                mooring,
                code,
                received,
            };
            // Before it can have been said.
            open.send_modify(|open| *open += 1);
            if queue.try_send(farewell).is_err() {
                open.send_modify(|open| *open -= 1);
            }
        });
    }

    /// Waits until everything was said, but not for long.
    pub(crate) async fn said(&self, limit: Duration) {
        let mut open = self.open.subscribe();
        let _ = timeout(limit, open.wait_for(|open| *open == 0)).await;
    }

    pub(super) fn parting(&self) -> MutexGuard<'_, Option<Arc<Parting>>> {
        self.parting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuits {
    /// The rights that end now, and the links: for as long as it takes to say farewell, they are kept.
    pub(crate) fn part(&self, access: Arc<Access>) {
        // Also for portals that are carried: that nobody hears their RESET is known only afterwards.
        if self.live.has_kept() || *self.farewells.open.borrow() > 0 {
            let links = self.links.standing();
            *self.farewells.parting() = Some(Arc::new(Parting { access, links }));
        }
    }

    /// Lets farewells be said for a moment, programs' last words included, and then gives up what they were said with.
    pub(crate) async fn end_parting(self: Arc<Self>) {
        let parting = self.farewells.parting().as_ref().map(Arc::clone);
        if let Some(ended) = parting {
            sleep(PARTING).await;
            // Unless it is the next one already.
            let mut parting = self.farewells.parting();
            parting.take_if(|now| Arc::ptr_eq(now, &ended));
        }
    }

    /// Says farewells until it is aborted. The owner of the circuits runs this.
    pub(crate) async fn say_farewells(self: Arc<Self>) {
        let waiting = self.farewells.waiting.lock();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = under_way.join_next() => {
                    self.farewells.open.send_modify(|open| *open -= 1);
                }
                Some(farewell) = waiting.recv(), if under_way.len() < WAITING => {
                    under_way.spawn(Arc::clone(&self).say_farewell(farewell));
                }
                else => return,
            }
        }
    }

    async fn say_farewell(self: Arc<Self>, farewell: Farewell) {
        let (service, portal) = (&farewell.service, farewell.mooring.portal);
        let (began, mut backoff, mut denials) = (Instant::now(), Backoff::new(), 0);
        while began.elapsed() < farewell.mooring.patience() {
            let Ok(slot) = self.farewells.slots.acquire().await else {
                return;
            };
            let attempt = timeout(ATTEMPT, self.try_farewell(&farewell)).await;
            drop(slot);
            match attempt {
                Ok(Ok(())) => {
                    tracing::info!(%service, portal, "outlet was told that a portal ended");
                    return;
                }
                Ok(Err(error)) if is_final(&error, &mut denials) => return,
                Ok(Err(_)) | Err(_) => sleep(backoff.wait().min(LONGEST)).await,
            }
        }
    }

    async fn try_farewell(&self, farewell: &Farewell) -> Result<(), CircuitError> {
        let circuit = self.circuit_back(&farewell.service, &farewell.mooring);
        let resume = Resume {
            instance: farewell.mooring.instance,
            portal: farewell.mooring.portal,
            generation: farewell.mooring.next(),
            received: farewell.received,
        };
        let mut secure = circuit.await?.resume(resume, WORD).await?.secure;
        let code = farewell.code;
        secure.send(&Frame::Reset { code }).await?;
        // Until it has closed it may not have read that.
        let _ = timeout(CLOSING, async { while secure.recv().await.is_ok() {} }).await;
        Ok(())
    }
}
