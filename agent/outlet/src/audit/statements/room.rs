//! Room for bundles of words, and who waits for it. A session's last words have a place of their own from its beginning.
//! Nobody holds an ordinary place while they wait: a program that does not read would keep it from everybody else.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Heard;

/// Bundles of words that wait to be written besides last ones. None holds much more than 128 KiB.
pub(super) const WAITING: usize = 64;

/// A bundle on its way to the writer, with the place it takes.
pub(super) struct Brought {
    pub(super) heard: Heard,
    _place: OwnedSemaphorePermit,
}

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

/// Everybody's way to the writer. As many bundles fit as there are places.
#[derive(Clone)]
pub(super) struct Rooms {
    queue: mpsc::Sender<Brought>,
    places: Arc<Semaphore>,
    last: Arc<Semaphore>,
    bell: Bell,
}

impl Rooms {
    /// For so many sessions at once.
    pub(super) fn new(sessions: usize) -> (Self, mpsc::Receiver<Brought>, Bell) {
        let (queue, brought) = mpsc::channel(WAITING + sessions);
        let bell = Bell::default();
        let rooms = Self {
            queue,
            places: Arc::new(Semaphore::new(WAITING)),
            last: Arc::new(Semaphore::new(sessions)),
            bell: bell.clone(),
        };
        (rooms, brought, bell)
    }

    /// One session's.
    pub(super) fn room(&self) -> Room {
        let number = {
            let mut sleepers = self.bell.sleepers();
            sleepers.last += 1;
            sleepers.last
        };
        Room {
            rooms: self.clone(),
            number,
        }
    }

    /// A place to be kept for the end of a session.
    pub(super) fn last_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.last).try_acquire_owned().ok()?;
        (!self.queue.is_closed()).then(|| self.place(permit))
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            queue: self.queue.clone(),
            permit,
        }
    }
}

/// A place for one bundle.
pub(crate) struct Place {
    queue: mpsc::Sender<Brought>,
    permit: OwnedSemaphorePermit,
}

impl Place {
    /// Into the queue, which has room for every place there is.
    pub(crate) fn send(self, heard: Heard) {
        let brought = Brought {
            heard,
            _place: self.permit,
        };
        if self.queue.try_send(brought).is_err() {
            tracing::error!("words about statements were not recorded: nobody writes them");
        }
    }
}

/// One session's way to the queue.
pub(crate) struct Room {
    rooms: Rooms,
    number: u64,
}

/// Nobody takes anything out of the queue any more.
pub(crate) struct NobodyWrites;

impl Room {
    /// A place, to be used at once.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Place, NobodyWrites>> {
        if let Poll::Ready(place) = self.now() {
            return Poll::Ready(place);
        }
        let waker = cx.waker().clone();
        let bell = &self.rooms.bell;
        bell.sleepers().wakers.insert(self.number, waker);
        // The bell may have rung just before.
        self.now()
    }

    /// A place, if there is one now.
    pub(crate) fn now(&self) -> Poll<Result<Place, NobodyWrites>> {
        if self.rooms.queue.is_closed() {
            return Poll::Ready(Err(NobodyWrites));
        }
        match Arc::clone(&self.rooms.places).try_acquire_owned() {
            Ok(permit) => Poll::Ready(Ok(self.rooms.place(permit))),
            Err(_) => Poll::Pending,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.bell.sleepers().wakers.remove(&self.number);
    }
}
