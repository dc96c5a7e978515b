//! `tg-service`: one catalogue entry, signed by the org root, so that the hub can leave one out but never alter one.
//! The outlet's Noise key in here is what the agent pins; without that comparison the channel proves nothing.

use super::{
    EnrolmentChain, Statement, StatementError, TicketKind, TicketStatement, is_label, require,
};
use crate::{
    identity::{NoisePublic, VerifyKey},
    names::{HubAddress, OrgName, ServiceName},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// What a service speaks.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    Tcp,
    Postgres,
}

impl ServiceKind {
    /// As it is written in policies and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Postgres => "postgres",
        }
    }
}

/// The keys of one outlet that serves the service (current or next).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutletKeys {
    pub identity: VerifyKey,
    pub noise: NoisePublic,
}

/// A relay that joins circuits to the service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    pub address: HubAddress,
    pub noise: NoisePublic,
}

/// Whose tickets make outlets of the service: an outlet's own keys need not be known when this is signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutletEnrolment {
    /// The keys that sign such tickets: the org root's, and perhaps a former one's.
    pub keys: Vec<VerifyKey>,
    /// Tickets from before this make no outlet any more, whenever they were used: raised to shut outlets out.
    pub since: UnixTime,
}

impl OutletEnrolment {
    /// Whether this ticket makes outlets of `service`.
    pub(super) fn check(
        &self,
        ticket: &TicketStatement,
        service: &ServiceStatement,
    ) -> Result<(), StatementError> {
        let meant = TicketKind::Outlet {
            service: service.service.clone(),
        };
        if ticket.kind != meant {
            Err(StatementError::Ticket)
        } else if ticket.at < self.since {
            Err(StatementError::Expired)
        } else {
            Ok(())
        }
    }
}

/// A service as the catalogue knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceStatement {
    pub org: OrgName,
    pub service: ServiceName,
    pub kind: ServiceKind,
    /// The outlets whose keys were known when this was signed.
    pub outlets: Vec<OutletKeys>,
    /// How others may become outlets; `None`: none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<OutletEnrolment>,
    pub relays: Vec<Relay>,
    /// Default local port of the inlet.
    pub port: u16,
    /// Counts up; a lower one is never taken again.
    pub version: u64,
    /// For people; empty means the name is shown.
    pub title: String,
    /// For `postgres`: the database's name in connection strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl ServiceStatement {
    /// Most outlets that are enrolled by ticket and handed out.
    pub const MAX_ENROLLED: usize = 8;

    /// The entry with the outlets that `chains` prove. A chain that proves none is left out, as its bringer could have done.
    #[must_use]
    pub fn with_outlets(mut self, chains: &[EnrolmentChain]) -> Self {
        for chain in chains.iter().take(Self::MAX_ENROLLED) {
            if let Ok(keys) = chain.outlet(&self)
                && !self.outlets.contains(&keys)
            {
                self.outlets.push(keys);
            }
        }
        self
    }
}

impl Statement for ServiceStatement {
    const TYP: &'static str = "tg-service";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        let enrolling = self.enrolment.as_ref().map_or(0, |by| by.keys.len());
        require(self.outlets.len() <= 8 && enrolling <= 8)?;
        require(!self.outlets.is_empty() || enrolling > 0)?;
        require(self.enrolment.is_none() || enrolling > 0)?;
        require((1..=8).contains(&self.relays.len()))?;
        require(self.port >= 1024)?;
        require(is_label(&self.title, 120))?;
        require(
            self.database
                .as_ref()
                .is_none_or(|name| !name.is_empty() && is_label(name, 63)),
        )
    }
}
