//! The outlet's side of one circuit: from the end of the handshake to the end of the last portal (PROTOCOL sections 7 and 10).
//! It holds no socket and no clock, and it never changes its mind by itself: the outlet asks again whenever `Standing` changes.

mod checks;
mod resume;
mod standing;

pub use standing::Standing;

use crate::{
    channel::HandshakeHash,
    event::{Peer, PortalOpened, Used},
    frame::Open,
    grant::{Granted, Live, NotLive},
    names::ServiceName,
    permit::Allowed,
    policy::{Action, RequestContext, Resource},
    principal::Principal,
    refusal::{Phase, Refusal, RefusalReason},
    statement::GrantId,
    time::UnixTime,
};
use checks::Proof;

/// Seconds from the start of the handshake in which AUTH must come.
pub const AUTH_WITHIN: u64 = 10;
/// Seconds a running session outlives its credential or newest ID token.
pub const GRACE: u64 = 300;
/// Seconds in which a running session must show a newer credential when everybody is asked for one (a beacon's floor).
pub const RENEW_WITHIN: u64 = 60;

/// One circuit at an outlet.
pub struct Session {
    service: ServiceName,
    hash: HandshakeHash,
    state: State,
    steps: u64,
}

/// Where a circuit is in its life.
enum State {
    /// The channel stands, nobody has said who they are.
    AwaitingAuth { since: UnixTime },
    /// AUTH held; no portal.
    Warm(Box<Proof>),
    /// AUTH held; one portal, by a standing right or under a grant.
    Carrying(Box<Proof>, Under),
    /// AUTH was refused. Nothing brings it back.
    Ended,
}

/// By what right a portal was opened.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Under {
    Rules,
    /// What the proof holds; a REAUTH may bring a newer one.
    Grant,
}

/// What can be put to a session.
enum Input<'a> {
    Auth(&'a [u8]),
    Reauth(&'a [u8]),
    Open(&'a Open<'a>, &'a RequestContext),
    PortalEnded,
}

/// What a session answers.
enum Output {
    Deadline(UnixTime),
    Allowed(Box<Allowed>),
    Nothing,
}

impl Session {
    /// A circuit for `service` (from the prologue) whose handshake began at `started`.
    #[must_use]
    pub fn new(service: ServiceName, hash: HandshakeHash, started: UnixTime) -> Self {
        Self {
            service,
            hash,
            state: State::AwaitingAuth { since: started },
            steps: 0,
        }
    }

    /// Counts what was put to it. As long as this stays, an answer of `still_allowed` holds for the same standing, context
    /// and second.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Record 0. Gives the deadline of the session.
    ///
    /// # Errors
    /// The first of checks 1 to 8 that does not hold. The session has then ended, except for an unknown provider key.
    pub fn handle_auth(
        &mut self,
        record: &[u8],
        s: &Standing,
        now: UnixTime,
    ) -> Result<UnixTime, Refusal> {
        match self.step(Input::Auth(record), s, now)? {
            Output::Deadline(deadline) => Ok(deadline),
            Output::Allowed(_) | Output::Nothing => Err(self.out_of_order()),
        }
    }

    /// Newer proof on the same channel. Gives the new deadline.
    ///
    /// # Errors
    /// As `handle_auth`, and when it is another person or device. The former proof then stays what it was.
    pub fn handle_reauth(
        &mut self,
        record: &[u8],
        s: &Standing,
        now: UnixTime,
    ) -> Result<UnixTime, Refusal> {
        match self.step(Input::Reauth(record), s, now)? {
            Output::Deadline(deadline) => Ok(deadline),
            Output::Allowed(_) | Output::Nothing => Err(self.out_of_order()),
        }
    }

    /// OPEN: check 9, after looking again at everything that may have changed since AUTH.
    ///
    /// # Errors
    /// When a portal is open already, or anything no longer holds, or a policy denies.
    pub fn handle_open(
        &mut self,
        open: &Open<'_>,
        s: &Standing,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<Allowed, Refusal> {
        match self.step(Input::Open(open, context), s, now)? {
            Output::Allowed(allowed) => Ok(*allowed),
            Output::Deadline(_) | Output::Nothing => Err(self.out_of_order()),
        }
    }

    /// The portal has ended cleanly, or was never dialled; the circuit may carry the next one.
    ///
    /// # Errors
    /// `OutOfOrder` when there was none.
    pub fn portal_ended(&mut self, s: &Standing, now: UnixTime) -> Result<(), Refusal> {
        self.step(Input::PortalEnded, s, now).map(|_| ())
    }

    /// Whether what is open may stay open. Ask on every change of `Standing` and at the deadline.
    ///
    /// # Errors
    /// Why it must be closed.
    pub fn still_allowed(
        &self,
        s: &Standing,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<UnixTime, Refusal> {
        let refuse = |exact| Refusal::new(Phase::Running, exact);
        match &self.state {
            State::Warm(proof) => proof.still_warm(s, &self.service, now).map_err(refuse),
            State::Carrying(proof, under) => {
                let deadline = proof
                    .still_admitted(s, &self.service, now)
                    .map_err(refuse)?;
                let live = self
                    .permitted((proof, *under), s, context, now)
                    .map_err(refuse)?;
                Ok(live.map_or(deadline, |live| deadline.min(live.end)))
            }
            State::AwaitingAuth { .. } | State::Ended => Err(self.out_of_order()),
        }
    }

    /// Who is at the other end, once it is proved.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.proof().map(|proof| &proof.principal)
    }

    fn proof(&self) -> Option<&Proof> {
        match &self.state {
            State::Warm(proof) | State::Carrying(proof, _) => Some(proof),
            State::AwaitingAuth { .. } | State::Ended => None,
        }
    }

    /// The grant under which a portal is open; `None` for one that is open by a standing right.
    /// Whoever carries the portal sees to it that its clock runs: after OPEN, and after a REAUTH that brought another grant.
    ///
    /// # Errors
    /// When it does not count any more: then no clock starts, and nothing goes on under it.
    pub fn grant_in_use(&self, s: &Standing, now: UnixTime) -> Result<Option<GrantId>, Refusal> {
        let State::Carrying(proof, Under::Grant) = &self.state else {
            return Ok(None);
        };
        let refuse = |exact| Refusal::new(Phase::Running, exact);
        let granted = proof.granted.as_ref();
        let granted = granted.ok_or_else(|| refuse(RefusalReason::NotPresented))?;
        self.live(proof, granted, s, now).map_err(refuse)?;
        Ok(Some(granted.id))
    }

    /// How long a statement that runs when the grant ends may go on, in seconds. Ask while the grant counts: afterwards,
    /// and where the portal stands on no grant, the answer is 0.
    #[must_use]
    pub fn may_finish(&self, s: &Standing, now: UnixTime) -> u64 {
        let State::Carrying(proof, Under::Grant) = &self.state else {
            return 0;
        };
        let live = proof
            .granted
            .as_ref()
            .and_then(|granted| self.live(proof, granted, s, now).ok());
        live.map_or(0, |live| live.finish)
    }

    /// The service of this circuit.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The whole machine. A new state or input breaks the build here, and nowhere else.
    fn step(&mut self, input: Input<'_>, s: &Standing, now: UnixTime) -> Result<Output, Refusal> {
        self.steps += 1;
        let state = std::mem::replace(&mut self.state, State::Ended);
        let (next, output) = match (state, input) {
            (State::AwaitingAuth { since }, Input::Auth(record)) => {
                self.admit(since, record, s, now)
            }
            (State::Warm(proof), Input::Reauth(record)) => {
                let (proof, output) = self.renew(proof, record, s, now);
                (State::Warm(proof), output)
            }
            (State::Carrying(proof, under), Input::Reauth(record)) => {
                let (proof, output) = self.renew(proof, record, s, now);
                (State::Carrying(proof, under), output)
            }
            (State::Warm(proof), Input::Open(open, context)) => {
                self.open(proof, open, s, context, now)
            }
            (State::Carrying(proof, _), Input::PortalEnded) => {
                (State::Warm(proof), Ok(Output::Nothing))
            }
            (
                state @ State::AwaitingAuth { .. },
                Input::Reauth(_) | Input::Open(..) | Input::PortalEnded,
            )
            | (state @ State::Warm(_), Input::Auth(_) | Input::PortalEnded)
            | (state @ State::Carrying(..), Input::Auth(_) | Input::Open(..))
            | (
                state @ State::Ended,
                Input::Auth(_) | Input::Reauth(_) | Input::Open(..) | Input::PortalEnded,
            ) => {
                return Err(self.wrong_order(state));
            }
        };
        self.state = next;
        output
    }

    fn admit(
        &self,
        since: UnixTime,
        record: &[u8],
        s: &Standing,
        now: UnixTime,
    ) -> (State, Result<Output, Refusal>) {
        let proof = checks::in_time(since, now)
            .and_then(|()| checks::verify(record, &self.service, &self.hash, s, now));
        match proof {
            Ok(proof) => {
                let deadline = proof.deadline();
                (State::Warm(Box::new(proof)), Ok(Output::Deadline(deadline)))
            }
            Err(exact) => {
                let refusal = Refusal::new(Phase::Admission, exact);
                let next = if refusal.wants_newer_keys() {
                    State::AwaitingAuth { since }
                } else {
                    State::Ended
                };
                (next, Err(refusal))
            }
        }
    }

    fn renew(
        &self,
        proof: Box<Proof>,
        record: &[u8],
        s: &Standing,
        now: UnixTime,
    ) -> (Box<Proof>, Result<Output, Refusal>) {
        let newer = checks::verify(record, &self.service, &self.hash, s, now);
        match newer.and_then(|newer| proof.renewed_by(newer)) {
            Ok(newer) => {
                let deadline = newer.deadline();
                (Box::new(newer), Ok(Output::Deadline(deadline)))
            }
            Err(exact) => (proof, Err(Refusal::new(Phase::Renewal, exact))),
        }
    }

    fn open(
        &self,
        proof: Box<Proof>,
        open: &Open<'_>,
        s: &Standing,
        context: &RequestContext,
        now: UnixTime,
    ) -> (State, Result<Output, Refusal>) {
        let under = match open.grant {
            Some(_) => Under::Grant,
            None => Under::Rules,
        };
        match self.allow((&proof, under), open, s, context, now) {
            Ok(allowed) => (
                State::Carrying(proof, under),
                Ok(Output::Allowed(Box::new(allowed))),
            ),
            Err(exact) => (State::Warm(proof), Err(Refusal::new(Phase::Opening, exact))),
        }
    }

    fn allow(
        &self,
        (proof, under): (&Proof, Under),
        open: &Open<'_>,
        s: &Standing,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<Allowed, RefusalReason> {
        proof.may_open(s, &self.service, now)?;
        let presented = proof.granted.as_ref().map(|granted| granted.id.0);
        if open.grant.is_some() && open.grant != presented {
            return Err(RefusalReason::NotPresented);
        }
        let live = self.permitted((proof, under), s, context, now)?;
        let granted = live.and(proof.granted.as_ref());
        let deadline = proof.deadline();
        let opened = PortalOpened {
            channel: PortalOpened::channel_name(&self.hash),
            portal: open.portal,
            service: self.service.clone(),
            purpose: PortalOpened::purpose_name(open.purpose).to_owned(),
            peer: Peer::from(&proof.principal),
            credential: proof.credential.clone(),
            grant: granted.map(Used::from),
            deadline: live.map_or(deadline, |live| deadline.min(live.end)),
            authority_away: s.authority_away(now),
        };
        let principal = proof.principal.clone();
        Ok(Allowed::new(opened, principal, open.purpose))
    }

    /// Check 9: both policies, with what was granted if that is the right by which it is asked.
    fn permitted(
        &self,
        (proof, under): (&Proof, Under),
        s: &Standing,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<Option<Live>, RefusalReason> {
        let resource = s
            .services
            .get(&self.service)
            .ok_or(RefusalReason::UnknownService)?;
        let who = &proof.principal;
        let granted = match under {
            Under::Rules => None,
            Under::Grant => Some(proof.granted.as_ref().ok_or(RefusalReason::NotPresented)?),
        };
        let live = granted
            .map(|granted| self.live(proof, granted, s, now))
            .transpose();
        let over = RefusalReason::GrantNotLive(NotLive::Over);
        let live = match live {
            // Time that is up may leave what runs some minutes; a policy's no leaves nothing, so it is heard first.
            Err(reason) if reason == over => Err(reason),
            counts => Ok(counts?),
        };
        match s.policy.connect(who, resource, context, now, granted) {
            Ok(()) => live,
            Err(denied)
                if under == Under::Rules && asking_helps(who, resource, s, context, now) =>
            {
                Err(RefusalReason::AskFirst(denied))
            }
            Err(denied) => Err(denied.into()),
        }
    }

    fn live(
        &self,
        proof: &Proof,
        granted: &Granted,
        s: &Standing,
        now: UnixTime,
    ) -> Result<Live, RefusalReason> {
        let resource = s.services.get(&self.service);
        let resource = resource.ok_or(RefusalReason::UnknownService)?;
        let live = granted.live(&proof.principal, &s.ground(resource, proof.authority), now);
        live.map_err(RefusalReason::GrantNotLive)
    }

    /// Leaves the state as it was; what the peer learns depends on whether it has proved anything.
    fn wrong_order(&mut self, state: State) -> Refusal {
        self.state = state;
        self.out_of_order()
    }

    fn out_of_order(&self) -> Refusal {
        let phase = match &self.state {
            State::AwaitingAuth { .. } | State::Ended => Phase::Admission,
            State::Warm(_) => Phase::Opening,
            State::Carrying(..) => Phase::Running,
        };
        Refusal::new(phase, RefusalReason::OutOfOrder)
    }
}

/// Whether the person may ask, and both policies would permit what could come of it. Only then do they learn that asking
/// is the way: to everybody else a service that is forbidden and one that is not there look identical.
fn asking_helps(
    who: &Principal,
    resource: &Resource,
    s: &Standing,
    context: &RequestContext,
    now: UnixTime,
) -> bool {
    let Ok(terms) = s.policy.terms(who, Action::Request, resource, now) else {
        return false;
    };
    let imagined = Granted::imagined(who, terms, now);
    let opened = s
        .policy
        .connect(who, resource, context, now, Some(&imagined));
    opened.is_ok()
}

#[cfg(test)]
mod tests;
