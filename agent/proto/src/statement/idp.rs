//! `tg-idp`: which identity provider speaks for the org's people, signed by the org root.
//! Issuer and client id are compared byte for byte; a trailing slash makes another issuer.

use super::{Statement, StatementError, is_label, require};
use crate::names::{HubAddress, OrgName};
use serde::{Deserialize, Serialize};

/// A signature algorithm that a provider may use; no other is ever tried.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    PS256,
    ES256,
}

impl Algorithm {
    /// Its name in a JWS header (RFC 7518, section 3.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
        }
    }
}

/// The identity provider's settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdpStatement {
    pub org: OrgName,
    /// `https://…`, exactly as it stands in `iss`.
    pub issuer: String,
    /// Registered for Tidegate and used for nothing else.
    pub client_id: String,
    pub algorithms: Vec<Algorithm>,
    /// Ports of the registered loopback redirect URIs, tried in this order.
    pub redirect_ports: [u16; 3],
    /// The claim of the ID token that lists groups.
    pub groups_claim: String,
    /// Where the provider's keys are fetched: the one host a relay tunnels to.
    pub key_host: HubAddress,
    /// A private CA for the provider, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Longest session after `auth_time`, in seconds; at most 12 hours.
    pub max_session: u64,
    /// Counts up; a lower one is never taken again.
    pub version: u64,
}

impl IdpStatement {
    /// Longest session there can be, in seconds (PROTOCOL section 4).
    pub const MAX_SESSION: u64 = 12 * 3600;
}

impl Statement for IdpStatement {
    const TYP: &'static str = "tg-idp";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        let url = self
            .issuer
            .strip_prefix("https://")
            .is_some_and(|rest| !rest.is_empty());
        let plain = self
            .issuer
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
        require(url && plain && self.issuer.len() <= 512)?;
        require(!self.client_id.is_empty() && is_label(&self.client_id, 255))?;
        require((1..=3).contains(&self.algorithms.len()))?;
        require(self.redirect_ports.iter().all(|port| *port >= 1024))?;
        require(!self.groups_claim.is_empty() && is_label(&self.groups_claim, 128))?;
        require((60..=Self::MAX_SESSION).contains(&self.max_session))
    }
}
