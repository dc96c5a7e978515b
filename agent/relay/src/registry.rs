//! Which links there are, what they serve, and how much each pseudonym has taken.
//! Places are guards: whoever holds one counts, and nothing has to be given back by hand.

use crate::Limits;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tidegate_proto::{
    statement::{Pass, PassRole},
    time::UnixTime,
    wire::link::{FromRelay, ServiceHandle},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages waiting for one link; an outlet whose queue is full is passed over.
const QUEUE: usize = 256;

/// All links of a relay.
pub(crate) struct Registry {
    limits: Limits,
    state: Arc<Mutex<State>>,
    turn: AtomicUsize,
}

#[derive(Default)]
struct State {
    next: u64,
    links: BTreeMap<u64, Entry>,
    /// Outlets by what they serve, oldest first.
    outlets: HashMap<ServiceHandle, Vec<u64>>,
    circuits: HashMap<String, usize>,
    tunnels: HashMap<String, usize>,
    /// Circuits and tunnels of all pseudonyms.
    carried: usize,
}

struct Entry {
    pseudonym: String,
    offers: mpsc::Sender<FromRelay>,
    superseded: CancellationToken,
    serves: Vec<ServiceHandle>,
    /// End of its pass.
    until: UnixTime,
}

/// A link's place in the registry; leaves when dropped.
pub(crate) struct Place {
    id: u64,
    /// What other links have for this one.
    pub(crate) offers: mpsc::Receiver<FromRelay>,
    /// Cancelled when newer links of the same pseudonym took its place.
    pub(crate) superseded: CancellationToken,
    state: Arc<Mutex<State>>,
}

/// What a pseudonym has taken; given back when dropped.
pub(crate) struct Taken {
    pseudonym: String,
    kind: Kind,
    state: Arc<Mutex<State>>,
}

#[derive(Copy, Clone)]
enum Kind {
    Circuit,
    Tunnel,
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Arc::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// A place for an admitted link; `None` when the relay is full.
    pub(crate) fn enter(&self, pass: &Pass) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.links.len() >= self.limits.links {
            return None;
        }
        state.make_room(&pass.pseudonym, self.limits.links_per_pseudonym);
        let (offers, queue) = mpsc::channel(QUEUE);
        let superseded = CancellationToken::new();
        let id = state.next;
        state.next += 1;
        let entry = Entry {
            pseudonym: pass.pseudonym.clone(),
            offers,
            superseded: superseded.clone(),
            serves: Vec::new(),
            until: pass.not_after,
        };
        state.links.insert(id, entry);
        state.serve(id, pass);
        Some(Place {
            id,
            offers: queue,
            superseded,
            state: Arc::clone(&self.state),
        })
    }

    /// Offers a circuit to one outlet whose pass serves `handle` at `now`, each in turn: whether one took it.
    pub(crate) fn offer(&self, handle: ServiceHandle, offer: &FromRelay, now: UnixTime) -> bool {
        let state = lock(&self.state);
        let Some(outlets) = state.outlets.get(&handle) else {
            return false;
        };
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..outlets.len()).any(|i| {
            let id = outlets[first.wrapping_add(i) % outlets.len()];
            let entry = state
                .links
                .get(&id)
                .filter(|entry| !entry.until.has_ended(now));
            entry.is_some_and(|entry| entry.offers.try_send(offer.clone()).is_ok())
        })
    }

    /// Room for one more circuit of `pseudonym`.
    pub(crate) fn circuit(&self, pseudonym: &str) -> Option<Taken> {
        self.take(Kind::Circuit, pseudonym, self.limits.circuits_per_pseudonym)
    }

    /// Room for one more key tunnel of `pseudonym`.
    pub(crate) fn tunnel(&self, pseudonym: &str) -> Option<Taken> {
        self.take(Kind::Tunnel, pseudonym, self.limits.tunnels_per_pseudonym)
    }

    fn take(&self, kind: Kind, pseudonym: &str, most: usize) -> Option<Taken> {
        let mut state = lock(&self.state);
        if state.carried >= self.limits.circuits {
            return None;
        }
        let taken = state.taken(kind).entry(pseudonym.to_owned()).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        state.carried += 1;
        Some(Taken {
            pseudonym: pseudonym.to_owned(),
            kind,
            state: Arc::clone(&self.state),
        })
    }

    pub(crate) fn circuits(&self) -> usize {
        lock(&self.state).carried
    }

    pub(crate) fn links(&self) -> usize {
        lock(&self.state).links.len()
    }
}

impl State {
    /// Ends the oldest links of `pseudonym` until one more fits.
    fn make_room(&mut self, pseudonym: &str, most: usize) {
        let ids: Vec<_> = self
            .links
            .iter()
            .filter(|(_, entry)| entry.pseudonym == pseudonym)
            .map(|(id, _)| *id)
            .collect();
        for id in ids.iter().take((ids.len() + 1).saturating_sub(most.max(1))) {
            self.leave(*id);
        }
    }

    /// From now on the link is offered circuits for what its pass names.
    fn serve(&mut self, id: u64, pass: &Pass) {
        self.unserve(id);
        let serves = match pass.role {
            PassRole::Outlet => pass.handles.clone(),
            PassRole::Agent => Vec::new(),
        };
        for handle in &serves {
            let outlets = self.outlets.entry(*handle).or_default();
            if !outlets.contains(&id) {
                outlets.push(id);
            }
        }
        if let Some(entry) = self.links.get_mut(&id) {
            entry.serves = serves;
            entry.until = pass.not_after;
        }
    }

    fn unserve(&mut self, id: u64) {
        let serves = self
            .links
            .get_mut(&id)
            .map(|entry| std::mem::take(&mut entry.serves));
        for handle in serves.unwrap_or_default() {
            if let Some(outlets) = self.outlets.get_mut(&handle) {
                outlets.retain(|other| *other != id);
                if outlets.is_empty() {
                    self.outlets.remove(&handle);
                }
            }
        }
    }

    fn leave(&mut self, id: u64) {
        self.unserve(id);
        if let Some(entry) = self.links.remove(&id) {
            entry.superseded.cancel();
        }
    }

    fn taken(&mut self, kind: Kind) -> &mut HashMap<String, usize> {
        match kind {
            Kind::Circuit => &mut self.circuits,
            Kind::Tunnel => &mut self.tunnels,
        }
    }
}

impl Place {
    /// A newer pass may name other services.
    pub(crate) fn renew(&self, pass: &Pass) {
        lock(&self.state).serve(self.id, pass);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.state).leave(self.id);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.carried -= 1;
        let counts = state.taken(self.kind);
        if let Some(count) = counts.get_mut(&self.pseudonym) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.pseudonym);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
