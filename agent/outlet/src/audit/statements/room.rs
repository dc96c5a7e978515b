//! Room in the queue of statements, and who waits for it.
//! Nobody holds a place while they wait: a program that does not read would keep it from everybody else.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::Heard;

/// Sessions to be woken when there is room, by their number.
#[derive(Default)]
struct Sleepers {
    last: u64,
    wakers: HashMap<u64, Waker>,
}

/// Wakes all who wait.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<Mutex<Sleepers>>);

impl Bell {
    /// There is room now.
    pub(super) fn ring(&self) {
        let wakers = mem::take(&mut self.sleepers().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    fn sleepers(&self) -> std::sync::MutexGuard<'_, Sleepers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session's way to the queue.
pub(crate) struct Room {
    queue: mpsc::Sender<Heard>,
    bell: Bell,
    number: u64,
}

/// Nobody takes anything out of the queue any more.
pub(crate) struct NobodyWrites;

impl Room {
    pub(super) fn new(queue: mpsc::Sender<Heard>, bell: Bell) -> Self {
        let number = {
            let mut sleepers = bell.sleepers();
            sleepers.last += 1;
            sleepers.last
        };
        Self {
            queue,
            bell,
            number,
        }
    }

    /// A place, to be used at once.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<OwnedPermit<Heard>, NobodyWrites>> {
        if let Poll::Ready(place) = self.now() {
            return Poll::Ready(place);
        }
        let waker = cx.waker().clone();
        self.bell.sleepers().wakers.insert(self.number, waker);
        // The bell may have rung just before.
        self.now()
    }

    /// A place, if there is one now.
    pub(crate) fn now(&self) -> Poll<Result<OwnedPermit<Heard>, NobodyWrites>> {
        match self.queue.clone().try_reserve_owned() {
            Ok(place) => Poll::Ready(Ok(place)),
            Err(TrySendError::Closed(_)) => Poll::Ready(Err(NobodyWrites)),
            Err(TrySendError::Full(_)) => Poll::Pending,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bell.sleepers().wakers.remove(&self.number);
    }
}
