//! One request for access from asking to its end. Each step gives the next version, or says that it comes too late.
//! What was approved lasts as the outlets count it; the times in here are for showing, and for deciding what may be forgotten.

use serde::{Deserialize, Serialize};
use tidegate_proto::{
    api::access::{Named, NamedAt, RequestState, WAITS},
    grant::{Approval, Grant, MAX_APPROVALS},
    identity::VerifyKey,
    names::{ServiceName, Subject},
    policy::Terms,
    statement::{AccessRequest, Extent, GrantId, StatementHash},
    text::Shown,
    time::UnixTime,
};

use crate::refusal::Refusal;

/// How long an end is still shown, in seconds.
const SHOWN: u64 = 86_400;
/// People who are noted as having seen a request.
const MOST_SEEN: usize = 8;

/// A request, and what became of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) id: GrantId,
    pub(crate) version: u64,
    pub(crate) by: Named,
    /// As the provider says it; two accounts with one address are one person.
    pub(crate) email: Option<String>,
    pub(crate) key: VerifyKey,
    pub(crate) service: ServiceName,
    extent: Extent,
    pub(crate) emergency: bool,
    /// `tg-request`, and the seal on it.
    pub(crate) request: String,
    seal: String,
    asked: UnixTime,
    pub(crate) needs: u8,
    claim: u64,
    pub(crate) approvals: Vec<Given>,
    pub(crate) seen: Vec<NamedAt>,
    pub(crate) first_use: Option<UnixTime>,
    state: State,
}

/// Who asks for what, verified.
pub(crate) struct Asked {
    pub(crate) by: Named,
    pub(crate) email: Option<String>,
    pub(crate) key: VerifyKey,
    pub(crate) request: AccessRequest,
    pub(crate) jws: String,
    pub(crate) seal: String,
    pub(crate) terms: Terms,
}

/// One person's approval.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) by: Named,
    pub(crate) at: UnixTime,
    pub(crate) extent: Extent,
    pub(crate) approval: Approval,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting,
    /// Since then.
    Granted(UnixTime),
    Denied(UnixTime, Named, Shown),
    Withdrawn(UnixTime),
    TakenBack(UnixTime, Named, Shown),
}

impl Access {
    /// Version 1. Where the rules ask for nobody's approval, it is granted by being asked for.
    pub(crate) fn new(asked: Asked, now: UnixTime) -> Self {
        let needs = asked.terms.approvals;
        Self {
            id: StatementHash::of(&asked.jws),
            version: 1,
            by: asked.by,
            email: asked.email,
            key: asked.key,
            service: asked.request.service,
            extent: asked.request.extent,
            emergency: asked.request.emergency,
            request: asked.jws,
            seal: asked.seal,
            asked: now,
            needs,
            claim: asked.terms.claim,
            approvals: Vec::new(),
            seen: Vec::new(),
            first_use: None,
            state: match needs {
                0 => State::Granted(now),
                _ => State::Waiting,
            },
        }
    }

    /// Whether this is what is being asked for again.
    pub(crate) fn is_same(&self, key: &VerifyKey, request: &AccessRequest) -> bool {
        self.key == *key
            && self.service == request.service
            && self.extent == request.extent
            && self.emergency == request.emergency
    }

    pub(crate) fn is_waiting(&self, now: UnixTime) -> bool {
        matches!(self.state, State::Waiting) && now < self.until()
    }

    /// Whether it may be used, or used on.
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        matches!(self.state, State::Granted(_)) && now < self.end()
    }

    pub(crate) fn is_taken_back(&self) -> bool {
        matches!(self.state, State::TakenBack(..))
    }

    pub(crate) fn approved_by(&self, sub: &Subject) -> bool {
        self.approvals.iter().any(|given| given.by.sub == *sub)
    }

    /// What the request and all who approved give.
    pub(crate) fn extent(&self) -> Extent {
        let given = self.approvals.iter().map(|given| given.extent);
        given.fold(self.extent, Extent::both)
    }

    /// What was asked for.
    pub(crate) fn asked_for(&self) -> Extent {
        self.extent
    }

    /// When nothing can be done with it any more, whatever an outlet remembers.
    pub(crate) fn last(&self) -> UnixTime {
        self.claim_by().plus(self.extent().seconds)
    }

    /// From when on nobody needs to hear of it.
    pub(crate) fn gone_at(&self) -> UnixTime {
        let end = match &self.state {
            State::Waiting => self.until(),
            State::Granted(_) | State::TakenBack(..) => self.last(),
            State::Denied(at, ..) | State::Withdrawn(at) => *at,
        };
        end.plus(SHOWN)
    }

    /// As it is presented to an outlet.
    pub(crate) fn grant(&self) -> Grant {
        Grant {
            request: self.request.clone(),
            seal: self.seal.clone(),
            approvals: self
                .approvals
                .iter()
                .map(|given| given.approval.clone())
                .collect(),
        }
    }

    /// As it is shown.
    pub(crate) fn shown(&self, now: UnixTime) -> RequestState {
        match &self.state {
            State::Waiting if now < self.until() => RequestState::Waiting {
                until: self.until(),
            },
            State::Waiting => RequestState::Expired {},
            State::Granted(_) if now < self.end() => RequestState::Granted {
                extent: self.extent(),
                claim_by: self.claim_by(),
                first_use: self.first_use,
            },
            State::Granted(_) => RequestState::Over {
                used: self.first_use.is_some(),
            },
            State::Denied(_, by, because) => RequestState::Denied {
                by: by.clone(),
                because: because.clone(),
            },
            State::Withdrawn(_) => RequestState::Withdrawn {},
            State::TakenBack(_, by, because) => RequestState::TakenBack {
                by: by.clone(),
                because: because.clone(),
            },
        }
    }

    /// With one approval more; granted, if that was the last one needed.
    pub(crate) fn approved(&self, given: Given, now: UnixTime) -> Result<Self, Refusal> {
        if !self.is_waiting(now) || self.approved_by(&given.by.sub) {
            return Err(Refusal::RequestNotOpen);
        }
        let mut next = self.next();
        next.approvals.push(given);
        let enough = next.approvals.len() >= usize::from(next.needs).min(MAX_APPROVALS);
        if enough {
            next.state = State::Granted(now);
        }
        Ok(next)
    }

    pub(crate) fn denied(&self, by: Named, because: Shown, now: UnixTime) -> Result<Self, Refusal> {
        self.decided(State::Denied(now, by, because), now)
    }

    pub(crate) fn withdrawn(&self, now: UnixTime) -> Result<Self, Refusal> {
        self.decided(State::Withdrawn(now), now)
    }

    fn decided(&self, state: State, now: UnixTime) -> Result<Self, Refusal> {
        if !self.is_waiting(now) {
            return Err(Refusal::RequestNotOpen);
        }
        let mut next = self.next();
        next.state = state;
        Ok(next)
    }

    pub(crate) fn taken_back(
        &self,
        by: Named,
        because: Shown,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        if !self.is_live(now) {
            return Err(Refusal::RequestNotOpen);
        }
        let mut next = self.next();
        next.state = State::TakenBack(now, by, because);
        Ok(next)
    }

    /// `None` when it was known already, or there are many.
    pub(crate) fn seen_by(&self, who: Named, now: UnixTime) -> Option<Self> {
        let known = self.seen.iter().any(|seen| seen.who.sub == who.sub);
        if known || self.seen.len() >= MOST_SEEN {
            return None;
        }
        let mut next = self.next();
        next.seen.push(NamedAt { who, at: now });
        Some(next)
    }

    /// An outlet says when it was first used; the earliest counts. `None` when that changes nothing.
    pub(crate) fn used(&self, at: UnixTime) -> Option<Self> {
        let known = self.first_use.is_some_and(|first| first <= at);
        if known || !matches!(self.state, State::Granted(_) | State::TakenBack(..)) {
            return None;
        }
        let mut next = self.next();
        next.first_use = Some(at);
        Some(next)
    }

    fn next(&self) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next
    }

    /// Until when somebody must have decided.
    fn until(&self) -> UnixTime {
        self.asked.plus(WAITS)
    }

    fn claim_by(&self) -> UnixTime {
        let last = self.approvals.iter().map(|given| given.at).max();
        last.unwrap_or(self.asked).plus(self.claim)
    }

    /// When it is over, as far as is known here.
    fn end(&self) -> UnixTime {
        match self.first_use {
            None => self.claim_by(),
            Some(first) => first.plus(self.extent().seconds).min(self.last()),
        }
    }
}
