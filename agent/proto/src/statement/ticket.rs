//! `tg-ticket`: the org root allows one enrolment. The ticket's private half travels out of band, inside the join link.
//! It is good once, for hours, and for one subject or one service: it is the leg that does not depend on the provider.

use super::{ServiceKind, Statement, StatementError, check_span, is_id, is_label, require};
use crate::{
    identity::VerifyKey,
    names::{OrgName, ServiceName, Subject},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// What a ticket enrols.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum TicketKind {
    /// A device for one person.
    Device { sub: Subject },
    /// An outlet for one service.
    Outlet { service: ServiceName },
}

/// A service that the ticket's maker had in mind, so that it can be shown before anybody has signed in.
/// It gives no right: the catalogue decides after the sign-in. Whoever reads the link reads it too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promised {
    pub service: ServiceName,
    pub kind: ServiceKind,
    /// For people; empty means the name is shown.
    pub title: String,
    /// Default local port of the inlet.
    pub port: u16,
}

/// A permission to enrol one key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketStatement {
    pub org: OrgName,
    pub kind: TicketKind,
    /// Signs the enrolment.
    pub key: VerifyKey,
    /// When it was made: one from before a revocation of the same person enrols nothing any more.
    pub at: UnixTime,
    pub not_after: UnixTime,
    pub id: String,
    /// For a device: what to show until the first sign-in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Promised>,
}

impl TicketStatement {
    /// Longest time one may wait to be used, in seconds.
    pub const MAX_LIFE: u64 = 7 * 86_400;
    /// Most services one names: it must fit into a join link.
    pub const MAX_SERVICES: usize = 12;

    /// Whether it can still be used at `now`. No skew: it is the administrator's own deadline.
    ///
    /// # Errors
    /// `Expired`.
    pub fn valid_at(&self, now: UnixTime) -> Result<(), StatementError> {
        if now < self.not_after {
            Ok(())
        } else {
            Err(StatementError::Expired)
        }
    }
}

impl Statement for TicketStatement {
    const TYP: &'static str = "tg-ticket";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        check_span(self.at, self.not_after, Self::MAX_LIFE)?;
        require(is_id(&self.id) && self.services.len() <= Self::MAX_SERVICES)?;
        let shown = |promised: &Promised| promised.port >= 1024 && is_label(&promised.title, 120);
        require(self.services.iter().all(shown))?;
        let device = matches!(self.kind, TicketKind::Device { .. });
        require(device || self.services.is_empty())
    }
}
