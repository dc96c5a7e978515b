//! Everything that is signed in Tidegate, one file per `typ` (PROTOCOL section 2).
//! A struct here is only what somebody said; who said it is known after `verify` with the key that had to say it.

mod authority;
mod beacon;
mod bundle;
mod credential;
mod enrolment;
mod grant;
mod idp;
mod join_link;
mod pass;
mod policy;
mod request;
mod revocation;
mod root;
mod seal;
mod service;
mod ticket;
mod vouch;

pub use authority::AuthorityStatement;
pub use beacon::{Beacon, Newest, Revoked};
pub use bundle::{OrgBundle, Seen, VerifiedOrg};
pub use credential::{Assurance, Credential};
pub use enrolment::{Enrolment, EnrolmentChain, verify_enrolment, verify_outlet_enrolment};
pub use grant::GrantStatement;
pub use idp::{Algorithm, IdpStatement};
pub use join_link::{JoinLink, JoinLinkError, JoinTicket};
pub use pass::{Pass, PassRole, ServiceHandle};
pub use policy::{PolicyStatement, SCHEMA_VERSION};
pub use request::{AccessRequest, Extent};
pub use revocation::{Revocation, RevokeTarget};
pub use root::{RootStatement, walk_roots};
pub use seal::{GrantId, Seal, StatementHash};
pub use service::{OutletEnrolment, OutletKeys, Relay, ServiceKind, ServiceStatement};
pub use ticket::{Promised, TicketKind, TicketStatement};
pub use vouch::{DeviceChain, Vouch};

pub use crate::jws::{JwsError, MAX_STATEMENT};

use crate::{
    identity::{SigningKey, VerifyKey},
    jws,
    names::OrgName,
    time::UnixTime,
};
use serde::{Serialize, de::DeserializeOwned};

/// Why a statement is not believed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("{0}")]
    Jws(#[from] JwsError),
    #[error("the statement contradicts itself or exceeds a bound")]
    Content,
    #[error("the statement belongs to another org")]
    Org,
    #[error("the statement is not valid yet")]
    NotYet,
    #[error("the statement has expired")]
    Expired,
    #[error("the statement is older than one already seen")]
    Rollback,
    #[error("the root key is not the expected one")]
    Root,
    #[error("a part of the bundle is missing or there twice")]
    Bundle,
    #[error("the ticket does not fit what it was presented for")]
    Ticket,
}

impl From<crate::strict::StrictError> for StatementError {
    fn from(error: crate::strict::StrictError) -> Self {
        Self::Jws(JwsError::Strict(error))
    }
}

/// One type of signed statement.
pub trait Statement: Serialize + DeserializeOwned {
    /// The `typ` header: what keeps a signature from being used for anything else.
    const TYP: &'static str;

    /// The org it speaks for.
    fn org(&self) -> &OrgName;

    /// Bounds and contradictions that the types cannot express.
    ///
    /// # Errors
    /// `Content`.
    fn check(&self) -> Result<(), StatementError>;

    /// Signs it as a compact JWS; the `kid` is the key's fingerprint.
    ///
    /// # Panics
    /// Never: a statement is plain data with text keys, which always serialises.
    #[must_use]
    fn sign(&self, key: &SigningKey) -> String {
        let payload = serde_json::to_vec(self).expect("a statement serialises");
        jws::sign(Self::TYP, &payload, key)
    }

    /// Reads a compact JWS that `key` must have signed.
    ///
    /// # Errors
    /// Anything but a well-formed statement of this type, by this key, that passes `check`.
    fn verify(jws: &str, key: &VerifyKey) -> Result<Self, StatementError> {
        let statement: Self = jws::verify(jws, Self::TYP, key)?;
        statement.check()?;
        Ok(statement)
    }

    /// Reads a compact JWS that `key` must have signed for `org`.
    ///
    /// # Errors
    /// As `verify`, and `Org`.
    fn verify_for(jws: &str, key: &VerifyKey, org: &OrgName) -> Result<Self, StatementError> {
        let statement = Self::verify(jws, key)?;
        if statement.org() == org {
            Ok(statement)
        } else {
            Err(StatementError::Org)
        }
    }
}

/// A span of validity that is at most `longest` seconds.
fn check_span(
    not_before: UnixTime,
    not_after: UnixTime,
    longest: u64,
) -> Result<(), StatementError> {
    let fits = not_before < not_after && not_before.until(not_after) <= longest;
    if fits {
        Ok(())
    } else {
        Err(StatementError::Content)
    }
}

/// Whether `now` lies in the span, give or take the skew.
fn check_now(
    not_before: UnixTime,
    not_after: UnixTime,
    now: UnixTime,
) -> Result<(), StatementError> {
    if !not_before.has_begun(now) {
        return Err(StatementError::NotYet);
    }
    if not_after.has_ended(now) {
        Err(StatementError::Expired)
    } else {
        Ok(())
    }
}

/// `Content` unless `fits`.
fn require(fits: bool) -> Result<(), StatementError> {
    if fits {
        Ok(())
    } else {
        Err(StatementError::Content)
    }
}

/// An identifier that we make ourselves: 1 to 64 of `A-Z`, `a-z`, `0-9`, `-`, `_`.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Text for people: at most `most` bytes, nothing invisible in it.
fn is_label(text: &str, most: usize) -> bool {
    text.len() <= most && !text.chars().any(crate::text::deceives)
}

#[cfg(test)]
mod tests;
