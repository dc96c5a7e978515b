//! A few circuits per connected service that are ready to carry a portal: opening one then costs one round trip.
//! Some were built ahead, some carried a portal before. They hold nothing at the outlet but memory, and they are
//! thrown away as soon as anything they were built on changes: a renewal of rights at the latest, so none gets old.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_proto::names::ServiceName;
use tokio::sync::Notify;

use super::admitted::Circuit;

/// Spares made ahead for each connected service.
pub(crate) const SPARES: usize = 2;
/// Circuits kept for each connected service, used ones included: what a program that opens and closes a few at a time uses again.
const KEPT: usize = 8;

/// The spares of all connected services. A service that is not connected has no shelf.
#[derive(Default)]
pub(crate) struct Warm(Mutex<BTreeMap<ServiceName, Shelf>>);

struct Shelf {
    spares: VecDeque<Circuit>,
    /// Rung when a spare was taken or thrown away.
    wanted: Arc<Notify>,
}

impl Warm {
    /// Makes room for spares of `service`; the bell rings when some are wanted.
    pub(crate) fn connect(&self, service: &ServiceName) -> Arc<Notify> {
        let wanted = Arc::new(Notify::new());
        wanted.notify_one();
        let shelf = Shelf {
            spares: VecDeque::new(),
            wanted: Arc::clone(&wanted),
        };
        self.lock().insert(service.clone(), shelf);
        wanted
    }

    /// Throws the spares away.
    pub(crate) fn disconnect(&self, service: &ServiceName) {
        self.lock().remove(service);
    }

    /// The first spare that is `good`; those before it end.
    pub(crate) fn take(
        &self,
        service: &ServiceName,
        good: impl Fn(&mut Circuit) -> bool,
    ) -> Option<Circuit> {
        loop {
            let mut circuit = {
                let mut shelves = self.lock();
                let shelf = shelves.get_mut(service)?;
                shelf.wanted.notify_one();
                shelf.spares.pop_front()?
            };
            if good(&mut circuit) {
                return Some(circuit);
            }
        }
    }

    /// Puts a new spare on the shelf; without a shelf, or without room, it ends.
    /// One that was built while another came back stays too: it is the one that lets two programs come at once.
    pub(crate) fn put(&self, service: &ServiceName, circuit: Circuit) {
        if let Some(shelf) = self.lock().get_mut(service)
            && shelf.spares.len() < KEPT
        {
            shelf.spares.push_back(circuit);
        }
    }

    /// Takes a circuit back whose portal ended cleanly: the next one goes over it first, since it worked a moment ago.
    /// Gives it up when there is no shelf or no room.
    pub(crate) fn take_back(&self, circuit: Circuit) -> Option<Circuit> {
        match self.lock().get_mut(circuit.service()) {
            Some(shelf) if shelf.spares.len() < KEPT => shelf.spares.push_front(circuit),
            _ => return Some(circuit),
        }
        None
    }

    /// How many spares are missing.
    pub(crate) fn missing(&self, service: &ServiceName) -> usize {
        self.lock()
            .get(service)
            .map_or(0, |shelf| SPARES.saturating_sub(shelf.spares.len()))
    }

    /// Keeps only spares that are `good`.
    pub(crate) fn retain(&self, service: &ServiceName, good: impl Fn(&mut Circuit) -> bool) {
        if let Some(shelf) = self.lock().get_mut(service) {
            shelf.spares.retain_mut(good);
        }
    }

    /// Throws all spares away; services that stay connected get new ones when there is access again.
    pub(crate) fn drop_spares(&self) {
        self.lock()
            .values_mut()
            .for_each(|shelf| shelf.spares.clear());
    }

    /// Throws everything away.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Shelf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
