//! Where connections wait that have proved nothing yet: so many seats, and when they are taken the oldest guest leaves.
//! Refusing the newest would let ten thousand idle connections shut everybody out; an honest guest stays for milliseconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// A bounded number of seats.
pub struct Lobby {
    most: usize,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    /// In the order of arrival.
    taken: BTreeMap<u64, CancellationToken>,
}

/// One guest's seat; free again when it is dropped.
pub struct Seat {
    lobby: Arc<Lobby>,
    number: u64,
    asked_to_leave: CancellationToken,
}

impl Lobby {
    /// With `most` seats, at least one.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            seats: Mutex::default(),
        })
    }

    /// Gives a seat, if need be the oldest guest's.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Seat {
        let mut seats = self.lock();
        while seats.taken.len() >= self.most {
            if let Some((_, oldest)) = seats.taken.pop_first() {
                oldest.cancel();
            }
        }
        let number = seats.next;
        seats.next += 1;
        let asked_to_leave = CancellationToken::new();
        seats.taken.insert(number, asked_to_leave.clone());
        Seat {
            lobby: Arc::clone(self),
            number,
            asked_to_leave,
        }
    }

    /// Guests now.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.lock().taken.len()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Ends when the seat was given to somebody else.
    pub async fn taken_away(&self) {
        self.asked_to_leave.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lobby.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_like::now_or_never;

    /// Polls once.
    mod futures_like {
        use std::{
            future::Future,
            pin::pin,
            task::{Context, Poll, Waker},
        };

        pub(super) fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
            match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            }
        }
    }

    #[test]
    fn when_it_is_full_the_oldest_leaves() {
        let lobby = Lobby::new(2);
        let first = lobby.enter();
        let second = lobby.enter();
        assert!(now_or_never(first.taken_away()).is_none());

        let third = lobby.enter();

        assert!(now_or_never(first.taken_away()).is_some());
        assert!(now_or_never(second.taken_away()).is_none());
        assert!(now_or_never(third.taken_away()).is_none());
        assert_eq!(lobby.guests(), 2);
    }

    #[test]
    fn a_seat_is_free_again_when_its_guest_goes() {
        let lobby = Lobby::new(2);
        let first = lobby.enter();
        drop(lobby.enter());

        let _third = lobby.enter();

        assert!(now_or_never(first.taken_away()).is_none());
        drop(first);
        assert_eq!(lobby.guests(), 1);
    }
}
