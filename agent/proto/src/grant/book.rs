//! What an outlet remembers about grants: when each was first used, and which were taken back.
//! How long is fixed here and by no rule: rules change, and a grant that was forgotten under one would live again under the next.

use crate::{
    policy::Terms,
    statement::{Extent, GrantId},
    time::{SKEW, UnixTime},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Grants that were used or taken back, each until no rule could make anything of it any more.
/// Whoever keeps it must have it on disk before a use counts: a clock that starts twice gives the time twice.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    used: BTreeMap<GrantId, Kept>,
    taken_back: BTreeMap<GrantId, UnixTime>,
    /// More was told than is remembered: what was complete before then counts no more.
    #[serde(default)]
    floor: UnixTime,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    first: UnixTime,
    /// Not forgotten before.
    until: UnixTime,
}

impl Grants {
    /// So long after it was heard of no grant can be used, whatever the rules say, in seconds: the longest claim window,
    /// the longest work window, and a day.
    pub const KEPT: u64 = Terms::LONGEST_CLAIM + Extent::LONGEST + 86_400;
    /// Most grants that are remembered one by one; beyond, the floor takes their place.
    pub const MAX: usize = 20_000;

    /// When a grant was first used, as far as is known here.
    #[must_use]
    pub fn first_use(&self, grant: GrantId) -> Option<UnixTime> {
        self.used.get(&grant).map(|kept| kept.first)
    }

    /// Whether somebody took it back.
    #[must_use]
    pub fn is_taken_back(&self, grant: GrantId) -> bool {
        self.taken_back.contains_key(&grant)
    }

    /// Whether a grant that was complete then may be one of those that are not remembered one by one.
    #[must_use]
    pub fn is_below_the_floor(&self, complete: UnixTime) -> bool {
        complete < self.floor
    }

    /// Notes a use at `at`, here or at another outlet: the earliest one counts. Says whether anything changed.
    pub fn used(&mut self, grant: GrantId, at: UnixTime, now: UnixTime) -> bool {
        let before = self.used.get(&grant).copied();
        let until = now.plus(Self::KEPT);
        let kept = self.used.entry(grant).or_insert(Kept { first: at, until });
        kept.first = kept.first.min(at);
        let changed = before != Some(*kept);
        self.bound(now);
        changed
    }

    /// Takes back a use at `at` that came to nothing. An earlier one, told meanwhile by somebody else, stands.
    pub fn unuse(&mut self, grant: GrantId, at: UnixTime) {
        if self.first_use(grant) == Some(at) {
            self.used.remove(&grant);
        }
    }

    /// All uses: grant, first use, and until when it is remembered.
    pub fn uses(&self) -> impl Iterator<Item = (GrantId, UnixTime, UnixTime)> {
        let one = |(grant, kept): (&GrantId, &Kept)| (*grant, kept.first, kept.until);
        self.used.iter().map(one)
    }

    /// Notes that a grant was taken back. Says whether that is new.
    pub fn take_back(&mut self, grant: GrantId, now: UnixTime) -> bool {
        if self.is_taken_back(grant) {
            return false;
        }
        self.taken_back.insert(grant, now.plus(Self::KEPT));
        self.bound(now);
        true
    }

    /// Forgets what nothing can be made of any more. `beacon` is when the newest fresh beacon was made: a clock that
    /// jumps ahead, and that nobody confirms, makes nothing be forgotten.
    pub fn forget(&mut self, beacon: UnixTime) {
        self.used.retain(|_, kept| !kept.until.has_ended(beacon));
        self.taken_back.retain(|_, until| !until.has_ended(beacon));
    }

    /// Too many to remember: forgetting one would let somebody back in, letting nobody in with an older grant does not.
    fn bound(&mut self, now: UnixTime) {
        if self.used.len() + self.taken_back.len() > Self::MAX {
            self.floor = self.floor.max(now.plus(SKEW));
            self.used.clear();
            self.taken_back.clear();
        }
    }
}
