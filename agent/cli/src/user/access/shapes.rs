//! What the verbs about access print with `--json`.
//! A newcomer would print the agent's own values: these only grow, as all of `report` does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::{OrgName, RequestAt, RequestShown};

/// The answer of `requests` and `grants`, and of each verb that changes one: then only that one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    pub(crate) org: String,
    pub(crate) requests: Vec<Request>,
}

/// A request for access, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Names it for the other verbs; the first letters are enough where they name only one.
    pub(crate) id: String,
    pub(crate) service: String,
    /// Who asks, as their device signed it.
    pub(crate) by: String,
    /// Their address, by the hub's word alone.
    pub(crate) name: Option<String>,
    /// This person asks.
    pub(crate) mine: bool,
    /// On this computer, the only one that may use it.
    pub(crate) here: bool,
    /// Waits for this person's decision.
    pub(crate) yours: bool,
    pub(crate) reason: String,
    /// Asked for, in seconds from the first use.
    pub(crate) seconds: u64,
    pub(crate) read_only: bool,
    /// Break-glass.
    pub(crate) emergency: bool,
    /// The request that it is to follow.
    pub(crate) extends: Option<String>,
    pub(crate) asked: u64,
    /// How many people must approve.
    pub(crate) needs: u8,
    pub(crate) approved: Vec<String>,
    pub(crate) seen: Vec<String>,
    /// `waiting`, `granted`, `denied`, `withdrawn`, `expired`, `taken_back` or `over`.
    pub(crate) state: String,
    /// Until when it waits, may be used for the first time, or may be used on.
    pub(crate) until: Option<u64>,
    /// What was given, where something was.
    pub(crate) granted: Option<Granted>,
    /// Who ended it, and why.
    pub(crate) ended_by: Option<String>,
    pub(crate) because: Option<String>,
}

/// What was given: at most what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Granted {
    pub(crate) seconds: u64,
    pub(crate) read_only: bool,
    /// Somebody has begun to use it.
    pub(crate) in_use: bool,
}

impl Requests {
    pub(crate) fn of<'a>(
        org: &OrgName,
        requests: impl IntoIterator<Item = &'a RequestShown>,
    ) -> Self {
        Self {
            org: org.to_string(),
            requests: requests.into_iter().map(Request::of).collect(),
        }
    }
}

impl Request {
    fn of(request: &RequestShown) -> Self {
        let (state, until) = at(&request.state);
        let (ended_by, because) = match &request.state {
            RequestAt::Denied { by, because } | RequestAt::TakenBack { by, because } => {
                (Some(by.clone()), Some(because.clone()))
            }
            _ => (None, None),
        };
        Self {
            id: request.id.clone(),
            service: request.service.to_string(),
            by: request.by.clone(),
            name: request.name.clone(),
            mine: request.mine,
            here: request.here,
            yours: request.yours,
            reason: request.reason.clone(),
            seconds: request.seconds,
            read_only: request.read_only,
            emergency: request.emergency,
            extends: request.extends.clone(),
            asked: request.asked.0,
            needs: request.needs,
            approved: request.approved.clone(),
            seen: request.seen.clone(),
            state: state.into(),
            until,
            granted: granted(&request.state),
            ended_by,
            because,
        }
    }
}

fn at(state: &RequestAt) -> (&'static str, Option<u64>) {
    match state {
        RequestAt::Waiting { until } => ("waiting", Some(until.0)),
        RequestAt::Granted {
            claim_by, until, ..
        } => ("granted", Some(until.unwrap_or(*claim_by).0)),
        RequestAt::Denied { .. } => ("denied", None),
        RequestAt::Withdrawn => ("withdrawn", None),
        RequestAt::Expired => ("expired", None),
        RequestAt::TakenBack { .. } => ("taken_back", None),
        RequestAt::Over { .. } => ("over", None),
    }
}

fn granted(state: &RequestAt) -> Option<Granted> {
    match state {
        RequestAt::Granted {
            seconds,
            read_only,
            until,
            ..
        } => Some(Granted {
            seconds: *seconds,
            read_only: *read_only,
            in_use: until.is_some(),
        }),
        _ => None,
    }
}
