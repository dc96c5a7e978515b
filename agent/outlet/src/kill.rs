//! The kill switch: closes every portal of one service or of all, at once, and needs nobody but the owner.
//! It is kept on disk: a killed service stays killed through restarts, until `tidegate outlet kill --undo`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::event::EventKind;
use tidegate_proto::names::ServiceName;
use tokio::sync::watch;

const FILE: &str = "killed.json";
const MAX: usize = 64 * 1024;

/// What is killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Killed {
    /// Everything, services that come later included.
    pub all: bool,
    pub services: BTreeSet<ServiceName>,
}

/// What the owner orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Order {
    /// `None` means all services.
    Kill(Option<ServiceName>),
    /// `None` undoes everything, single services included.
    Undo(Option<ServiceName>),
}

/// Why the state of the switch is not known or not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    #[error("the kill switch's file {}: {why}", path.display())]
    File { path: PathBuf, why: KeyFileError },
    #[error("the kill switch's file {} cannot be understood; correct or remove it", .0.display())]
    Content(PathBuf),
}

impl Order {
    pub(crate) fn event(&self) -> EventKind {
        match self {
            Self::Kill(service) => EventKind::KillSwitch {
                service: service.clone(),
                killed: true,
            },
            Self::Undo(service) => EventKind::KillSwitch {
                service: service.clone(),
                killed: false,
            },
        }
    }
}

impl Killed {
    /// True when `service` must have no portal.
    #[must_use]
    pub fn holds(&self, service: &ServiceName) -> bool {
        self.all || self.services.contains(service)
    }

    /// What is killed after `order`.
    #[must_use]
    pub fn after(&self, order: &Order) -> Self {
        let mut next = self.clone();
        match order {
            Order::Kill(None) => next.all = true,
            Order::Kill(Some(service)) => drop(next.services.insert(service.clone())),
            Order::Undo(None) => next = Self::default(),
            Order::Undo(Some(service)) => drop(next.services.remove(service)),
        }
        next
    }

    /// What the data directory says; nothing is killed when it says nothing.
    ///
    /// # Errors
    /// When there is a file that cannot be read or understood: then the outlet must not start.
    pub fn load(data: &Path) -> Result<Self, KillError> {
        let path = data.join(FILE);
        let bytes = match keyfile::read(&path, MAX) {
            Ok(bytes) => bytes,
            Err(KeyFileError::Missing) => return Ok(Self::default()),
            Err(why) => return Err(KillError::File { path, why }),
        };
        serde_json::from_slice(&bytes).map_err(|_| KillError::Content(path))
    }

    /// Writes it to the data directory; also used by the command line when no outlet runs.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn store(&self, data: &Path) -> Result<(), KillError> {
        let path = data.join(FILE);
        let bytes = serde_json::to_vec(self).expect("names and flags serialise");
        keyfile::replace(&path, &bytes).map_err(|why| KillError::File { path, why })
    }
}

/// The switch of a running outlet.
pub(crate) struct KillSwitch {
    data: PathBuf,
    state: watch::Sender<Killed>,
    writing: Mutex<()>,
}

impl KillSwitch {
    pub(crate) fn load(data: &Path) -> Result<Self, KillError> {
        let state = watch::Sender::new(Killed::load(data)?);
        Ok(Self {
            data: data.to_owned(),
            state,
            writing: Mutex::new(()),
        })
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Killed> {
        self.state.subscribe()
    }

    /// A kill counts at once and is then written down; an undo is written down first. Either way, what is lost is access.
    pub(crate) fn apply(&self, order: &Order) -> Result<Killed, KillError> {
        let _one = self
            .writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = self.state.borrow().after(order);
        match order {
            Order::Kill(_) => {
                self.state.send_replace(next.clone());
                next.store(&self.data)?;
            }
            Order::Undo(_) => {
                next.store(&self.data)?;
                self.state.send_replace(next.clone());
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> ServiceName {
        text.parse().unwrap()
    }

    fn data() -> tempfile::TempDir {
        crate::testing::private_dir()
    }

    #[test]
    fn a_killed_service_stays_killed_through_a_restart_until_undone() {
        let dir = data();
        let switch = KillSwitch::load(dir.path()).unwrap();
        switch.apply(&Order::Kill(Some(name("warehouse")))).unwrap();

        let after_restart = KillSwitch::load(dir.path()).unwrap();

        assert!(after_restart.watch().borrow().holds(&name("warehouse")));
        assert!(!after_restart.watch().borrow().holds(&name("cache")));
        after_restart
            .apply(&Order::Undo(Some(name("warehouse"))))
            .unwrap();
        assert_eq!(Killed::load(dir.path()), Ok(Killed::default()));
    }

    #[test]
    fn kills_everything_and_undoes_everything() {
        let dir = data();
        let switch = KillSwitch::load(dir.path()).unwrap();
        switch.apply(&Order::Kill(Some(name("cache")))).unwrap();

        let all = switch.apply(&Order::Kill(None)).unwrap();
        let none = switch.apply(&Order::Undo(None)).unwrap();

        assert!(all.holds(&name("unheard-of")));
        assert_eq!(none, Killed::default());
    }

    #[test]
    fn a_kill_counts_even_when_it_cannot_be_kept() {
        let dir = data();
        let switch = KillSwitch::load(dir.path()).unwrap();
        drop(dir);

        assert!(switch.apply(&Order::Kill(None)).is_err());

        assert!(switch.watch().borrow().all);
    }

    #[test]
    fn a_file_that_cannot_be_understood_kills_the_start_not_the_switch() {
        let dir = data();
        keyfile::replace(&dir.path().join(FILE), b"{\"all\":").unwrap();

        assert_eq!(
            Killed::load(dir.path()),
            Err(KillError::Content(dir.path().join(FILE)))
        );
    }
}
