//! One request for access from asking to its end. Each step gives the next version, or says that it comes too late.
//! What was approved lasts as the outlets count it; the times in here are for showing, and for deciding what may be forgotten.

use serde::{Deserialize, Serialize};
use tidegate_proto::{
    api::access::{Named, NamedAt, RequestState, WAITS},
    grant::{Approval, Grant, MAX_APPROVALS},
    identity::VerifyKey,
    names::{ServiceName, Subject},
    policy::{Action, Terms},
    principal::Principal,
    statement::{AccessRequest, Extent, GrantId, RevokeTarget, StatementHash},
    text::Shown,
    time::{SKEW, UnixTime},
};

use crate::refusal::Refusal;

/// How long an end is still shown, in seconds.
const SHOWN: u64 = 86_400;
/// People who are noted as having seen a request, and an alarm: that one is shown to each until they have.
const MOST_SEEN: usize = 8;
const MOST_ALARMED: usize = 64;

/// A request, and what became of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) id: GrantId,
    pub(crate) version: u64,
    pub(crate) by: Named,
    /// Who asked, as of then: the rules are read again at each approval.
    pub(crate) principal: Principal,
    pub(crate) key: VerifyKey,
    pub(crate) service: ServiceName,
    extent: Extent,
    pub(crate) emergency: bool,
    /// `tg-request`, and the seal on it.
    pub(crate) request: String,
    seal: String,
    pub(crate) asked: UnixTime,
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
    pub(crate) principal: Principal,
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
    /// Until nothing can be done with it any more: the approver's ID token is in it.
    pub(crate) approval: Option<Approval>,
}

impl Given {
    /// Whether this person, or this device, gave it.
    fn is_by(&self, who: &RevokeTarget) -> bool {
        match who {
            RevokeTarget::Subject(sub) => self.by.sub == *sub,
            RevokeTarget::Device(device) => {
                let approval = self.approval.as_ref();
                approval.is_some_and(|approval| approval.legs.identity.peer_id() == *device)
            }
        }
    }
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
            principal: asked.principal,
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

    /// Whether some outlet may still let somebody in with it, whatever is known here of its first use.
    pub(crate) fn could_run(&self, now: UnixTime) -> bool {
        matches!(self.state, State::Granted(_)) && now < self.last().plus(SKEW)
    }

    /// Whether outlets must hear of it.
    pub(crate) fn matters_to_outlets(&self, now: UnixTime) -> bool {
        self.could_run(now) || (self.is_taken_back() && now < self.last().plus(SKEW))
    }

    /// Whether nobody has used it yet, and the rules of now would let it be used.
    pub(crate) fn is_unused(&self, terms: &Terms, now: UnixTime) -> bool {
        let enough = self.approvals.len() >= usize::from(terms.approvals);
        let short = self.extent().seconds <= terms.longest;
        self.is_live(now) && self.first_use.is_none() && enough && short
    }

    /// What is asked of the rules.
    pub(crate) fn asking(&self) -> Action {
        Action::asking(self.emergency)
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
        let approvals = self.approvals.iter();
        self.grant_of(approvals.filter_map(|given| given.approval.clone()))
    }

    /// With these approvals only.
    pub(crate) fn grant_of(&self, approvals: impl IntoIterator<Item = Approval>) -> Grant {
        Grant {
            request: self.request.clone(),
            seal: self.seal.clone(),
            approvals: approvals.into_iter().collect(),
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

    /// With these approvals and no others; granted, if they are as many as the rules ask for now.
    pub(crate) fn approved(
        &self,
        by: Vec<Given>,
        needs: u8,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        if !self.is_waiting(now) {
            return Err(Refusal::RequestNotOpen);
        }
        let mut next = self.next();
        (next.approvals, next.needs) = (by, needs);
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

    /// Also of one that is over as far as is known here: an outlet may know better.
    pub(crate) fn taken_back(
        &self,
        by: Named,
        because: Shown,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        if !self.could_run(now) {
            return Err(Refusal::RequestNotOpen);
        }
        let mut next = self.next();
        next.state = State::TakenBack(now, by, because);
        Ok(next)
    }

    /// What becomes of it when a person or device is shut out. `None` when that is nothing to it.
    pub(crate) fn without(&self, who: &RevokeTarget, by: Named, now: UnixTime) -> Option<Self> {
        let asked = match who {
            RevokeTarget::Subject(sub) => self.by.sub == *sub,
            RevokeTarget::Device(device) => self.key.peer_id() == *device,
        };
        let approved = self.approvals.iter().any(|given| given.is_by(who));
        if self.could_run(now) && (asked || approved) {
            let because = Shown::new(match asked {
                true => "whoever asked was shut out",
                false => "somebody who approved it was shut out",
            });
            return self.taken_back(by, because, now).ok();
        }
        if !self.is_waiting(now) {
            return None;
        }
        if asked {
            return self.withdrawn(now).ok();
        }
        let mut next = self.next();
        next.approvals.retain(|given| !given.is_by(who));
        approved.then_some(next)
    }

    /// Without what was only needed to use it. `None` when there is nothing of that.
    pub(crate) fn stripped(&self, now: UnixTime) -> Option<Self> {
        let open = self.is_waiting(now) || self.could_run(now);
        if open || self.approvals.iter().all(|given| given.approval.is_none()) {
            return None;
        }
        let mut next = self.next();
        for given in &mut next.approvals {
            given.approval = None;
        }
        Some(next)
    }

    pub(crate) fn was_seen_by(&self, sub: &Subject) -> bool {
        self.seen.iter().any(|seen| seen.who.sub == *sub)
    }

    /// Those whom the others are told of.
    pub(crate) fn first_seen(&self) -> Vec<NamedAt> {
        self.seen.iter().take(MOST_SEEN).cloned().collect()
    }

    /// `None` when it was known already, or there are many.
    pub(crate) fn seen_by(&self, who: Named, now: UnixTime) -> Option<Self> {
        let most = match self.emergency {
            true => MOST_ALARMED,
            false => MOST_SEEN,
        };
        if self.was_seen_by(&who.sub) || self.seen.len() >= most {
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

    /// When it will next look different by itself.
    pub(crate) fn turns(&self, now: UnixTime) -> Option<UnixTime> {
        let times = match &self.state {
            State::Waiting => [self.until(), self.gone_at(), self.gone_at()],
            State::Granted(_) => [self.end(), self.last().plus(SKEW), self.gone_at()],
            State::TakenBack(..) => [self.last().plus(SKEW), self.gone_at(), self.gone_at()],
            State::Denied(..) | State::Withdrawn(_) => [self.gone_at(); 3],
        };
        times.into_iter().filter(|at| now < *at).min()
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
