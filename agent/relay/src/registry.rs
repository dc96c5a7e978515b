//! Which links there are, which services they are offered circuits for, and room for what pseudonyms ask.
//! Places are guards: whoever holds one counts, and nothing has to be given back by hand.

use crate::{
    Limits,
    account::{Accounts, Kind},
};
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
use tokio::sync::{mpsc, oneshot};
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
    accounts: Accounts,
    /// Circuits and tunnels of all pseudonyms.
    carried: usize,
}

struct Entry {
    pseudonym: String,
    offers: mpsc::Sender<FromRelay>,
    dismissed: oneshot::Sender<Dismissed>,
    serves: Vec<ServiceHandle>,
    /// End of its pass.
    until: UnixTime,
}

/// A link's place in the registry; leaves when dropped.
pub(crate) struct Place {
    id: u64,
    /// What other links have for this one.
    pub(crate) offers: mpsc::Receiver<FromRelay>,
    /// Comes when the relay wants the link to end.
    pub(crate) dismissed: oneshot::Receiver<Dismissed>,
    state: Arc<Mutex<State>>,
}

/// Why the relay ends a link that has done nothing wrong itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dismissed {
    /// Newer links of the same pseudonym took its place.
    Superseded,
    /// The authority shut its pseudonym out.
    ShutOut,
}

/// What a pseudonym has taken; given back when dropped.
pub(crate) struct Taken {
    pseudonym: String,
    kind: Kind,
    /// Cancelled when the authority shuts the pseudonym out.
    pub(crate) shut_out: CancellationToken,
    state: Arc<Mutex<State>>,
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
        let (dismiss, dismissed) = oneshot::channel();
        let id = state.next;
        state.next += 1;
        let entry = Entry {
            pseudonym: pass.pseudonym.clone(),
            offers,
            dismissed: dismiss,
            serves: Vec::new(),
            until: pass.not_after,
        };
        state.links.insert(id, entry);
        state.accounts.of(&pass.pseudonym).links.insert(id);
        state.serve(id, pass);
        Some(Place {
            id,
            offers: queue,
            dismissed,
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
        let account = state.accounts.of(pseudonym);
        if *account.taken(kind) >= most {
            return None;
        }
        *account.taken(kind) += 1;
        let shut_out = account.shut_out.clone();
        state.carried += 1;
        Some(Taken {
            pseudonym: pseudonym.to_owned(),
            kind,
            shut_out,
            state: Arc::clone(&self.state),
        })
    }

    /// Ends the links of `pseudonym` and tells its circuits and tunnels.
    pub(crate) fn shut_out(&self, pseudonym: &str) {
        let mut state = lock(&self.state);
        let Some(held) = state.accounts.held(pseudonym) else {
            return;
        };
        held.shut_out.cancel();
        for id in held.links.clone() {
            state.leave(id, Some(Dismissed::ShutOut));
        }
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
        let links = &self.accounts.of(pseudonym).links;
        let too_many = (links.len() + 1).saturating_sub(most.max(1));
        let oldest: Vec<_> = links.iter().copied().take(too_many).collect();
        for id in oldest {
            self.leave(id, Some(Dismissed::Superseded));
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

    fn leave(&mut self, id: u64, why: Option<Dismissed>) {
        self.unserve(id);
        if let Some(entry) = self.links.remove(&id) {
            self.accounts.settle(&entry.pseudonym, |account| {
                account.links.remove(&id);
            });
            if let Some(why) = why {
                // A link that has just ended by itself does not listen.
                let _ = entry.dismissed.send(why);
            }
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
        lock(&self.state).leave(self.id, None);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.carried -= 1;
        state
            .accounts
            .settle(&self.pseudonym, |account| *account.taken(self.kind) -= 1);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
