//! Bounds the connections that have not yet proven anything: when the doorstep is full, the oldest of the largest crowd goes.
//! Refusing new ones instead would let whoever fills the doorstep keep everybody else out.

use crate::LinkError;
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long a guest may stand on one doorstep, where nobody says otherwise.
const LIMIT: Duration = Duration::from_secs(10);

/// So many may be on their way out while others come in.
const LEAVING: usize = 64;

/// All connections of one listener that are still strangers.
pub struct Doorstep {
    most: usize,
    limit: Duration,
    state: Mutex<State>,
    /// Somebody who was sent away has gone.
    gone: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    /// In order of arrival.
    guests: BTreeMap<u64, (Source, CancellationToken)>,
    crowds: HashMap<Source, usize>,
    /// Those who were sent away and have not gone yet: their tasks must run once more.
    leaving: usize,
}

/// Where a stranger came from, as far as it matters; `None` where nobody can tell.
type Source = Option<IpAddr>;

impl Doorstep {
    /// A doorstep for at most `most` strangers at once.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Self::with_limit(most, LIMIT)
    }

    /// As [`Self::new`], but nobody stays longer than `limit`.
    #[must_use]
    pub fn with_limit(most: usize, limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            limit,
            state: Mutex::default(),
            gone: Notify::new(),
        })
    }

    /// Waits until all but a few of those who were sent away have gone. Whoever accepts faster than they go would
    /// otherwise pile them up behind the door, where nobody counts them.
    pub async fn cleared(&self) {
        while self.state().leaving > LEAVING {
            self.gone.notified().await;
        }
    }

    /// Takes in a connection that was just accepted; the oldest stranger leaves if there is no room.
    pub fn enter(self: &Arc<Self>) -> Guest {
        self.take_in(None)
    }

    /// As [`Self::enter`], but whoever came from where most came from leaves first: one address cannot crowd others out.
    pub fn enter_from(self: &Arc<Self>, address: IpAddr) -> Guest {
        self.take_in(Some(network(address)))
    }

    fn take_in(self: &Arc<Self>, source: Source) -> Guest {
        let gone = CancellationToken::new();
        let mut state = self.state();
        if state.guests.len() >= self.most {
            state.make_room();
        }
        let id = state.next;
        state.next += 1;
        state.guests.insert(id, (source, gone.clone()));
        *state.crowds.entry(source).or_default() += 1;
        Guest {
            id,
            source,
            gone,
            until: Instant::now() + self.limit,
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

impl State {
    fn make_room(&mut self) {
        let crowd = self
            .crowds
            .iter()
            .max_by_key(|(_, size)| **size)
            .map(|(source, _)| *source);
        let oldest = self
            .guests
            .iter()
            .find(|(_, (source, _))| Some(*source) == crowd)
            .map(|(id, _)| *id);
        if let Some((_, gone)) = oldest.and_then(|id| self.leave(id)) {
            self.leaving += 1;
            gone.cancel();
        }
    }

    fn leave(&mut self, id: u64) -> Option<(Source, CancellationToken)> {
        let guest = self.guests.remove(&id)?;
        if let Some(size) = self.crowds.get_mut(&guest.0) {
            *size -= 1;
            if *size == 0 {
                self.crowds.remove(&guest.0);
            }
        }
        Some(guest)
    }
}

/// One household: an IPv4 address, or the 64 bits that an IPv6 host cannot choose by itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A connection's place on the doorstep. Drop it once the connection has been admitted.
pub struct Guest {
    id: u64,
    source: Source,
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

    /// Leaves this doorstep for the next one: whoever has said what it wants is no longer in the way of those who have not,
    /// and they cannot push it out any more.
    #[must_use]
    pub fn move_on(self, next: &Arc<Doorstep>) -> Self {
        next.take_in(self.source)
    }

    /// Ends when somebody newer needs the place; says nothing about time.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.doorstep.state();
        if state.leave(self.id).is_none() {
            state.leaving -= 1;
            self.doorstep.gone.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::timeout;

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

    #[tokio::test]
    async fn one_address_cannot_crowd_the_others_out() {
        let doorstep = Doorstep::new(3);
        let honest = doorstep.enter_from("192.0.2.1".parse().unwrap());
        let crowd: Vec<_> = (0..100u16)
            .map(|n| doorstep.enter_from(format!("2001:db8::{n:x}").parse().unwrap()))
            .collect();

        assert_eq!(honest.within(ready(Ok(1))).await, Ok(1));
        assert_eq!(
            crowd[97].within(pending::<Result<(), _>>()).await,
            Err(LinkError::TimedOut)
        );
        assert_eq!(crowd[99].within(ready(Ok(2))).await, Ok(2));
        assert_eq!(doorstep.crowd(), 3);
        drop((honest, crowd));
        assert!(doorstep.state().crowds.is_empty());
    }

    #[tokio::test]
    async fn whoever_has_moved_on_is_not_pushed_out_by_those_behind() {
        let (outer, inner) = (Doorstep::new(2), Doorstep::new(2));
        let ahead = outer.enter().move_on(&inner);

        let behind: Vec<_> = (0..10).map(|_| outer.enter()).collect();

        assert_eq!(ahead.within(ready(Ok(1))).await, Ok(1));
        assert_eq!((outer.crowd(), inner.crowd()), (2, 1));
        drop((ahead, behind));
        assert_eq!((outer.crowd(), inner.crowd()), (0, 0));
    }

    #[tokio::test]
    async fn nobody_comes_in_faster_than_those_before_go_out() {
        let doorstep = Doorstep::new(1);
        let mut sent_away: Vec<_> = (0..LEAVING + 2).map(|_| doorstep.enter()).collect();
        let newest = sent_away.pop().unwrap();

        assert!(timeout(Duration::ZERO, doorstep.cleared()).await.is_err());
        sent_away.pop();
        doorstep.cleared().await;

        drop((sent_away, newest));
        assert_eq!(doorstep.state().leaving, 0);
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
