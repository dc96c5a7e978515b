//! What an outlet remembers about grants: when each was first used, and which were taken back.
//! Whoever keeps it must have it on disk before a use counts: a clock that starts twice gives the time twice.

use crate::{statement::GrantId, time::UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Grants that were used or taken back, each until it could not be used any more anyway.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    used: BTreeMap<GrantId, Kept>,
    taken_back: BTreeMap<GrantId, UnixTime>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    first: UnixTime,
    /// Not forgotten before.
    until: UnixTime,
}

impl Grants {
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

    /// Notes a use, here or at another outlet: the earliest one counts. Says whether anything changed.
    /// It is remembered until `until`, when nothing can be done with the grant any more.
    pub fn used(&mut self, grant: GrantId, at: UnixTime, until: UnixTime) -> bool {
        let before = self.used.get(&grant).copied();
        let kept = self.used.entry(grant).or_insert(Kept { first: at, until });
        kept.first = kept.first.min(at);
        kept.until = kept.until.max(until);
        before != Some(*kept)
    }

    /// Takes back a use that came to nothing.
    pub fn unuse(&mut self, grant: GrantId) {
        self.used.remove(&grant);
    }

    /// All uses: grant, first use, and until when it matters.
    pub fn uses(&self) -> impl Iterator<Item = (GrantId, UnixTime, UnixTime)> {
        let one = |(grant, kept): (&GrantId, &Kept)| (*grant, kept.first, kept.until);
        self.used.iter().map(one)
    }

    /// Notes that a grant was taken back. Says whether that is new.
    pub fn take_back(&mut self, grant: GrantId, until: UnixTime) -> bool {
        let known = self.taken_back.entry(grant).or_default();
        let new = *known < until;
        *known = until.max(*known);
        new
    }

    /// Forgets what is over.
    pub fn forget(&mut self, now: UnixTime) {
        self.used.retain(|_, kept| !kept.until.has_ended(now));
        self.taken_back.retain(|_, until| !until.has_ended(now));
    }
}
