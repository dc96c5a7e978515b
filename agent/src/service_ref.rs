//! Which service of which org is meant: `acme/warehouse`, and what a bare `warehouse` stands for.
//! Two orgs may have a service of the same name: nothing is ever picked by chance, whoever asked is told to say more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_proto::names::{NameError, OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem};

use crate::snapshot::{AccountView, OrgSnapshot, Snapshot};

/// One service of one org; as text `acme/warehouse`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceRef {
    pub org: OrgName,
    pub service: ServiceName,
}

impl ServiceRef {
    #[must_use]
    pub fn new(org: &OrgName, service: &ServiceName) -> Self {
        Self {
            org: org.clone(),
            service: service.clone(),
        }
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.service)
    }
}

impl FromStr for ServiceRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (org, service) = text.split_once('/').ok_or(NameError::Character)?;
        Ok(Self {
            org: org.parse()?,
            service: service.parse()?,
        })
    }
}

impl TryFrom<String> for ServiceRef {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ServiceRef> for String {
    fn from(service: ServiceRef) -> Self {
        service.to_string()
    }
}

impl Snapshot {
    /// What a person means who writes `acme/warehouse` or `warehouse`: the latter is the only org that has it, or the only one that might.
    ///
    /// # Errors
    /// `WhichOrg` when two orgs could be meant, `NotAvailable` when none, `NotJoined` when there is none at all.
    pub fn find(&self, text: &str) -> Result<ServiceRef, Problem> {
        let unavailable = || Problem::new(Code::NotAvailable);
        if text.contains('/') {
            return text.parse().map_err(|_| unavailable());
        }
        let service: ServiceName = text.parse().map_err(|_| unavailable())?;
        let has_it = |org: &&OrgSnapshot| org.service(&service).is_some();
        // Its catalogue may grow with the next sign-in.
        let may_have_it = |org: &&OrgSnapshot| !matches!(org.account, AccountView::SignedIn { .. });
        let mut candidates: Vec<_> = self.orgs.iter().filter(has_it).collect();
        if candidates.is_empty() {
            candidates = match self.orgs.as_slice() {
                [] => return Err(self.not_joined()),
                [only] => vec![only],
                many => many.iter().filter(may_have_it).collect(),
            };
        }
        let refs: Vec<_> = candidates
            .iter()
            .map(|org| ServiceRef::new(&org.name, &service))
            .collect();
        match refs.as_slice() {
            [] => Err(unavailable().service(&service)),
            [only] => Ok(only.clone()),
            [_, _, ..] => Err(which_org(&service, &refs)),
        }
    }

    /// The only org, or the one of that name; for verbs that are about an org.
    ///
    /// # Errors
    /// `WhichOrg` when there are several and none is named, `NotJoined` when there is none (of that name).
    pub fn find_org(&self, name: Option<&OrgName>) -> Result<OrgName, Problem> {
        match (name, self.orgs.as_slice()) {
            (Some(name), _) if self.org(name).is_some() => Ok(name.clone()),
            (Some(_), _) | (None, []) => Err(self.not_joined()),
            (None, [only]) => Ok(only.name.clone()),
            (None, many) => {
                let names: Vec<_> = many.iter().map(|org| org.name.as_str()).collect();
                Err(Problem::new(Code::WhichOrg).said(&names.join(" or ")))
            }
        }
    }

    /// Why there is no org: none was joined, or what was joined cannot be read.
    pub(crate) fn not_joined(&self) -> Problem {
        let unreadable = |problem: &&Problem| {
            matches!(
                problem.code,
                Code::DataDirUnusable | Code::OrgUnreadable | Code::KeyFileOpen
            )
        };
        let unreadable = self.problems.iter().find(unreadable);
        unreadable.cloned().unwrap_or(Problem::new(Code::NotJoined))
    }
}

fn which_org(service: &ServiceName, refs: &[ServiceRef]) -> Problem {
    let names: Vec<_> = refs.iter().map(ToString::to_string).collect();
    Problem::new(Code::WhichOrg)
        .service(service)
        .said(&names.join(" or "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::snapshot::{HubState, KeyHome, ServiceView};
    use crate::{ConnectionStrings, ServiceKind, ServiceState, Traffic, UnixTime};

    fn org(name: &str, signed_in: bool, services: &[&str]) -> OrgSnapshot {
        let service = |name: &&str| ServiceView {
            name: name.parse().unwrap(),
            title: String::new(),
            kind: ServiceKind::Tcp,
            state: ServiceState::Idle,
            port: 15432,
            other_port: None,
            socket: None,
            askable: None,
            grant: None,
            connection: ConnectionStrings::new(
                &name.parse().unwrap(),
                ServiceKind::Tcp,
                15432,
                None,
            ),
            traffic: Traffic::default(),
            portals: 0,
            reconnecting: None,
        };
        let account = if signed_in {
            AccountView::SignedIn {
                name: "ana".into(),
                until: UnixTime(9),
                again: None,
            }
        } else {
            AccountView::SignedOut { last: None }
        };
        OrgSnapshot {
            name: name.parse().unwrap(),
            hub_address: "hub.example:443".parse().unwrap(),
            device: "laptop".into(),
            link: String::new(),
            enrolling: None,
            devices: vec![],
            device_requests: vec![],
            requests: Vec::new(),
            printed: Vec::new(),
            signing_out: false,
            account,
            hub: HubState::Connected,
            services: services.iter().map(service).collect(),
            problems: vec![],
        }
    }

    fn of(orgs: Vec<OrgSnapshot>) -> Snapshot {
        Snapshot {
            orgs,
            ..Snapshot::empty(KeyHome::Keyring)
        }
    }

    #[test]
    fn a_reference_survives_its_own_text() {
        let text = "acme/warehouse";

        assert_eq!(text.parse::<ServiceRef>().unwrap().to_string(), text);
        for bad in [
            "warehouse",
            "/",
            "acme/",
            "/x",
            "a/b/c",
            "acme/../x",
            "Acme/x",
            "",
        ] {
            assert!(bad.parse::<ServiceRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_name_means_the_only_org_that_has_it() {
        let two = of(vec![
            org("acme", true, &["warehouse", "reports"]),
            org("beta", true, &["warehouse"]),
        ]);

        assert_eq!(two.find("reports").unwrap().to_string(), "acme/reports");
        assert_eq!(
            two.find("beta/warehouse").unwrap().to_string(),
            "beta/warehouse"
        );
        let which = two.find("warehouse").unwrap_err();
        assert_eq!(which.code, Code::WhichOrg);
        assert_eq!(
            which.facts.said.unwrap().as_str(),
            "acme/warehouse or beta/warehouse"
        );
        for unknown in ["nonesuch", "Nonesuch", "a/b/c"] {
            assert_eq!(
                two.find(unknown).unwrap_err().code,
                Code::NotAvailable,
                "{unknown}"
            );
        }
    }

    #[test]
    fn before_anything_is_known_the_org_that_may_have_it_is_asked() {
        let one = of(vec![org("acme", false, &[])]);
        let second_unknown = of(vec![
            org("acme", true, &["reports"]),
            org("beta", false, &[]),
        ]);
        let both_unknown = of(vec![org("acme", false, &[]), org("beta", false, &[])]);

        assert_eq!(one.find("warehouse").unwrap().to_string(), "acme/warehouse");
        assert_eq!(
            second_unknown.find("warehouse").unwrap().to_string(),
            "beta/warehouse"
        );
        assert_eq!(
            both_unknown.find("warehouse").unwrap_err().code,
            Code::WhichOrg
        );
        assert_eq!(
            of(vec![]).find("warehouse").unwrap_err().code,
            Code::NotJoined
        );
    }

    #[test]
    fn an_org_needs_no_name_while_it_is_the_only_one() {
        let one = of(vec![org("acme", false, &[])]);
        let two = of(vec![org("acme", false, &[]), org("beta", false, &[])]);
        let beta = "beta".parse().unwrap();

        assert_eq!(one.find_org(None).unwrap().as_str(), "acme");
        assert_eq!(two.find_org(Some(&beta)).unwrap(), beta);
        assert_eq!(two.find_org(None).unwrap_err().code, Code::WhichOrg);
        assert_eq!(one.find_org(Some(&beta)).unwrap_err().code, Code::NotJoined);
    }
}
