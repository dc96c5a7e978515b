//! `status --follow --json`: what changed, one JSON object a line.
//! The first line is the whole truth; who starts reading there and applies each line has the whole truth again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{Org, Service, Status, Trouble};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    /// Seconds since 1970, UTC.
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// What changed. `…_gone`: it is not there any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The first line: everything.
    Status {
        status: Box<Status>,
    },
    Joining {
        joining: bool,
    },
    Org {
        org: Org,
    },
    OrgGone {
        org: String,
    },
    Service {
        service: Box<Service>,
    },
    ServiceGone {
        org: String,
        service: String,
    },
    Problem {
        problem: Trouble,
    },
    ProblemGone {
        problem: Trouble,
    },
    /// The agent has ended; nothing follows.
    Ended,
}

/// The events that lead from one truth to the next.
pub(crate) fn between(before: &Status, after: &Status) -> Vec<Event> {
    let mut events = Vec::new();
    if before.joining != after.joining {
        let joining = after.joining;
        events.push(Event::Joining { joining });
    }
    for org in after.orgs.iter().filter(|org| !before.orgs.contains(org)) {
        events.push(Event::Org { org: org.clone() });
    }
    let is_gone = |org: &&Org| !after.orgs.iter().any(|other| other.name == org.name);
    for org in before.orgs.iter().filter(is_gone) {
        let org = org.name.clone();
        events.push(Event::OrgGone { org });
    }
    let changed = |service: &&Service| !before.services.contains(service);
    for service in after.services.iter().filter(changed) {
        let service = Box::new(service.clone());
        events.push(Event::Service { service });
    }
    let place = |service: &Service| (service.org.clone(), service.name.clone());
    for service in &before.services {
        let (org, name) = place(service);
        if !after
            .services
            .iter()
            .any(|other| place(other) == (org.clone(), name.clone()))
        {
            events.push(Event::ServiceGone { org, service: name });
        }
    }
    let new = |problem: &&Trouble| !before.problems.contains(problem);
    for problem in after.problems.iter().filter(new) {
        let problem = problem.clone();
        events.push(Event::Problem { problem });
    }
    let over = |problem: &&Trouble| !after.problems.contains(problem);
    for problem in before.problems.iter().filter(over) {
        let problem = problem.clone();
        events.push(Event::ProblemGone { problem });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::samples::two_orgs;

    #[test]
    fn what_did_not_change_is_not_told() {
        let status = Status::of(&two_orgs());

        assert_eq!(between(&status, &status), []);
    }

    #[test]
    fn each_change_is_one_line_with_its_new_value() {
        let before = Status::of(&two_orgs());
        let mut after = before.clone();
        after.orgs.remove(1);
        after.services[0].programs += 1;
        let gone = after.services.pop();
        let cured = after.problems.pop();

        let events = between(&before, &after);

        let gone = gone.map(|gone| Event::ServiceGone {
            org: gone.org,
            service: gone.name,
        });
        let expected: Vec<_> = [
            Some(Event::OrgGone { org: "beta".into() }),
            Some(Event::Service {
                service: Box::new(after.services[0].clone()),
            }),
            gone,
            cured.map(|problem| Event::ProblemGone { problem }),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert_eq!(events, expected);
        let line = Line {
            at: 1,
            event: events[0].clone(),
        };
        assert_eq!(
            serde_json::to_string(&line).ok().as_deref(),
            Some(r#"{"at":1,"event":"org_gone","org":"beta"}"#)
        );
    }
}
