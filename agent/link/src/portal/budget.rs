//! How much portals that outlive their circuits may hold in memory together: of one person, and in one process.
//! A little is everybody's own and is not counted: a portal never stops because others hold much.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What several portals share.
pub struct Budget {
    most: usize,
    used: AtomicUsize,
    above: Option<Arc<Self>>,
}

impl Budget {
    /// So many bytes in all.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            used: AtomicUsize::new(0),
            above: None,
        })
    }

    /// At most so many bytes of this one.
    #[must_use]
    pub fn part(self: &Arc<Self>, most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            used: AtomicUsize::new(0),
            above: Some(Arc::clone(self)),
        })
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        let order = Ordering::Relaxed;
        if self.used.fetch_update(order, order, more).is_err() {
            return false;
        }
        let above = self.above.as_ref().is_none_or(|above| above.take(bytes));
        if !above {
            self.used.fetch_sub(bytes, order);
        }
        above
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(above) = &self.above {
            above.give(bytes);
        }
    }
}

/// What one direction of a portal holds of a budget, beyond what is its own. Given back when it is dropped.
pub(super) struct Share {
    budget: Arc<Budget>,
    own: usize,
    counted: usize,
}

impl Share {
    pub(super) fn new(budget: &Arc<Budget>, own: usize) -> Self {
        Self {
            budget: Arc::clone(budget),
            own,
            counted: 0,
        }
    }

    /// Whether so many bytes may be held from now on. If not, it stays at what it was.
    pub(super) fn holds(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(self.own);
        if wanted > self.counted {
            if !self.budget.take(wanted - self.counted) {
                return false;
            }
        } else if wanted < self.counted {
            self.budget.give(self.counted - wanted);
        }
        self.counted = wanted;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give(self.counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_their_part_and_everything_comes_back() {
        let all = Budget::new(100);
        let (ana, ben) = (all.part(60), all.part(60));
        let (mut first, mut second) = (Share::new(&ana, 10), Share::new(&ana, 10));
        let mut third = Share::new(&ben, 10);

        assert!(first.holds(50) && second.holds(30));
        assert!(!second.holds(31), "beyond ana's part");
        assert!(third.holds(50) && !third.holds(51), "beyond the whole");
        assert_eq!((all.used(), ana.used(), ben.used()), (100, 60, 40));
        assert!(first.holds(5) && third.holds(51));
        assert_eq!((all.used(), ana.used(), ben.used()), (61, 20, 41));

        drop((first, second, third));
        assert_eq!((all.used(), ana.used(), ben.used()), (0, 0, 0));
    }
}
