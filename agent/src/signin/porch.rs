//! Where the tabs of one org's sign-ins come back to: one listener at a time, and a memory of the sign-ins before.
//! A newcomer would close the port with the sign-in: the tab of a cancelled one comes back later, and a person looks at it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::page::Page;

/// Most earlier sign-ins whose tabs are still known.
const MEMORY: usize = 8;

/// One org's. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Porch(Arc<Inner>);

#[derive(Default)]
struct Inner {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Tells whoever only waits for a late tab to go.
    leave: Mutex<CancellationToken>,
    /// `state`, and what its tab is to be told; newest last.
    past: Mutex<VecDeque<(Zeroizing<String>, Page)>>,
}

/// The one place on the porch: while it is held, nobody else listens for this org.
pub(crate) struct Place {
    pub(super) porch: Porch,
    /// Somebody else needs the place, unless the person is still expected.
    pub(super) leave: CancellationToken,
    _turn: OwnedMutexGuard<()>,
}

impl Porch {
    /// Sends whoever lingers away and waits for the place. A sign-in that still runs must have been told to end before.
    pub(crate) async fn enter(&self) -> Place {
        let leave = CancellationToken::new();
        let before = std::mem::replace(&mut *lock(&self.0.leave), leave.clone());
        before.cancel();
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        Place {
            porch: self.clone(),
            leave,
            _turn: turn,
        }
    }

    /// Nobody waits for late tabs any more.
    pub(crate) fn close(&self) {
        lock(&self.0.leave).cancel();
    }

    pub(super) fn remember(&self, state: &str, page: Page) {
        let mut past = lock(&self.0.past);
        past.push_back((Zeroizing::new(state.to_owned()), page));
        if past.len() > MEMORY {
            past.pop_front();
        }
    }

    /// What a tab with this `state` is to be told, if it belongs to an earlier sign-in.
    pub(super) fn recall(&self, state: &str) -> Option<Page> {
        let past = lock(&self.0.past);
        let found = past.iter().rev().find(|(known, _)| **known == state);
        found.map(|(_, page)| page.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_oldest_tabs_are_forgotten_first() {
        let porch = Porch::default();

        for number in 0..=MEMORY {
            porch.remember(&number.to_string(), Page::signed_in());
        }

        assert!(porch.recall("0").is_none());
        assert_eq!(porch.recall("1"), Some(Page::signed_in()));
        assert!(porch.recall("another").is_none());
    }

    #[tokio::test]
    async fn whoever_comes_next_sends_the_one_before_away_and_waits_for_it() {
        let porch = Porch::default();
        let first = porch.enter().await;

        let second = tokio::spawn({
            let porch = porch.clone();
            async move { porch.enter().await }
        });
        first.leave.cancelled().await;
        assert!(!second.is_finished());
        drop(first);

        assert!(!second.await.unwrap().leave.is_cancelled());
    }
}
