//! Where everybody who owns a part of the truth writes it down: the one snapshot that goes out.
//! A newcomer would collect snapshots of orgs by message: then whoever was answered could look before it was up to date.

use std::sync::Arc;

use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{About, Code, Problem};
use tokio::sync::watch;

use super::troubles;
use crate::keys::Vault;
use crate::snapshot::{OrgSnapshot, Snapshot};

#[derive(Clone)]
pub(crate) struct Board {
    snapshot: watch::Sender<Arc<Snapshot>>,
    vault: Vault,
}

impl Board {
    pub(crate) fn new(vault: Vault) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (snapshot, out) = watch::channel(Arc::new(Snapshot::empty(vault.home())));
        (Self { snapshot, vault }, out)
    }

    pub(crate) fn read(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// An org that was joined, in its place.
    pub(super) fn add(&self, mut org: OrgSnapshot) {
        org.clean();
        self.change(|snapshot| {
            snapshot.orgs.retain(|old| old.name != org.name);
            let place = snapshot.orgs.partition_point(|old| old.name < org.name);
            snapshot.orgs.insert(place, org);
        });
    }

    /// How an org is now. One that was removed stays so, whatever its owner still says.
    pub(super) fn show(&self, mut org: OrgSnapshot) {
        org.clean();
        let known = self.read();
        if known.keys == self.vault.home() && known.org(&org.name) == Some(&org) {
            return;
        }
        self.change(|snapshot| {
            if let Some(place) = snapshot.orgs.iter_mut().find(|old| old.name == org.name) {
                *place = org;
            }
        });
    }

    pub(super) fn remove(&self, org: &OrgName) {
        self.change(|snapshot| snapshot.orgs.retain(|old| old.name != *org));
    }

    pub(super) fn joining(&self, joining: bool) {
        self.change(|snapshot| snapshot.joining = joining);
    }

    /// Something is wrong with this computer, whatever the org.
    pub(super) fn trouble(&self, problem: Problem) {
        self.change(|snapshot| troubles::add(&mut snapshot.problems, problem));
    }

    pub(super) fn better(&self, codes: &[Code]) {
        self.change(|snapshot| troubles::remove(&mut snapshot.problems, codes));
    }

    /// A person has read it.
    pub(super) fn dismiss(&self, about: &About) {
        self.change(|snapshot| troubles::dismiss(&mut snapshot.problems, about));
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshot.send_if_modified(|old| {
            let mut new = (**old).clone();
            change(&mut new);
            new.keys = self.vault.home();
            let changed = **old != new;
            if changed {
                *old = Arc::new(new);
            }
            changed
        });
    }
}
