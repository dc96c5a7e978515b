//! Which local port each service of this laptop has: always the same one, whatever else is joined, listed or started later.
//! A newcomer would take any free port: then nothing a person saved in a program works tomorrow. What was given once stays given.

mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tidegate_link::keyfile;
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem};

use crate::ServiceRef;
use crate::inlet::bind::is_free;
use crate::settings::{self, ServiceKey};

/// Largest record of given ports that is read, in bytes.
const LIMIT: usize = 1 << 20;

/// The ports of all orgs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ports(Arc<Mutex<Book>>);

struct Book {
    /// The person's word, from `agent.toml`.
    chosen: BTreeMap<ServiceKey, u16>,
    /// The administrators' word, from the catalogues.
    listed: BTreeMap<ServiceRef, u16>,
    /// What was given, and for which wish: it stays as long as the wish does.
    given: BTreeMap<ServiceRef, Given>,
    /// Where `given` is kept.
    record: PathBuf,
    /// The record could not be written: the next look at it tries again.
    behind: bool,
    /// `agent.toml`.
    settings: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    wanted: u16,
    port: u16,
}

impl Ports {
    /// What the last run gave is in `record`; without it ports are given anew, by the same rules.
    pub(crate) fn new(
        chosen: BTreeMap<ServiceKey, u16>,
        record: PathBuf,
        settings: PathBuf,
    ) -> Self {
        let given = keyfile::read(&record, LIMIT)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        Self(Arc::new(Mutex::new(Book {
            chosen,
            listed: BTreeMap::new(),
            given,
            record,
            behind: false,
            settings,
        })))
    }

    /// An org's catalogue, whole.
    pub(crate) fn list(&self, org: &OrgName, services: impl Iterator<Item = (ServiceName, u16)>) {
        let mut book = self.book();
        book.listed.retain(|service, _| service.org != *org);
        book.listed
            .extend(services.map(|(service, port)| (ServiceRef::new(org, &service), port)));
        book.settle();
    }

    pub(crate) fn forget(&self, org: &OrgName) {
        let mut book = self.book();
        book.listed.retain(|service, _| service.org != *org);
        book.given.retain(|service, _| service.org != *org);
        book.settle();
        book.save();
    }

    /// The port of a listed service.
    pub(crate) fn of(&self, service: &ServiceRef) -> Option<u16> {
        self.book().given.get(service).map(|given| given.port)
    }

    /// Another one for a service whose port is held by somebody: nobody's here, and free right now. The same each time, while the machine is the same.
    pub(crate) fn other(&self, service: &ServiceRef) -> Option<u16> {
        let spoken_for = self.book().spoken_for();
        settle::candidates(service).find(|port| !spoken_for.contains(port) && is_free(*port))
    }

    /// The person's word from now on, kept in `agent.toml`; `None`: the catalogue's again.
    ///
    /// # Errors
    /// When the port cannot be used, is another service's, or the file cannot be changed.
    pub(crate) fn choose(&self, service: &ServiceRef, port: Option<u16>) -> Result<(), Problem> {
        let mut book = self.book();
        if let Some(port) = port {
            book.may_have(service, port)?;
        }
        let is_only_one = !book
            .listed
            .keys()
            .any(|other| other.service == service.service && other.org != service.org);
        let bare = ServiceKey::from(service.service.clone());
        let bare = (port.is_none() && is_only_one).then_some(bare);
        settings::write_port(&book.settings, service, port, bare.as_ref())?;
        let key = ServiceKey::from(service.clone());
        match port {
            Some(port) => drop(book.chosen.insert(key, port)),
            None => book
                .chosen
                .retain(|chosen, _| *chosen != key && Some(chosen) != bare.as_ref()),
        }
        book.settle();
        Ok(())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn choice(&self, service: &ServiceRef) -> Option<u16> {
        let whole = self.chosen.get(&ServiceKey::from(service.clone()));
        let bare = || self.chosen.get(&ServiceKey::from(service.service.clone()));
        whole.or_else(bare).copied()
    }

    fn may_have(&self, service: &ServiceRef, port: u16) -> Result<(), Problem> {
        let problem = Problem::new(Code::PortNotFree)
            .service(&service.service)
            .port(port);
        if port < settings::LOWEST_PORT {
            return Err(problem.said("the system keeps those below 1024 for itself"));
        }
        let owner = self.given.iter().find(|(other, given)| {
            given.port == port && *other != service && self.listed.contains_key(other)
        });
        match owner {
            Some((other, _)) => Err(problem.said(&format!("{other} has it"))),
            None => Ok(()),
        }
    }

    /// Ports that a service here has or would like to have.
    fn spoken_for(&self) -> BTreeSet<u16> {
        let given = self.given.values().map(|given| given.port);
        given.chain(self.listed.values().copied()).collect()
    }

    fn settle(&mut self) {
        let wishes = self.listed.iter().map(|(service, listed)| {
            let choice = self.choice(service);
            let wish = settle::Wish {
                port: choice.unwrap_or(*listed),
                is_the_persons: choice.is_some(),
            };
            (service.clone(), wish)
        });
        let wishes: BTreeMap<_, _> = wishes.collect();
        let settled = settle::settle(&wishes, &self.given);
        let before = self.given.clone();
        self.given.extend(settled);
        if self.given != before || self.behind {
            self.save();
        }
    }

    /// A record that cannot be written costs nothing now: the same rules give the same ports.
    fn save(&mut self) {
        let Ok(json) = serde_json::to_vec_pretty(&self.given) else {
            return;
        };
        let kept = keyfile::replace(&self.record, &json);
        self.behind = kept.is_err();
        if let Err(error) = kept {
            tracing::warn!(%error, "given ports could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> ServiceRef {
        text.parse().unwrap()
    }

    fn ports(dir: &tempfile::TempDir, chosen: &[(&str, u16)]) -> Ports {
        let chosen = chosen
            .iter()
            .map(|(key, port)| (key.parse().unwrap(), *port));
        Ports::new(
            chosen.collect(),
            dir.path().join("ports.json"),
            dir.path().join("agent.toml"),
        )
    }

    fn list(ports: &Ports, org: &str, services: &[(&str, u16)]) {
        let services = services
            .iter()
            .map(|(name, port)| (name.parse().unwrap(), *port));
        ports.list(&org.parse().unwrap(), services);
    }

    #[test]
    fn a_service_keeps_its_port_whoever_comes_later_and_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let book = ports(&dir, &[]);
        list(&book, "beta", &[("warehouse", 15432)]);
        list(&book, "acme", &[("warehouse", 15432)]);

        let given = book.of(&of("acme/warehouse")).unwrap();
        assert_eq!(book.of(&of("beta/warehouse")), Some(15432));
        assert!((15000..20000).contains(&given) && given != 15432, "{given}");

        let again = ports(&dir, &[]);
        list(&again, "acme", &[("warehouse", 15432)]);
        list(&again, "beta", &[("warehouse", 15432)]);
        assert_eq!(again.of(&of("acme/warehouse")), Some(given));
        assert_eq!(again.of(&of("beta/warehouse")), Some(15432));

        // Also when the first one is left: what a person saved must go on working.
        again.forget(&"beta".parse().unwrap());
        assert_eq!(again.of(&of("acme/warehouse")), Some(given));
        // The administrator's new word counts at once.
        list(&again, "acme", &[("warehouse", 15500)]);
        assert_eq!(again.of(&of("acme/warehouse")), Some(15500));
    }

    #[test]
    fn the_persons_word_comes_first_and_is_kept_in_the_file_with_its_comments() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        std::fs::write(&file, "# mine\nmax_connections = 8 # few\n").unwrap();
        let book = ports(&dir, &[("warehouse", 15999)]);
        list(&book, "acme", &[("reports", 15999), ("warehouse", 15432)]);

        assert_eq!(book.of(&of("acme/warehouse")), Some(15999));
        assert_ne!(book.of(&of("acme/reports")), Some(15999));
        book.choose(&of("acme/warehouse"), Some(16000)).unwrap();

        assert_eq!(book.of(&of("acme/warehouse")), Some(16000));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("# mine") && text.contains("# few") && text.contains("16000"),
            "{text}"
        );
        assert_eq!(settings::read(&file).unwrap().ports.len(), 1);
        book.choose(&of("acme/warehouse"), None).unwrap();
        assert_eq!(book.of(&of("acme/warehouse")), Some(15432));
        assert!(settings::read(&file).unwrap().ports.is_empty());
    }

    #[test]
    fn a_port_of_another_service_or_of_the_system_is_not_given_away() {
        let dir = tempfile::tempdir().unwrap();
        let book = ports(&dir, &[]);
        list(&book, "acme", &[("reports", 15433), ("warehouse", 15432)]);

        let taken = book.choose(&of("acme/warehouse"), Some(15433)).unwrap_err();

        assert_eq!(taken.code, Code::PortNotFree);
        assert_eq!(taken.facts.said.unwrap().as_str(), "acme/reports has it");
        assert!(book.choose(&of("acme/warehouse"), Some(80)).is_err());
        assert!(!dir.path().join("agent.toml").exists());
    }

    #[test]
    fn the_other_port_is_free_and_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let book = ports(&dir, &[]);
        list(&book, "acme", &[("warehouse", 15432)]);
        let first = book.other(&of("acme/warehouse")).unwrap();

        assert_eq!(book.other(&of("acme/warehouse")), Some(first));
        let _held = std::net::TcpListener::bind(("127.0.0.1", first)).unwrap();
        assert_ne!(book.other(&of("acme/warehouse")), Some(first));
    }
}
