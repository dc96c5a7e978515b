//! Requests for access as the window shows them: what waits for me, what I asked for and hold, what I let others have.
//! A newcomer would offer any length of time: there is a ceiling on what can be asked for, and nobody can give more than was asked for.

pub mod words;

use serde::{Deserialize, Serialize};
use tidegate_agent::{
    AccountView, Action, Decision, OrgSnapshot, RequestAt, RequestShown, ServiceRef, ServiceView,
};
use tidegate_proto::names::OrgName;
use tidegate_proto::time::UnixTime;
use ts_rs::TS;

use crate::scene::Scene;
use crate::time_left::time_left;

/// What people ask for, in seconds; what a ceiling allows beside them is added.
const USUAL_TIMES: [u64; 9] = [
    15 * 60,
    30 * 60,
    3_600,
    2 * 3_600,
    4 * 3_600,
    8 * 3_600,
    24 * 3_600,
    3 * 24 * 3_600,
    7 * 24 * 3_600,
];
/// Choices in a row; more are no help.
const TIMES_SHOWN: usize = 6;
/// Ended requests of one's own that are still shown.
const ENDED_SHOWN: usize = 3;

/// The three lists of one org.
#[derive(Clone, Debug, PartialEq, Default, Serialize, TS)]
pub struct Access {
    /// Waits for this person's decision.
    pub waiting: Vec<AccessRequest>,
    /// What this person asked for: open ones, then the last that ended.
    pub own: Vec<AccessRequest>,
    /// What others hold now.
    pub given: Vec<AccessRequest>,
    /// Somebody broke the glass, and this person has not said that they saw it: whatever has become of it since.
    pub alarms: Vec<AccessRequest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct AccessRequest {
    pub id: String,
    /// The name of the service.
    pub service: String,
    /// Who asks.
    pub by: String,
    /// In their words.
    pub reason: String,
    /// `2 h, read-only`: what was asked for.
    pub wanted: String,
    #[ts(type = "number")]
    pub asked: UnixTime,
    /// Asked for on this computer, the only one that may use it.
    pub here: bool,
    pub read_only: bool,
    /// Break-glass.
    pub emergency: bool,
    /// It is to follow one that is held.
    pub more: bool,
    /// `Seen by bob@acme.example`, and how many have approved.
    pub progress: Vec<String>,
    /// What can be given, shortest first; or, of what is held, how much more can be asked for.
    pub times: Vec<Time>,
    pub state: AccessState,
}

/// A length of time to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Time {
    #[ts(type = "number")]
    pub seconds: u64,
    pub label: String,
    /// Chosen unless somebody chooses another.
    pub usual: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AccessState {
    /// For a decision.
    Waiting { left: String },
    /// Approved and not used yet: `gives` counts from the first use.
    Unused { gives: String, left: String },
    InUse {
        left: String,
        #[ts(type = "number")]
        until: UnixTime,
    },
    /// It did not come to be, or is over: a sentence.
    Ended { how: String },
}

/// The form that asks, as the window draws it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct AskSheet {
    /// `acme/warehouse`
    #[ts(type = "string")]
    pub service: ServiceRef,
    pub name: String,
    /// The request that more time is asked for.
    pub more: Option<String>,
    pub times: Vec<Time>,
    /// Who decides.
    pub who: String,
}

/// What the form in the window is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum AskFor {
    /// A service of the org, by its name.
    Service { service: String },
    /// More time for what is held.
    More { request: String },
}

/// What a person can do about requests. The ids come from the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccessAct {
    Extend {
        request: String,
        #[ts(type = "number | null")]
        seconds: Option<u64>,
        reason: String,
    },
    Withdraw {
        request: String,
    },
    Approve {
        request: String,
        #[ts(type = "number | null")]
        seconds: Option<u64>,
        read_only: bool,
    },
    Deny {
        request: String,
        because: String,
    },
    /// Gives back one's own, or ends what somebody else holds.
    TakeBack {
        request: String,
        because: String,
    },
    /// They are on a screen that somebody looks at.
    Saw {
        requests: Vec<String>,
    },
}

impl AccessAct {
    pub fn action(self, org: OrgName) -> Action {
        match self {
            Self::Extend {
                request,
                seconds,
                reason,
            } => Action::Extend {
                org,
                request,
                seconds,
                reason,
            },
            Self::Withdraw { request } => Action::Withdraw { org, request },
            Self::Approve {
                request,
                seconds,
                read_only,
            } => {
                let decision = Decision::Approve { seconds, read_only };
                Action::Decide {
                    org,
                    request,
                    decision,
                }
            }
            Self::Deny { request, because } => Action::Decide {
                org,
                request,
                decision: Decision::Deny { because },
            },
            Self::TakeBack { request, because } => Action::TakeBack {
                org,
                request,
                because,
            },
            Self::Saw { requests } => Action::SawRequests {
                org,
                requests,
                printed: false,
            },
        }
    }
}

pub fn access(scene: &Scene<'_>, org: &OrgSnapshot) -> Access {
    // Signed out, nothing of it can be answered, and what is known may be old.
    if !matches!(org.account, AccountView::SignedIn { .. }) {
        return Access::default();
    }
    let shown = |request| request_view(org, request, scene.now);
    let own = || org.requests.iter().filter(|request| request.mine);
    let ended = own().filter(|request| !is_open(request)).take(ENDED_SHOWN);
    let others = org.requests.iter().filter(|request| !request.mine);
    let held = |request: &&RequestShown| matches!(request.state, RequestAt::Granted { .. });
    Access {
        waiting: waits_for_me(org).map(shown).collect(),
        own: own()
            .filter(|request| is_open(request))
            .chain(ended)
            .map(shown)
            .collect(),
        given: others.filter(held).map(shown).collect(),
        alarms: alarms(org).map(shown).collect(),
    }
}

/// What waits for this person's decision.
pub fn waits_for_me(org: &OrgSnapshot) -> impl Iterator<Item = &RequestShown> {
    let waits = |request: &&RequestShown| {
        request.yours && matches!(request.state, RequestAt::Waiting { .. })
    };
    org.requests.iter().filter(waits)
}

/// Something that was asked for here and still stands.
pub fn stands<'a>(org: &'a OrgSnapshot, service: &ServiceView) -> Option<&'a RequestShown> {
    let about = |request: &&RequestShown| {
        request.here && is_open(request) && request.service == service.name
    };
    org.requests.iter().find(about)
}

/// Whether it has to be asked for before anything goes through.
pub fn must_ask(org: &OrgSnapshot, service: &ServiceView) -> bool {
    service.askable.is_some() && stands(org, service).is_none()
}

/// What is held on this computer, once its end is near enough to ask for more.
pub fn extendable(service: &ServiceView) -> Option<&str> {
    let grant = service.grant.as_ref()?;
    let is_due = grant.warning.is_some() && words::more(grant.follower).is_some();
    is_due.then_some(grant.request.as_str())
}

/// `None` where no form is open here, or what it was about cannot be asked for any more.
pub fn ask_sheet(scene: &Scene<'_>, org: &OrgSnapshot) -> Option<AskSheet> {
    let (_, what) = scene
        .notes
        .ask_for
        .as_ref()
        .filter(|(of, _)| *of == org.name)?;
    let (name, more) = match what {
        AskFor::Service { service } => (service.as_str(), None),
        AskFor::More { request } => {
            let held = org.requests.iter().find(|held| held.id == *request)?;
            let is_held = matches!(held.state, RequestAt::Granted { .. });
            (
                held.service.as_str(),
                Some(request.clone()).filter(|_| is_held),
            )
        }
    };
    let mut services = org.services.iter();
    let service = services.find(|service| service.name.as_str() == name)?;
    let askable = service.askable?;
    Some(AskSheet {
        service: org.service_ref(service),
        name: name.to_owned(),
        more,
        times: times(askable.longest, askable.usual),
        who: words::who_decides(askable.approvals),
    })
}

/// What others took in an emergency and this person has not seen.
pub fn alarms(org: &OrgSnapshot) -> impl Iterator<Item = &RequestShown> {
    org.requests.iter().filter(|request| is_alarm(request))
}

/// One that still waits for this person's decision is asked about instead.
pub fn is_alarm(request: &RequestShown) -> bool {
    request.emergency && !request.mine && !request.seen_by_me && !request.yours
}

fn is_open(request: &RequestShown) -> bool {
    matches!(
        request.state,
        RequestAt::Waiting { .. } | RequestAt::Granted { .. }
    )
}

fn request_view(org: &OrgSnapshot, request: &RequestShown, now: UnixTime) -> AccessRequest {
    let service = org.service(&request.service);
    AccessRequest {
        id: request.id.clone(),
        service: request.service.to_string(),
        by: words::who(request),
        reason: request.reason.clone(),
        wanted: words::extent(request.seconds, request.read_only),
        asked: request.asked,
        here: request.here,
        read_only: request.read_only,
        emergency: request.emergency,
        more: request.extends.is_some(),
        progress: words::progress(request),
        times: match &request.state {
            RequestAt::Waiting { .. } => times(request.seconds, request.seconds),
            RequestAt::Granted { .. } => {
                service.and_then(|of| more(of, request)).unwrap_or_default()
            }
            _ => Vec::new(),
        },
        state: state(request, now),
    }
}

/// What can be asked for to follow it; nothing where somebody was asked already.
fn more(service: &ServiceView, request: &RequestShown) -> Option<Vec<Time>> {
    let grant = service
        .grant
        .as_ref()
        .filter(|grant| grant.request == request.id)?;
    words::more(grant.follower)?;
    let terms = service.askable?;
    Some(times(terms.longest, terms.usual))
}

fn state(request: &RequestShown, now: UnixTime) -> AccessState {
    match &request.state {
        RequestAt::Waiting { until } => AccessState::Waiting {
            left: time_left(now, *until),
        },
        RequestAt::Granted {
            until: Some(until), ..
        } => AccessState::InUse {
            left: time_left(now, *until),
            until: *until,
        },
        RequestAt::Granted {
            seconds,
            read_only,
            claim_by,
            until: None,
        } => AccessState::Unused {
            gives: words::extent(*seconds, *read_only),
            left: time_left(now, *claim_by),
        },
        RequestAt::Denied { .. }
        | RequestAt::Withdrawn
        | RequestAt::Expired
        | RequestAt::TakenBack { .. }
        | RequestAt::Over { .. } => AccessState::Ended {
            how: words::end(request),
        },
    }
}

/// Up to `longest`, which is always among them, as `usual` is.
fn times(longest: u64, usual: u64) -> Vec<Time> {
    let usual = usual.min(longest);
    let mut all: Vec<u64> = USUAL_TIMES
        .into_iter()
        .filter(|time| *time < longest)
        .collect();
    all.extend([usual, longest]);
    all.sort_unstable();
    all.dedup();
    // The shortest of too many go first, but never what is usual.
    while all.len() > TIMES_SHOWN {
        let at = usize::from(all.first() == Some(&usual));
        all.remove(at);
    }
    let time = |seconds| Time {
        seconds,
        label: words::span(seconds),
        usual: seconds == usual,
    };
    all.into_iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(longest: u64, usual: u64) -> Vec<String> {
        let mark = |time: Time| {
            if time.usual {
                format!("[{}]", time.label)
            } else {
                time.label
            }
        };
        times(longest, usual).into_iter().map(mark).collect()
    }

    #[test]
    fn what_can_be_chosen_ends_at_the_ceiling_and_holds_what_is_usual() {
        assert_eq!(labels(3_600, 3_600), ["15 min", "30 min", "[1 h]"]);
        assert_eq!(
            labels(5_400, 600),
            ["[10 min]", "15 min", "30 min", "1 h", "1 h 30 min"]
        );
        assert_eq!(labels(60, 60), ["[1 min]"]);
        assert_eq!(
            labels(30 * 24 * 3_600, 3_600),
            ["[1 h]", "8 h", "1 day", "3 days", "7 days", "30 days"],
            "no more than fit, and what is usual among them"
        );
        assert_eq!(labels(60, 3_600), ["[1 min]"], "never above the ceiling");
    }
}
