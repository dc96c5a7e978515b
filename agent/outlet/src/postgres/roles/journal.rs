//! Which temporary roles this outlet must clear away: on disk before a role is made, and struck out when it is gone for sure.
//! A newcomer would note a role when it is there: an outlet killed in between would leave it behind for ever.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tidegate_link::kept::{self, KeptError};
use tidegate_proto::names::ServiceName;
use tidegate_proto::permit::Permit;
use tokio::sync::Mutex;

use super::RoleFault;

const MOST: usize = 4 << 20;

/// The name of a temporary role: letters, digits and `_`, 28 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RoleName(String);

/// What the names of all roles that one outlet makes for one service begin with, and nobody else's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Prefix(String);

/// The duty to look after a role that is in the journal; with it the database may be dialled. Nothing else makes one.
#[derive(Debug)]
pub struct Duty(());

/// The journal of one service.
pub(super) struct Journal {
    path: PathBuf,
    roles: Arc<Mutex<BTreeSet<RoleName>>>,
}

impl Prefix {
    /// `outlet`: what tells this outlet from all others.
    pub(super) fn new(outlet: &[u8], service: &ServiceName) -> Self {
        let of = [outlet, service.as_str().as_bytes()].concat();
        Self(format!("tg_{}_", hex(&of, 4)))
    }

    /// The role for whoever stands on the same grant, or is the same person without one.
    pub(super) fn name(&self, permit: &Permit) -> RoleName {
        let of = match permit.grant() {
            Some(used) => format!("grant {}", used.id),
            None => format!("person {}", permit.principal().sub),
        };
        RoleName(format!("{}{}", self.0, hex(of.as_bytes(), 8)))
    }

    /// A name found at the database, if it can be one of these.
    pub(super) fn known(&self, found: &str) -> Option<RoleName> {
        let rest = found.strip_prefix(&self.0)?;
        let is_ours = rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| RoleName(found.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoleName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Journal {
    /// Blocks.
    pub(super) fn load(path: PathBuf) -> Result<Self, KeptError> {
        let roles = Arc::new(Mutex::new(kept::load(&path, MOST)?));
        Ok(Self { path, roles })
    }

    /// All that must be cleared away.
    pub(super) async fn all(&self) -> BTreeSet<RoleName> {
        self.roles.lock().await.clone()
    }

    /// For whoever looks whether more roles of this outlet are there than the journal knows.
    pub(super) fn look(&self) -> Duty {
        Duty(())
    }

    /// Takes the duty on; it is on disk when this returns.
    pub(super) async fn enter(&self, name: &RoleName) -> Result<Duty, RoleFault> {
        self.change(name, |roles, name| roles.insert(name)).await?;
        Ok(Duty(()))
    }

    /// The role is gone. Where that cannot be written down, it will be looked for once more.
    pub(super) async fn strike(&self, name: &RoleName) -> Result<(), RoleFault> {
        self.change(name, |roles, name| roles.remove(&name)).await
    }

    async fn change(
        &self,
        name: &RoleName,
        change: fn(&mut BTreeSet<RoleName>, RoleName) -> bool,
    ) -> Result<(), RoleFault> {
        let mut roles = Arc::clone(&self.roles).lock_owned().await;
        let (path, name) = (self.path.clone(), name.clone());
        // Safe to abandon: what is in memory is what is on disk, whoever waits for it.
        let changing = tokio::task::spawn_blocking(move || {
            let mut next = roles.clone();
            if change(&mut next, name) {
                kept::store(&path, &next)?;
                *roles = next;
            }
            Ok::<_, KeptError>(())
        });
        match changing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the journal of temporary roles was not kept");
                Err(RoleFault::NotKept)
            }
            Err(_) => Err(RoleFault::NotKept),
        }
    }
}

fn hex(of: &[u8], bytes: usize) -> String {
    let hash = digest(&SHA256, of);
    let first = hash.as_ref().iter().take(bytes);
    first.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::private_dir;
    use tidegate_proto::frame::Purpose;
    use tidegate_proto::rehearsal::permit;

    fn prefix(outlet: &[u8], service: &str) -> Prefix {
        Prefix::new(outlet, &service.parse().unwrap())
    }

    #[test]
    fn each_outlet_service_and_person_has_names_of_its_own_that_are_known_again() {
        let (ours, ana) = (
            prefix(b"one", "warehouse"),
            permit("00uana", 1, Purpose::Connect),
        );
        let name = ours.name(&ana);

        assert_eq!(name, ours.name(&permit("00uana", 7, Purpose::Connect)));
        assert_eq!(name.as_str().len(), 28);
        assert_eq!(ours.known(name.as_str()), Some(name.clone()));
        for other in [prefix(b"two", "warehouse"), prefix(b"one", "ledger")] {
            assert_ne!(other.name(&ana), name);
            assert_eq!(other.known(name.as_str()), None);
        }
        assert_ne!(ours.name(&permit("00ubob", 1, Purpose::Connect)), name);
        for found in [
            "tg_",
            "analysts",
            &format!("{name}0"),
            &name.as_str().replace('_', "x"),
        ] {
            assert_eq!(ours.known(found), None, "{found}");
        }
    }

    #[tokio::test]
    async fn what_was_entered_is_there_after_a_restart_until_it_is_struck_out() {
        let dir = private_dir();
        let path = dir.path().join("roles-warehouse.json");
        let name = prefix(b"one", "warehouse").name(&permit("00uana", 1, Purpose::Connect));
        Journal::load(path.clone())
            .unwrap()
            .enter(&name)
            .await
            .unwrap();

        let again = Journal::load(path.clone()).unwrap();

        assert_eq!(again.all().await, [name.clone()].into());
        again.strike(&name).await.unwrap();
        assert!(Journal::load(path).unwrap().all().await.is_empty());
    }

    #[tokio::test]
    async fn a_role_that_cannot_be_written_down_is_not_to_be_made() {
        let dir = private_dir();
        let journal = Journal::load(dir.path().join("roles-warehouse.json")).unwrap();
        let name = prefix(b"one", "warehouse").name(&permit("00uana", 1, Purpose::Connect));
        drop(dir);

        assert!(matches!(
            journal.enter(&name).await,
            Err(RoleFault::NotKept)
        ));
        assert!(journal.all().await.is_empty());
    }
}
