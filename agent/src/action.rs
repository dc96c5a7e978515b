//! Everything a person can ask of the agent: one enum for tray, window, CLI and deep link.
//! A newcomer would print an `Action` while debugging: a join link is a secret until used, so `Debug` hides it and there is no `Display`.

use std::fmt;

use crate::{About, OrgName, ServiceRef};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Join {
        link: Secret,
    },
    /// Gives up a join that is under way.
    CancelJoin,
    SignIn {
        org: OrgName,
    },
    /// Without a browser on this computer: a code to type on another one. Its assurance is low.
    SignInWithCode {
        org: OrgName,
    },
    CancelSignIn {
        org: OrgName,
    },
    /// Ends every portal of the org and forgets its refresh token; the device stays enrolled.
    SignOut {
        org: OrgName,
    },
    /// Ends everything of the org and forgets it and its keys. Other orgs go on.
    Leave {
        org: OrgName,
    },
    /// Shows the words for a new device that asks to be let in, here and there.
    CompareDevice {
        org: OrgName,
        request: String,
    },
    /// The person has seen the same words on both screens.
    ApproveDevice {
        org: OrgName,
        request: String,
    },
    DeclineDevice {
        org: OrgName,
        request: String,
    },
    /// Shuts out a device of the person, by its `id`; for good.
    RevokeDevice {
        org: OrgName,
        device: String,
    },
    /// Asks for access to a service; `seconds` from the first use on, the usual time where nothing is said.
    Ask {
        service: ServiceRef,
        seconds: Option<u64>,
        read_only: bool,
        reason: String,
        /// Break-glass: everybody who could have approved is told.
        emergency: bool,
    },
    /// Asks for more time, to follow what was granted; by the same rules.
    Extend {
        org: OrgName,
        request: String,
        seconds: Option<u64>,
        reason: String,
    },
    Withdraw {
        org: OrgName,
        request: String,
    },
    /// Answers somebody else's request.
    Decide {
        org: OrgName,
        request: String,
        decision: Decision,
    },
    /// Ends what was granted, here or by this person.
    TakeBack {
        org: OrgName,
        request: String,
        because: String,
    },
    /// The person has these before their eyes; whoever asked is told.
    SawRequests {
        org: OrgName,
        requests: Vec<String>,
        /// In a terminal, by their first letters: those stand for these from now on, and for nothing else.
        printed: bool,
    },
    Connect {
        service: ServiceRef,
    },
    Disconnect {
        service: ServiceRef,
    },
    /// Gives a service another local port, or with `None` the catalogue's again; kept in `agent.toml`.
    /// A service that is connected is connected anew, and so is one whose port was taken.
    SetPort {
        service: ServiceRef,
        port: Option<u16>,
    },
    /// Puts the service's section into the person's own `pg_service.conf`, or brings it up to date there. Never over somebody's text.
    WritePgService {
        service: ServiceRef,
    },
    /// One of an org, or of this computer where no org is named.
    DismissProblem {
        org: Option<OrgName>,
        about: About,
    },
    /// Asks at once what is asked again by itself: the org's hub, keyring and disk; of every org, where none is named.
    LookAgain {
        org: Option<OrgName>,
    },
    /// Ends everything; `Agent::shutdown` follows.
    Quit,
}

/// An answer to a request: never more than what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// As asked, or for less time, or read-only.
    Approve {
        seconds: Option<u64>,
        read_only: bool,
    },
    Deny {
        because: String,
    },
}

impl Action {
    /// Whether the hub has to be asked before anybody knows whether it was accepted.
    pub(crate) fn is_about_access(&self) -> bool {
        matches!(
            self,
            Self::Ask { .. }
                | Self::Extend { .. }
                | Self::Withdraw { .. }
                | Self::Decide { .. }
                | Self::TakeBack { .. }
                | Self::SawRequests { .. }
        )
    }

    /// Whose business it is; `None`: not a single org's.
    pub fn org(&self) -> Option<&OrgName> {
        match self {
            Self::SignIn { org }
            | Self::SignInWithCode { org }
            | Self::CancelSignIn { org }
            | Self::SignOut { org }
            | Self::CompareDevice { org, .. }
            | Self::ApproveDevice { org, .. }
            | Self::DeclineDevice { org, .. }
            | Self::RevokeDevice { org, .. }
            | Self::Extend { org, .. }
            | Self::Withdraw { org, .. }
            | Self::Decide { org, .. }
            | Self::TakeBack { org, .. }
            | Self::SawRequests { org, .. }
            | Self::LookAgain { org: Some(org) }
            | Self::DismissProblem { org: Some(org), .. } => Some(org),
            Self::Connect { service }
            | Self::Ask { service, .. }
            | Self::Disconnect { service }
            | Self::SetPort { service, .. }
            | Self::WritePgService { service } => Some(&service.org),
            // The household's: joining and leaving change who is there.
            Self::Join { .. }
            | Self::CancelJoin
            | Self::Leave { .. }
            | Self::LookAgain { org: None }
            | Self::DismissProblem { org: None, .. }
            | Self::Quit => None,
        }
    }
}

/// Text that must not be shown: a join link on its way from the clipboard to the agent. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_link_is_not_in_debug_output() {
        let action = Action::Join {
            link: Secret::from("tidegate://join?ticket=canary".to_owned()),
        };

        assert!(!format!("{action:?}").contains("canary"));
    }
}
