//! Bounds the connections that have not yet proven anything: when the doorstep is full, the oldest one goes.
//! Refusing new ones instead would let whoever fills the doorstep keep everybody else out.

use crate::LinkError;
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long a guest may stand on the doorstep in all.
const LIMIT: Duration = Duration::from_secs(10);

/// All connections of one listener that are still strangers.
pub struct Doorstep {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// In order of arrival.
    guests: BTreeMap<u64, CancellationToken>,
}

impl Doorstep {
    /// A doorstep for at most `most` strangers at once.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            state: Mutex::default(),
        })
    }

    /// Takes in a connection that was just accepted; the oldest stranger leaves if there is no room.
    pub fn enter(self: &Arc<Self>) -> Guest {
        let gone = CancellationToken::new();
        let mut state = self.state();
        if state.guests.len() >= self.most
            && let Some((_, oldest)) = state.guests.pop_first()
        {
            oldest.cancel();
        }
        let id = state.next;
        state.next += 1;
        state.guests.insert(id, gone.clone());
        Guest {
            id,
            gone,
            until: Instant::now() + LIMIT,
            doorstep: Arc::clone(self),
        }
    }

    /// How many strangers there are.
    #[must_use]
    pub fn crowd(&self) -> usize {
        self.state().guests.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place on the doorstep. Drop it once the connection has been admitted.
pub struct Guest {
    id: u64,
    gone: CancellationToken,
    until: Instant,
    doorstep: Arc<Doorstep>,
}

impl Guest {
    /// Runs one step towards admission, as long as there is room and time.
    ///
    /// # Errors
    /// `TimedOut` when either ran out, else what `step` says.
    pub async fn within<T>(
        &self,
        step: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        tokio::select! {
            () = self.gone.cancelled() => Err(LinkError::TimedOut),
            done = timeout_at(self.until, step) => done.map_err(|_| LinkError::TimedOut)?,
        }
    }

    /// Ends when somebody newer needs the place; says nothing about time.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.doorstep.state().guests.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn the_oldest_stranger_makes_room_for_the_newest() {
        let doorstep = Doorstep::new(2);
        let (first, second) = (doorstep.enter(), doorstep.enter());

        let third = doorstep.enter();

        assert_eq!(
            first.within(pending::<Result<(), _>>()).await,
            Err(LinkError::TimedOut)
        );
        assert_eq!(second.within(ready(Ok(2))).await, Ok(2));
        assert_eq!(third.within(ready(Ok(3))).await, Ok(3));
        drop((first, second, third));
        assert_eq!(doorstep.crowd(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_has_ten_seconds_for_all_steps_together() {
        let guest = Doorstep::new(2).enter();

        let slow = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        };
        assert_eq!(guest.within(slow).await, Ok(()));
        assert_eq!(
            guest.within(pending::<Result<(), _>>()).await,
            Err(LinkError::TimedOut)
        );
    }
}
