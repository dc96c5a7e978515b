//! What each pseudonym holds at the relay: its links, its circuits, its key tunnels, and the word that ends all of them.
//! An account lives as long as anything is on it; whoever comes back later begins with an empty one.

use std::collections::{BTreeSet, HashMap};

use tokio_util::sync::CancellationToken;

/// All accounts, by pseudonym.
#[derive(Default)]
pub(crate) struct Accounts(HashMap<String, Account>);

/// What one of them holds.
#[derive(Default)]
pub(crate) struct Account {
    /// Oldest first.
    pub(crate) links: BTreeSet<u64>,
    circuits: usize,
    tunnels: usize,
    /// Cancelled when the authority shuts this one out.
    pub(crate) shut_out: CancellationToken,
}

/// What a pseudonym may ask for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Circuit,
    Tunnel,
}

impl Accounts {
    /// The account of `pseudonym`, a new one if there is none.
    pub(crate) fn of(&mut self, pseudonym: &str) -> &mut Account {
        self.0.entry(pseudonym.to_owned()).or_default()
    }

    /// Changes the account of `pseudonym`, if there is one, and forgets it when nothing is left on it.
    pub(crate) fn settle(&mut self, pseudonym: &str, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.0.get_mut(pseudonym) {
            change(account);
            if account.is_empty() {
                self.0.remove(pseudonym);
            }
        }
    }

    /// What `pseudonym` holds, if anything.
    pub(crate) fn held(&self, pseudonym: &str) -> Option<&Account> {
        self.0.get(pseudonym)
    }
}

impl Account {
    pub(crate) fn taken(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Circuit => &mut self.circuits,
            Kind::Tunnel => &mut self.tunnels,
        }
    }

    fn is_empty(&self) -> bool {
        self.links.is_empty() && self.circuits == 0 && self.tunnels == 0
    }
}
