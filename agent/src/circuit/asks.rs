//! How this device stands with services that have to be asked for: what it may present, and what whoever waits is waiting for.
//! It decides nothing: a grant in here is only something to show to an outlet, which judges it by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_proto::grant::Grant;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::GrantId;

use crate::inlet::host::Awaited;

/// All services of which that is known.
#[derive(Clone, Default)]
pub(crate) struct Asks {
    services: BTreeMap<ServiceName, Ask>,
    /// What an outlet did not believe: somebody who may come in without it must not be kept out by it.
    doubted: BTreeSet<GrantId>,
}

/// One service.
#[derive(Clone)]
pub(crate) enum Ask {
    /// The outlet said that somebody has to approve; nobody was asked.
    Needed,
    Waiting(GrantId),
    Granted(Arc<Grant>),
    /// How the last one ended.
    Over(GrantId, Problem),
}

impl Ask {
    fn id(&self) -> Option<GrantId> {
        match self {
            Self::Needed => None,
            Self::Waiting(id) | Self::Over(id, _) => Some(*id),
            Self::Granted(grant) => Some(grant.id()),
        }
    }
}

/// What came of waiting.
pub(crate) enum Came {
    /// There is something new to show.
    Granted,
    Refused(Problem),
}

impl Asks {
    pub(crate) fn granted(&self, service: &ServiceName) -> Option<&Arc<Grant>> {
        match self.services.get(service) {
            Some(Ask::Granted(grant)) if !self.doubted.contains(&grant.id()) => Some(grant),
            _ => None,
        }
    }

    /// An outlet did not admit whoever presented this: it is presented no more. Says whether that is news.
    pub(crate) fn doubt(&mut self, grant: GrantId) -> bool {
        self.doubted.insert(grant)
    }

    /// Which grant a circuit to the service should stand on.
    pub(crate) fn granted_id(&self, service: &ServiceName) -> Option<GrantId> {
        self.granted(service).map(|grant| grant.id())
    }

    /// It was not the grant that kept somebody out.
    pub(crate) fn trust(&mut self, grant: GrantId) -> bool {
        self.doubted.remove(&grant)
    }

    /// Notes the outlet's word. Says whether that is news.
    pub(crate) fn need(&mut self, service: &ServiceName) -> bool {
        let unknown = !self.services.contains_key(service);
        if unknown {
            self.services.insert(service.clone(), Ask::Needed);
        }
        unknown
    }

    /// How things are by the hub's word. Says whether anything changed.
    pub(crate) fn settle(&mut self, mut all: BTreeMap<ServiceName, Ask>) -> bool {
        for (service, ask) in &self.services {
            if matches!(ask, Ask::Needed) {
                all.entry(service.clone()).or_insert(Ask::Needed);
            }
        }
        let same = self.services.len() == all.len()
            && self.services.iter().all(|(service, ask)| {
                let other = all.get(service);
                other.is_some_and(|other| {
                    std::mem::discriminant(ask) == std::mem::discriminant(other)
                        && ask.id() == other.id()
                })
            });
        if !same {
            let known: BTreeSet<_> = all.values().filter_map(Ask::id).collect();
            self.doubted.retain(|id| known.contains(id));
            self.services = all;
        }
        !same
    }

    /// What whoever waits since `before` learns now; nothing while it has to wait on.
    pub(crate) fn since(&self, before: &Self, service: &ServiceName) -> Option<Came> {
        let (now, then) = (self.services.get(service)?, before.services.get(service));
        if then.and_then(Ask::id) == now.id() && !matches!(then, Some(Ask::Waiting(_))) {
            return None;
        }
        match now {
            Ask::Needed | Ask::Waiting(_) => None,
            Ask::Granted(_) => Some(Came::Granted),
            Ask::Over(_, problem) => Some(Came::Refused(problem.clone())),
        }
    }

    /// What a program is told while it waits.
    pub(crate) fn awaited(&self, service: &ServiceName) -> Option<Awaited> {
        match self.services.get(service)? {
            Ask::Needed | Ask::Over(..) => Some(Awaited::Request),
            Ask::Waiting(_) => Some(Awaited::Approval),
            Ask::Granted(grant) if self.doubted.contains(&grant.id()) => Some(Awaited::Request),
            Ask::Granted(_) => None,
        }
    }
}

/// Whether an approval could help where the outlet said this.
pub(crate) fn waits_for_approval(code: Code) -> bool {
    matches!(
        code,
        Code::AskFirst | Code::GrantOver | Code::GrantTakenBack
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::statement::StatementHash;

    use super::*;

    fn warehouse() -> ServiceName {
        "warehouse".parse().unwrap()
    }

    fn asks(ask: Ask) -> Asks {
        Asks {
            services: [(warehouse(), ask)].into(),
            doubted: BTreeSet::new(),
        }
    }

    fn grant(text: &str) -> Ask {
        Ask::Granted(Arc::new(Grant {
            request: text.into(),
            seal: String::new(),
            approvals: Vec::new(),
        }))
    }

    fn over(n: u8) -> Ask {
        Ask::Over(StatementHash([n; 32]), Problem::new(Code::RequestDenied))
    }

    #[test]
    fn whoever_waits_goes_on_with_a_new_grant_and_never_with_the_one_that_was_refused() {
        let service = warehouse();
        let waiting = asks(Ask::Waiting(StatementHash([1; 32])));
        let came = |now: &Asks, before: &Asks| match now.since(before, &service) {
            None => "nothing",
            Some(Came::Granted) => "granted",
            Some(Came::Refused(_)) => "refused",
        };

        assert_eq!(came(&asks(grant("a")), &Asks::default()), "granted");
        assert_eq!(came(&asks(grant("a")), &waiting), "granted");
        assert_eq!(came(&asks(grant("a")), &asks(grant("a"))), "nothing");
        assert_eq!(came(&asks(grant("b")), &asks(grant("a"))), "granted");
        assert_eq!(came(&waiting, &Asks::default()), "nothing");
        assert_eq!(came(&asks(over(1)), &waiting), "refused");
        assert_eq!(came(&asks(over(1)), &asks(over(1))), "nothing", "old news");
        assert_eq!(came(&asks(over(2)), &asks(over(1))), "refused");
    }

    #[test]
    fn what_an_outlet_did_not_believe_is_not_shown_again_and_what_follows_it_is() {
        let service = warehouse();
        let mut all = asks(grant("a"));
        let id = all.granted_id(&service).unwrap();

        assert!(all.doubt(id));
        assert!(!all.doubt(id));
        assert_eq!(all.granted_id(&service), None);
        assert_eq!(all.awaited(&service), Some(Awaited::Request));
        assert!(all.settle([(service.clone(), grant("b"))].into()));
        assert!(all.granted_id(&service).is_some());
    }

    #[test]
    fn the_outlets_word_stays_until_the_hub_says_more() {
        let mut all = Asks::default();

        assert!(all.need(&warehouse()));
        assert!(!all.need(&warehouse()));
        assert!(!all.settle(BTreeMap::new()));
        assert_eq!(all.awaited(&warehouse()), Some(Awaited::Request));
        let waiting = Ask::Waiting(StatementHash([1; 32]));
        assert!(all.settle([(warehouse(), waiting.clone())].into()));
        assert!(!all.settle([(warehouse(), waiting)].into()));
        assert_eq!(all.awaited(&warehouse()), Some(Awaited::Approval));
    }
}
