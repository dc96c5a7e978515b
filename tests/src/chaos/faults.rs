//! What goes wrong, in which order and for how long: all of it follows from one seed, before anything is played.
//! Two lanes run beside each other, wires and programs, each in its own order: a relay dies while packets are being lost.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chance::Chance;

/// After this many faults it is looked whether all goes on.
pub(super) const ROUND: usize = 25;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Cut,
    Unplugged,
    Lossy,
    Slow,
    Doubled,
    Reordered,
    Corrupted,
    Forged,
    Moved,
    RelayKilled,
    RelayDrained,
    HubKilled,
    OutletKilled,
    AgentFrozen,
    RelayFrozen,
    HubFrozen,
    OutletFrozen,
}

/// With how often it is drawn, in proportion to the others.
const KINDS: [(Kind, u64); 17] = [
    (Kind::Cut, 8),
    (Kind::Unplugged, 4),
    (Kind::Lossy, 5),
    (Kind::Slow, 4),
    (Kind::Doubled, 4),
    (Kind::Reordered, 4),
    (Kind::Corrupted, 4),
    (Kind::Forged, 4),
    (Kind::Moved, 5),
    (Kind::RelayKilled, 9),
    (Kind::RelayDrained, 3),
    (Kind::HubKilled, 7),
    (Kind::OutletKilled, 1),
    (Kind::AgentFrozen, 6),
    (Kind::RelayFrozen, 5),
    (Kind::HubFrozen, 4),
    (Kind::OutletFrozen, 5),
];

impl Kind {
    /// Whether it befalls a wire, which only namespaces have.
    #[must_use]
    pub fn is_of_wires(self) -> bool {
        self <= Self::Moved
    }

    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Cut => "the laptop's line is cut",
            Self::Unplugged => "the outlet's cable is pulled",
            Self::Lossy => "packets are lost",
            Self::Slow => "packets take long, on a thin line",
            Self::Doubled => "packets come twice",
            Self::Reordered => "packets come in another order",
            Self::Corrupted => "a bit of a packet is turned",
            Self::Forged => "words of a packet change places, unnoticed by TCP",
            Self::Moved => "the laptop has another address",
            Self::RelayKilled => "the relay is killed",
            Self::RelayDrained => "the relay is asked to end, and started again",
            Self::HubKilled => "the hub and its relay are killed",
            Self::OutletKilled => "the outlet is killed (its portals end)",
            Self::AgentFrozen => "the agent sleeps",
            Self::RelayFrozen => "the relay sleeps",
            Self::HubFrozen => "the hub sleeps",
            Self::OutletFrozen => "the outlet sleeps",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    pub kind: Kind,
    /// From the end of the one before, in its lane.
    pub after: Duration,
    pub lasts: Duration,
    /// 0 to 1: how bad a line gets.
    pub strength: f64,
}

/// The faults of a seed, in order.
#[must_use]
pub fn schedule(seed: u64, count: usize, has_wires: bool) -> Vec<Fault> {
    let mut chance = Chance::of(seed);
    let kinds: Vec<_> = KINDS
        .into_iter()
        .filter(|(kind, _)| has_wires || !kind.is_of_wires())
        .collect();
    (0..count)
        .map(|_| Fault {
            kind: drawn(&kinds, &mut chance),
            after: Duration::from_millis(chance.between(50, 700)),
            lasts: lasts(&mut chance),
            strength: chance.part(),
        })
        .collect()
}

fn drawn(kinds: &[(Kind, u64)], chance: &mut Chance) -> Kind {
    let all: u64 = kinds.iter().map(|(_, weight)| weight).sum();
    let mut left = chance.below(all);
    for (kind, weight) in kinds {
        match left.checked_sub(*weight) {
            None => return *kind,
            Some(rest) => left = rest,
        }
    }
    Kind::Cut
}

/// Most are over soon, some outlast the patience of every timer between agent and outlet.
fn lasts(chance: &mut Chance) -> Duration {
    let most = [100, 400, 1_500, 5_000][chance.below(4) as usize];
    Duration::from_millis(chance.between(20, most))
}

/// How many of each.
#[must_use]
pub fn counted(faults: &[Fault]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for fault in faults {
        *counts.entry(fault.kind).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_one_others() {
        assert_eq!(schedule(7, 200, true), schedule(7, 200, true));
        assert_ne!(schedule(7, 200, true), schedule(8, 200, true));
        assert_eq!(schedule(7, 200, true)[..50], schedule(7, 50, true));
    }

    #[test]
    fn a_thousand_faults_are_of_every_kind() {
        assert_eq!(counted(&schedule(1, 1_000, true)).len(), KINDS.len());
    }

    #[test]
    fn where_there_is_no_wire_none_is_harmed() {
        let faults = schedule(1, 1_000, false);

        assert!(faults.iter().all(|fault| !fault.kind.is_of_wires()));
    }
}
