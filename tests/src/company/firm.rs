//! Which company: its name, the accounts of its three parts, and where its hub is. Two can stand on one stage.
//! They share nothing but provider, database and wires: no key, no account, no address.

use std::net::IpAddr;
use std::sync::Arc;

use crate::ground::{self, Ground};
use crate::stage::Stage;
use crate::trouble::Outcome;
use crate::user::User;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firm {
    Acme,
    Beta,
}

impl Firm {
    #[must_use]
    pub fn org(self) -> &'static str {
        match self {
            Self::Acme => super::ORG,
            Self::Beta => "beta",
        }
    }

    #[must_use]
    pub fn admin(self) -> User {
        match self {
            Self::Acme => User::Admin,
            Self::Beta => User::BetaAdmin,
        }
    }

    #[must_use]
    pub fn hub(self) -> User {
        match self {
            Self::Acme => User::Hub,
            Self::Beta => User::BetaHub,
        }
    }

    #[must_use]
    pub fn outlet(self) -> User {
        match self {
            Self::Acme => User::Outlet,
            Self::Beta => User::BetaOutlet,
        }
    }

    /// What its hub listens on.
    pub(super) fn hub_ip(self, ground: &Ground) -> IpAddr {
        match self {
            Self::Acme => ground.hub(),
            Self::Beta => ground.beta_hub(),
        }
    }

    /// As its join links name the hub.
    pub(super) fn hub_address(self, stage: &Arc<Stage>) -> Outcome<String> {
        let host = stage.host(&format!("hub.{}.example", self.org()));
        Ok(format!("{host}:{}", stage.port(ground::HUB_PORT)?))
    }

    /// The name of one of its programs, for the logs.
    pub(super) fn log(self, part: &str) -> String {
        match self {
            Self::Acme => part.to_owned(),
            Self::Beta => format!("beta-{part}"),
        }
    }
}
