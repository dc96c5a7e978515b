//! Why somebody is refused, and the one function that decides what they may learn of it (`Refusal::for_peer`).
//! The exact reason is for the audit record only; it never crosses the wire.

use crate::{
    grant::{GrantError, NotLive},
    idtoken::IdTokenError,
    policy::{Denied, Ground},
    problem::{Code, Problem},
    statement::StatementError,
    strict::StrictError,
    text::Shown,
    words::words,
};

/// When a refusal happens: the later, the more the peer has proved and may learn.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// AUTH has not been verified: every refusal looks the same.
    Admission,
    /// A portal is asked for.
    Opening,
    /// A newer AUTH is presented.
    Renewal,
    /// A portal is open and may not go on.
    Running,
}

/// The exact reason, for the audit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RefusalReason {
    #[error("auth came later than 10 s after the handshake began")]
    TooLate,
    #[error("the auth record cannot be read: {0}")]
    Malformed(StrictError),
    #[error("auth names another service than the channel")]
    OtherService,
    #[error("the service is not served here")]
    UnknownService,
    #[error("the identity key did not sign this channel")]
    Proof,
    #[error("the authority's statement is not valid: {0}")]
    Authority(StatementError),
    #[error("the credential is not believed: {0}")]
    Credential(StatementError),
    #[error("the credential belongs to another key")]
    OtherKey,
    #[error("the sign-in is not bound to the device")]
    LowAssurance,
    #[error("the device's enrolment is not believed: {0}")]
    Enrolment(StatementError),
    #[error("the credential was revoked")]
    Revoked,
    #[error("the credential is from before the floor: everybody is asked for a newer one")]
    Stale,
    #[error("the id token is not believed: {0}")]
    IdToken(IdTokenError),
    #[error("credential and id token name different people")]
    OtherSubject,
    #[error("what was granted is not believed: {0}")]
    Grant(GrantError),
    #[error("the grant that is named was not presented")]
    NotPresented,
    #[error("what was granted does not count now: {0}")]
    GrantNotLive(NotLive),
    #[error("the credential or the id token has expired")]
    Expired,
    #[error("authority or provider have changed since auth")]
    TrustChanged,
    #[error("renewal by another person or device")]
    OtherPrincipal,
    #[error("a policy denied: {side:?} {ground:?}", side = .0.side, ground = .0.ground)]
    Denied(Denied),
    #[error("a policy denied, and the person may ask: {side:?} {ground:?}", side = .0.side, ground = .0.ground)]
    AskFirst(Denied),
    #[error("the message does not fit the state of the session")]
    OutOfOrder,
    #[error("the record proves another portal")]
    OtherRecord,
}

/// A refusal: a code the peer may see, and the reason it may not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: Code,
    /// For the audit only.
    pub exact: RefusalReason,
    told: Option<Shown>,
}

impl Refusal {
    /// A refusal for this reason at this point.
    #[must_use]
    pub fn new(phase: Phase, exact: RefusalReason) -> Self {
        let code = code(phase, &exact);
        let told = match &exact {
            RefusalReason::Denied(denied) | RefusalReason::AskFirst(denied)
                if phase != Phase::Admission =>
            {
                denied.told.clone()
            }
            _ => None,
        };
        Self { code, exact, told }
    }

    /// Everything the peer learns: a code and a sentence made from it, plus what the owner's policy chose to tell.
    #[must_use]
    pub fn for_peer(&self) -> (u16, String) {
        let mut problem = Problem::new(self.code);
        problem.facts.said.clone_from(&self.told);
        (self.code.number(), words(&problem).line())
    }

    /// Whether fetching the provider's keys again may cure it (see `idtoken::Refetch`); the session still waits for AUTH then.
    #[must_use]
    pub fn wants_newer_keys(&self) -> bool {
        let own = RefusalReason::IdToken(IdTokenError::UnknownKey);
        match &self.exact {
            RefusalReason::Grant(GrantError::Approver(exact)) => **exact == own,
            exact => *exact == own,
        }
    }
}

/// What a peer may learn. Before AUTH nothing; after it, nothing that tells a forbidden service from an unknown one.
fn code(phase: Phase, exact: &RefusalReason) -> Code {
    match (phase, exact) {
        (Phase::Admission, _) => Code::NotAdmitted,
        (Phase::Renewal, RefusalReason::Revoked) => Code::Revoked,
        (Phase::Renewal, RefusalReason::IdToken(IdTokenError::TooManyGroups)) => {
            Code::TooManyGroups
        }
        (Phase::Renewal, RefusalReason::OutOfOrder) => Code::PeerBrokeProtocol,
        (Phase::Renewal, _) => Code::NotAdmitted,
        (Phase::Opening, exact) => opening(exact),
        (Phase::Running, exact) => running(exact),
    }
}

fn opening(exact: &RefusalReason) -> Code {
    match exact {
        RefusalReason::Denied(_) | RefusalReason::UnknownService => Code::NotAvailable,
        RefusalReason::Revoked => Code::Revoked,
        RefusalReason::Expired | RefusalReason::Stale | RefusalReason::TrustChanged => {
            Code::SessionExpired
        }
        RefusalReason::AskFirst(_) => Code::AskFirst,
        RefusalReason::GrantNotLive(why) => not_live(why),
        RefusalReason::OutOfOrder | RefusalReason::NotPresented => Code::PeerBrokeProtocol,
        _ => Code::Internal,
    }
}

fn not_live(why: &NotLive) -> Code {
    match why {
        NotLive::TakenBack | NotLive::ApproverRevoked => Code::GrantTakenBack,
        NotLive::Unclaimed | NotLive::Over => Code::GrantOver,
        NotLive::ReadOnly => Code::GrantNotHeld,
        NotLive::ApprovalStale
        | NotLive::Forgotten
        | NotLive::Asking(_)
        | NotLive::Approving(_)
        | NotLive::TooFew
        | NotLive::TooLong => Code::AskFirst,
    }
}

fn running(exact: &RefusalReason) -> Code {
    match exact {
        RefusalReason::Denied(_)
        | RefusalReason::AskFirst(_)
        | RefusalReason::NotPresented
        | RefusalReason::UnknownService => Code::PolicyChanged,
        RefusalReason::GrantNotLive(why) => match why {
            NotLive::TakenBack | NotLive::ApproverRevoked => Code::GrantEndedByPeople,
            NotLive::Unclaimed | NotLive::Over => Code::GrantEnded,
            _ => Code::PolicyChanged,
        },
        RefusalReason::Revoked => Code::RevokedByAdmin,
        RefusalReason::Expired | RefusalReason::Stale => Code::Expired,
        RefusalReason::OutOfOrder => Code::PeerBrokeProtocol,
        _ => Code::Internal,
    }
}

impl From<Denied> for RefusalReason {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl RefusalReason {
    /// Whether the owner has to look at the policies, not the person at their rights.
    #[must_use]
    pub fn is_broken_policy(&self) -> bool {
        matches!(
            self,
            Self::Denied(Denied {
                ground: Ground::Error | Ground::NoPolicies,
                ..
            })
        )
    }
}
