//! Who gets which port, as a function of who wants what and what was given before. Nothing in here looks at the machine.
//! Order: the person's word, what was given for the same wish before, the catalogue's word by name; whoever comes too late gets a port of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::Given;
use crate::ServiceRef;

/// Where ports of those who came too late are.
const OTHERS: RangeInclusive<u16> = 15_000..=19_999;

/// What a service should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) port: u16,
    pub(super) is_the_persons: bool,
}

pub(super) fn settle(
    wishes: &BTreeMap<ServiceRef, Wish>,
    before: &BTreeMap<ServiceRef, Given>,
) -> BTreeMap<ServiceRef, Given> {
    let mut settled = Settled {
        wished: wishes.values().map(|wish| wish.port).collect(),
        ..Settled::default()
    };
    for (service, wish) in wishes.iter().filter(|(_, wish)| wish.is_the_persons) {
        settled.give(service, *wish, wish.port);
    }
    for (service, wish) in wishes {
        if let Some(given) = before
            .get(service)
            .filter(|given| given.wanted == wish.port)
        {
            settled.give(service, *wish, given.port);
        }
    }
    for (service, wish) in wishes {
        settled.give(service, *wish, wish.port);
    }
    for (service, wish) in wishes {
        settled.give_another(service, *wish);
    }
    settled.given
}

#[derive(Default)]
struct Settled {
    given: BTreeMap<ServiceRef, Given>,
    taken: BTreeSet<u16>,
    wished: BTreeSet<u16>,
}

impl Settled {
    fn give(&mut self, service: &ServiceRef, wish: Wish, port: u16) {
        if !self.given.contains_key(service) && self.taken.insert(port) {
            let wanted = wish.port;
            self.given.insert(service.clone(), Given { wanted, port });
        }
    }

    fn give_another(&mut self, service: &ServiceRef, wish: Wish) {
        let is_nobodys = |port: &u16| !self.taken.contains(port) && !self.wished.contains(port);
        // Five thousand services would have to be there for this to find none.
        if let Some(port) = candidates(service).find(is_nobodys) {
            self.give(service, wish, port);
        }
    }
}

/// Ports for a service that cannot have the one it wants: from a place of its own, one after the other, around.
pub(super) fn candidates(service: &ServiceRef) -> impl Iterator<Item = u16> {
    let count = u32::from(OTHERS.end() - OTHERS.start()) + 1;
    let first = fnv(service.to_string().as_bytes()) % count;
    (0..count).filter_map(move |step| {
        let place = (first + step) % count;
        Some(OTHERS.start() + u16::try_from(place).ok()?)
    })
}

/// FNV-1a: the same on every machine and in every version, which the standard library's hasher is not.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wishes(wanted: &[(&str, u16)]) -> BTreeMap<ServiceRef, Wish> {
        let wish = |port| Wish {
            port,
            is_the_persons: false,
        };
        wanted
            .iter()
            .map(|(service, port)| (service.parse().unwrap(), wish(*port)))
            .collect()
    }

    #[test]
    fn the_place_of_a_service_never_changes() {
        let first = |service: &str| candidates(&service.parse().unwrap()).next();

        // Written down: a version that moves them breaks what people have saved.
        assert_eq!(
            [first("acme/warehouse"), first("beta/warehouse")],
            [Some(19_027), Some(15_963)]
        );
    }

    #[test]
    fn five_hundred_services_that_want_the_same_port_all_get_one_of_their_own() {
        let names: Vec<String> = (0..500)
            .map(|number| format!("acme/s{number:03}"))
            .collect();
        let wanted: Vec<_> = names.iter().map(|name| (name.as_str(), 15432)).collect();

        let settled = settle(&wishes(&wanted), &BTreeMap::new());

        let ports: BTreeSet<u16> = settled.values().map(|given| given.port).collect();
        assert_eq!((settled.len(), ports.len()), (500, 500));
        assert_eq!(settled[&"acme/s000".parse().unwrap()].port, 15432);
        assert_eq!(settle(&wishes(&wanted), &settled), settled);
        assert_eq!(settle(&wishes(&wanted), &BTreeMap::new()), settled);
    }

    #[test]
    fn nobody_loses_a_port_it_may_have_to_somebody_who_came_too_late() {
        let late = candidates(&"acme/b".parse().unwrap()).next().unwrap();
        let wanted = [("acme/a", 15432), ("acme/b", 15432), ("acme/c", late)];

        let settled = settle(&wishes(&wanted), &BTreeMap::new());

        assert_eq!(settled[&"acme/c".parse().unwrap()].port, late);
        assert_ne!(settled[&"acme/b".parse().unwrap()].port, late);
    }
}
