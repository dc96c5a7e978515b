//! Why the authority refuses, and the one function that decides how much of it a caller learns.
//! The exact reason goes to our log; before a caller has proved its key, every refusal of it looks the same.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use tidegate_proto::{
    api::ApiRefusal,
    idtoken::IdTokenError,
    problem::{Code, Problem},
    span,
    statement::StatementError,
    strict::StrictError,
    words::words,
};

use crate::{
    audit::{AuditError, NotTaken},
    store::StoreError,
};

/// The exact reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such call")]
    NoSuchCall,
    #[error("the request cannot be read: {0}")]
    Malformed(StrictError),
    #[error("the request took too long")]
    TooSlow,
    #[error("too many connections")]
    Busy,
    #[error("asked for too often")]
    TooOften,
    #[error("a duty ended in a panic")]
    Panicked,
    #[error("the identity key did not sign this channel")]
    Proof,
    #[error("the key is not enrolled")]
    NotEnrolled,
    #[error("the device or its person was revoked")]
    Revoked,
    #[error("the key is in no catalogue entry")]
    NotAnOutlet,
    #[error("the channel's key is no relay's")]
    NotARelay,
    #[error("the id token is not believed: {0}")]
    IdToken(IdTokenError),
    #[error("the id token names another person than the device's")]
    OtherSubject,
    #[error("the provider's keys are not there")]
    KeysAway,
    #[error("the ticket or the enrolment is not believed: {0}")]
    Ticket(StatementError),
    #[error("the enrolment is from the future")]
    FromTheFuture,
    #[error("the ticket is for an outlet of a service that takes none by it")]
    OutletTicket,
    #[error("the ticket was used before")]
    TicketUsed,
    #[error("the person was revoked after the ticket had been made")]
    TicketOutdated,
    #[error("the key is a device of the same person already")]
    AlreadyEnrolled,
    #[error("the key is a device of somebody else")]
    KeyOfAnother,
    #[error("the revocation is not believed: {0}")]
    Revocation(StatementError),
    #[error("the inquiry is too old")]
    StaleInquiry,
    #[error("there is no such introduction, or not in this state")]
    NoIntroduction,
    #[error("another device compares already")]
    ComparedElsewhere,
    #[error("the device may not vouch for another one")]
    SponsorUnfit,
    #[error("the person has too many devices for one more to be let in")]
    TooManyDevices,
    #[error("the device's name is too long or deceives")]
    BadLabel,
    #[error("the device is not one of this person")]
    NotYourDevice,
    #[error("the request or approval is not believed: {0}")]
    RequestUnfit(StatementError),
    #[error("the approval does not fit the request")]
    ApprovalUnfit,
    #[error("asked for longer than the rules allow, {0} s")]
    AskedTooLong(u64),
    #[error("the reason is blank, too long or deceives")]
    BadReason,
    #[error("what it would extend is no live grant of this device for this service")]
    NothingToExtend,
    #[error("the rules do not let the person ask for this")]
    MayNotAsk,
    #[error("the person may not decide about this request")]
    MayNotApprove,
    #[error("there is no such request, or not in this state, or not for this person")]
    RequestNotOpen,
    #[error("too many requests are open")]
    TooManyRequests,
    #[error("events are for those who proved on the same connection who they are")]
    NoIdentity,
    #[error("the statement about this authority has run out")]
    Lapsed,
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Audit(#[from] AuditError),
    #[error("lines of an outlet's record were not taken in: {0}")]
    NotTaken(#[from] NotTaken),
}

/// All that a caller learns.
fn told(refusal: &Refusal) -> (StatusCode, Code) {
    match refusal {
        Refusal::NoSuchCall => (StatusCode::NOT_FOUND, Code::PeerBrokeProtocol),
        Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, Code::PeerBrokeProtocol),
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, Code::TimedOut),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, Code::HubBusy),
        Refusal::TooOften => (StatusCode::TOO_MANY_REQUESTS, Code::HubBusy),
        Refusal::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        Refusal::FromTheFuture => (StatusCode::FORBIDDEN, Code::ClockOff),
        // Nothing is proved: one answer.
        Refusal::Proof | Refusal::NotAnOutlet | Refusal::NotARelay | Refusal::NoIdentity => {
            (StatusCode::FORBIDDEN, Code::NotAdmitted)
        }
        // The caller holds the key, so it may learn what is the matter with it.
        Refusal::NotEnrolled => (StatusCode::FORBIDDEN, Code::NotEnrolled),
        Refusal::Revoked => (StatusCode::FORBIDDEN, Code::Revoked),
        Refusal::OtherSubject => (StatusCode::FORBIDDEN, Code::WrongAccount),
        Refusal::IdToken(error) => (StatusCode::UNAUTHORIZED, told_of_token(*error)),
        Refusal::KeysAway => (StatusCode::SERVICE_UNAVAILABLE, Code::ProviderUnreachable),
        // The caller holds a ticket that the org root signed, or nothing.
        Refusal::Ticket(StatementError::Expired) | Refusal::TicketOutdated => {
            (StatusCode::FORBIDDEN, Code::TicketExpired)
        }
        Refusal::Ticket(_) => (StatusCode::FORBIDDEN, Code::JoinLinkBad),
        Refusal::OutletTicket => (StatusCode::FORBIDDEN, Code::OutletTicketUnfit),
        Refusal::KeyOfAnother => (StatusCode::FORBIDDEN, Code::TicketForAnother),
        Refusal::TicketUsed => (StatusCode::CONFLICT, Code::TicketUsed),
        Refusal::AlreadyEnrolled => (StatusCode::CONFLICT, Code::AlreadyJoined),
        Refusal::Revocation(_) | Refusal::StaleInquiry => {
            (StatusCode::FORBIDDEN, Code::NotAdmitted)
        }
        // The caller is signed in as the person whose devices these are.
        Refusal::NoIntroduction | Refusal::NotYourDevice => {
            (StatusCode::NOT_FOUND, Code::IntroductionOver)
        }
        Refusal::ComparedElsewhere => (StatusCode::CONFLICT, Code::IntroductionElsewhere),
        Refusal::SponsorUnfit => (StatusCode::FORBIDDEN, Code::IntroductionNotAllowed),
        Refusal::TooManyDevices => (StatusCode::CONFLICT, Code::TooManyDevices),
        Refusal::BadLabel => (StatusCode::BAD_REQUEST, Code::PeerBrokeProtocol),
        Refusal::RequestUnfit(_)
        | Refusal::ApprovalUnfit
        | Refusal::AskedTooLong(_)
        | Refusal::BadReason
        | Refusal::NothingToExtend => (StatusCode::BAD_REQUEST, Code::RequestUnfit),
        Refusal::MayNotAsk => (StatusCode::FORBIDDEN, Code::MayNotAsk),
        Refusal::MayNotApprove => (StatusCode::FORBIDDEN, Code::MayNotApprove),
        Refusal::RequestNotOpen => (StatusCode::CONFLICT, Code::RequestNotOpen),
        Refusal::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
        // The caller holds the outlet's key.
        Refusal::NotTaken(NotTaken::DoesNotFollow) => {
            (StatusCode::CONFLICT, Code::PeerBrokeProtocol)
        }
        Refusal::NotTaken(NotTaken::TooOften) => (StatusCode::TOO_MANY_REQUESTS, Code::HubBusy),
        Refusal::Audit(_) | Refusal::NotTaken(NotTaken::NoRoom | NotTaken::Kept(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, Code::NotRecorded)
        }
        Refusal::Lapsed => (StatusCode::SERVICE_UNAVAILABLE, Code::AuthorityAway),
        Refusal::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, Code::Internal),
    }
}

/// What cures it: signing in again, or nothing that the person could do.
fn told_of_token(error: IdTokenError) -> Code {
    match error {
        IdTokenError::Expired | IdTokenError::SessionTooOld => Code::SignInNeeded,
        IdTokenError::Future => Code::ClockOff,
        IdTokenError::TooManyGroups => Code::TooManyGroups,
        _ => Code::NotAdmitted,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = told(&self);
        let mut problem = Problem::new(code);
        match self {
            Self::AskedTooLong(longest) => {
                problem = problem.said(&format!("the rules allow {} at most", span::text(longest)));
            }
            Self::NothingToExtend => {
                problem = problem.said("the access that was to last longer has ended: ask anew");
            }
            _ => {}
        }
        let text = words(&problem).line();
        match self {
            Self::Store(_) | Self::Audit(_) | Self::NotTaken(_) | Self::Panicked => {
                tracing::error!(reason = %self, %code, "request failed");
            }
            Self::KeysAway | Self::Busy | Self::Lapsed => {
                tracing::warn!(reason = %self, %code, "request could not be served");
            }
            _ => tracing::info!(reason = %self, %code, "request was refused"),
        }
        (
            status,
            Json(ApiRefusal {
                code: code.number(),
                text,
            }),
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_token_is_not_told() {
        for error in [
            IdTokenError::Signature,
            IdTokenError::UnknownKey,
            IdTokenError::Commitment,
            IdTokenError::Issuer,
            IdTokenError::Audience,
            IdTokenError::OtherSession,
        ] {
            assert_eq!(
                told(&Refusal::IdToken(error)),
                (StatusCode::UNAUTHORIZED, Code::NotAdmitted)
            );
        }
    }
}
