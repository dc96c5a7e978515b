//! `tg-service`: one catalogue entry, signed by the org root, so that the hub can leave one out but never alter one.
//! The outlet's Noise key in here is what the agent pins; without that comparison the channel proves nothing.

use super::{Statement, StatementError, is_label, require};
use crate::{
    identity::{NoisePublic, VerifyKey},
    names::{HubAddress, OrgName, ServiceName},
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

/// A service as the catalogue knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceStatement {
    pub org: OrgName,
    pub service: ServiceName,
    pub kind: ServiceKind,
    pub outlets: Vec<OutletKeys>,
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

impl Statement for ServiceStatement {
    const TYP: &'static str = "tg-service";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require((1..=8).contains(&self.outlets.len()) && (1..=8).contains(&self.relays.len()))?;
        require(self.port >= 1024)?;
        require(is_label(&self.title, 120))?;
        require(
            self.database
                .as_ref()
                .is_none_or(|name| !name.is_empty() && is_label(name, 63)),
        )
    }
}
