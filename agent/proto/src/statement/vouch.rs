//! `tg-vouch`: an enrolled device says that another key is a device of the same person, after both screens showed the same words.
//! It lengthens the chain root → ticket → device by one; nobody but the person with both devices can have wanted it.

use super::{EnrolmentChain, Statement, StatementError, is_id, require};
use crate::{
    identity::VerifyKey,
    names::{OrgName, Subject},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// A device, vouched for by another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vouch {
    pub org: OrgName,
    /// Whose devices both are.
    pub sub: Subject,
    /// The identity key that is enrolled.
    pub key: VerifyKey,
    pub at: UnixTime,
    /// 128 random bits: one vouch enrols once.
    pub id: String,
}

impl Vouch {
    /// How long after it was made it may be handed in, in seconds.
    pub const LIFE: u64 = 600;
    /// Most devices between a ticket and a device: one that was vouched for may vouch for one more.
    pub const DEPTH: usize = 2;
}

impl Statement for Vouch {
    const TYP: &'static str = "tg-vouch";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(is_id(&self.id))
    }
}

/// How a device came to be one: `tg-ticket`, `tg-enrolment`, then a `tg-vouch` for each device after the first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceChain {
    pub ticket: String,
    pub enrolment: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vouches: Vec<String>,
}

impl DeviceChain {
    /// Whose device the last key of the chain is. Times are those of the enrolments: whether a device was revoked since is not in here.
    ///
    /// # Errors
    /// What is wrong with a statement; `Ticket` when they do not belong together or the chain is too long.
    pub fn verify(
        &self,
        root: &VerifyKey,
        org: &OrgName,
    ) -> Result<(Subject, VerifyKey), StatementError> {
        if self.vouches.len() > Vouch::DEPTH {
            return Err(StatementError::Ticket);
        }
        let first = EnrolmentChain {
            ticket: self.ticket.clone(),
            enrolment: self.enrolment.clone(),
        };
        let (sub, mut key) = first.device(root, org)?;
        for vouch in &self.vouches {
            let vouch = Vouch::verify_for(vouch, &key, org)?;
            if vouch.sub != sub {
                return Err(StatementError::Ticket);
            }
            key = vouch.key;
        }
        Ok((sub, key))
    }

    /// The same with one device more.
    #[must_use]
    pub fn with(&self, vouch: String) -> Self {
        let mut longer = self.clone();
        longer.vouches.push(vouch);
        longer
    }
}
