//! What every circuit of an outlet shares: what it knows, what it may do, how much at once, and when it must stop.
//! Nothing here is changed by a circuit but the counts of what is in use.

use crate::audit::{Audit, Listing, Refusals, StatementAudit};
use crate::circuit::{Berths, Kind};
use crate::clock::Zone;
use crate::config::{Limits, ServiceConfig};
use crate::grants::Clocks;
use crate::keys::OutletKeys;
use crate::kill::Killed;
use crate::known::Footing;
use crate::postgres::RoleKeeping;
use crate::provider_keys::AskAgain;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tidegate_link::kept::KeptError;
use tidegate_link::{Budget, Doorstep};
use tidegate_proto::event::{EventKind, PortalRefused};
use tidegate_proto::names::{OrgName, ServiceName, Subject};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// What kept portals may hold in memory beyond the quarter of a MiB that each direction has of its own, in bytes: all of
/// them, and those of one person.
const MEMORY: usize = 256 << 20;
const MEMORY_OF_ONE: usize = 32 << 20;

/// One service, as configured, and what stands behind it.
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    /// Where the hours of its policies are counted.
    pub(crate) zone: Zone,
    pub(crate) kind: Kind,
}

impl Service {
    pub(crate) fn new(
        config: ServiceConfig,
        statements: Option<StatementAudit>,
        roles: &RoleKeeping<'_>,
    ) -> Result<Self, KeptError> {
        let kind = Kind::new(&config, statements, roles)?;
        Ok(Self {
            name: config.name,
            zone: config.zone,
            kind,
        })
    }
}

#[cfg(test)]
impl Service {
    /// Nothing stands behind it.
    pub(crate) fn nowhere() -> Arc<Self> {
        let address = "127.0.0.1:1".parse().expect("an address");
        Arc::new(Self {
            name: "echo".parse().expect("a name"),
            zone: Zone::default(),
            kind: Kind::tcp(address),
        })
    }
}

/// Shared by all circuits.
pub(crate) struct Premises {
    pub(crate) org: OrgName,
    pub(crate) keys: Arc<OutletKeys>,
    pub(crate) services: BTreeMap<ServiceName, Arc<Service>>,
    pub(crate) footing: watch::Receiver<Option<Footing>>,
    pub(crate) killed: watch::Receiver<Killed>,
    pub(crate) audit: Audit,
    pub(crate) clocks: Arc<Clocks>,
    pub(crate) ask_again: AskAgain,
    pub(crate) limits: Limits,
    pub(crate) gates: Arc<Gates>,
    pub(crate) berths: Arc<Berths>,
    pub(crate) stop: CancellationToken,
    pub(crate) refusals: Flood,
}

impl Premises {
    /// What holds now.
    pub(crate) fn footing(&self) -> Option<Footing> {
        self.footing.borrow().clone()
    }

    /// Writes a refusal down; in a flood of them, how many there were.
    pub(crate) async fn refused(&self, refused: PortalRefused) {
        let counted = if refused.peer.is_some() {
            &self.refusals.proved
        } else {
            &self.refusals.unproved
        };
        let listing = counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .one(Instant::now());
        let Listing::Write { skipped } = listing else {
            return;
        };
        tracing::info!(service = %refused.service, code = %refused.code, exact = refused.exact, "circuit was refused");
        if skipped > 0 {
            self.record(EventKind::RefusalsNotListed { count: skipped })
                .await;
        }
        self.record(EventKind::PortalRefused(refused)).await;
    }

    /// Writes something down on which nothing depends.
    pub(crate) async fn record(&self, what: EventKind) {
        if let Err(error) = self.audit.record(what).await {
            tracing::error!(%error, "an event was not recorded");
        }
    }
}

/// Refusals of strangers must not crowd out those of people we know.
pub(crate) struct Flood {
    proved: Mutex<Refusals>,
    unproved: Mutex<Refusals>,
}

impl Flood {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            proved: Mutex::new(Refusals::new(now)),
            unproved: Mutex::new(Refusals::new(now)),
        }
    }

    /// What was left out and not said yet.
    pub(crate) fn unsaid(&self) -> u64 {
        let unsaid = |refusals: &Mutex<Refusals>| {
            refusals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .unsaid()
        };
        unsaid(&self.proved) + unsaid(&self.unproved)
    }
}

/// How much at once.
pub(crate) struct Gates {
    pub(crate) circuits: Arc<Semaphore>,
    /// Strangers; when there are too many the oldest one leaves.
    pub(crate) doorstep: Arc<Doorstep>,
    pub(crate) warm: Arc<Semaphore>,
    per_person: usize,
    persons: Mutex<HashMap<Subject, InUse>>,
    memory: Arc<Budget>,
}

/// What one person uses.
struct InUse {
    circuits: usize,
    memory: Arc<Budget>,
}

impl Gates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            circuits: Arc::new(Semaphore::new(limits.circuits)),
            doorstep: Doorstep::new(limits.unproven),
            warm: Arc::new(Semaphore::new(limits.warm)),
            per_person: limits.per_person,
            persons: Mutex::default(),
            memory: Budget::new(MEMORY),
        }
    }

    /// A place for one more circuit of this person, given back when it is dropped.
    pub(crate) fn person(self: &Arc<Self>, sub: &Subject) -> Option<PersonSlot> {
        let mut persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = persons.entry(sub.clone()).or_insert_with(|| InUse {
            circuits: 0,
            memory: self.memory.part(MEMORY_OF_ONE),
        });
        if in_use.circuits >= self.per_person {
            return None;
        }
        in_use.circuits += 1;
        Some(PersonSlot {
            gates: Arc::clone(self),
            sub: sub.clone(),
        })
    }

    /// What all portals of this person may hold in memory together.
    pub(crate) fn memory(&self, sub: &Subject) -> Arc<Budget> {
        let persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = persons.get(sub).map(|in_use| Arc::clone(&in_use.memory));
        of_one.unwrap_or_else(|| self.memory.part(MEMORY_OF_ONE))
    }

    /// Nothing is in use.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.doorstep.crowd() == 0
            && self
                .persons
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty()
    }
}

/// One circuit of a person.
pub(crate) struct PersonSlot {
    gates: Arc<Gates>,
    sub: Subject,
}

impl Drop for PersonSlot {
    fn drop(&mut self) {
        let mut persons = self
            .gates
            .persons
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(in_use) = persons.get_mut(&self.sub) {
            in_use.circuits -= 1;
            if in_use.circuits == 0 {
                persons.remove(&self.sub);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_person_cannot_take_every_place() {
        let gates = Arc::new(Gates::new(&Limits {
            per_person: 2,
            ..Limits::default()
        }));
        let (ana, bob) = ("ana".parse().unwrap(), "bob".parse().unwrap());

        let held: Vec<_> = (0..2).map(|_| gates.person(&ana).unwrap()).collect();

        assert!(gates.person(&ana).is_none());
        drop(gates.person(&bob).unwrap());
        drop(held);
        assert!(gates.is_idle());
    }
}
