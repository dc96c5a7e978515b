//! Moving into an org, and being enrolled there again.
//! The org's root fingerprint comes from the join link and from nowhere else, ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tidegate_proto::identity::SigningKey;

use super::access::order::Heard;
use super::account::Input;
use super::owner::Owner;
use super::state::Home;
use crate::devices::sponsor::Requests;
use crate::disk::Membership;
use crate::hub::access::Catalogue;
use crate::join::{self, Joined};

impl Owner {
    /// Takes its place in the org, with the key it was just enrolled with or the one in the keyring.
    pub(crate) async fn move_in(
        &mut self,
        membership: Membership,
        identity: Option<Arc<SigningKey>>,
    ) {
        let is_new = identity.is_some();
        let saved = self.disk.save(&membership).err();
        if is_new && saved.is_none() {
            self.settle_key(membership.clone());
        }
        self.settle(membership, identity);
        if let Some(org) = self.state.snapshot(self.tools.kit.clock.now()) {
            self.board.add(org);
        }
        if let Some(problem) = saved {
            self.trouble(problem);
        }
        if is_new {
            self.greet_hub();
        } else {
            self.happens(Input::Wake).await;
        }
    }

    /// The device was enrolled again, under the same root as before: what was seen stays seen.
    pub(super) async fn adopt(&mut self, joined: Joined) {
        let Joined {
            mut membership,
            identity,
            ..
        } = joined;
        self.happens(Input::Adopt).await;
        self.work.greeting = None;
        if let Some(home) = self.state.home.take() {
            membership.trust = home.membership.trust;
            membership.signed_out = home.membership.signed_out;
        }
        self.state.problems.clear();
        let saved = self.disk.save(&membership).err();
        if saved.is_none() {
            self.settle_key(membership.clone());
        }
        self.settle(membership, Some(identity));
        if let Some(problem) = saved {
            self.trouble(problem);
        }
        self.greet_hub();
    }

    /// Moves the key that was just enrolled to its place, in the background.
    pub(super) fn settle_key(&mut self, membership: Membership) {
        let vault = self.tools.kit.vault.clone();
        self.farewells.spawn(async move {
            if join::settle(&vault, &membership).await.is_err() {
                tracing::info!("key of a join is settled at the next start");
            }
        });
    }

    /// Makes a membership the current one.
    fn settle(&mut self, membership: Membership, identity: Option<Arc<SigningKey>>) {
        let catalogue = remembered(&membership);
        let circuits = self.circuits();
        self.state.home = Some(Home {
            membership,
            identity,
            circuits,
            catalogue,
            idp: None,
            devices: Vec::new(),
            requests: Requests::default(),
            asked: Vec::new(),
            heard: Heard::default(),
            askable: Vec::new(),
            held: BTreeMap::new(),
            fetching: BTreeSet::new(),
            printed: VecDeque::new(),
        });
        self.state.list_ports();
    }
}

/// The last catalogue, for the menu before sign-in. Verified again: a file is not a root key.
fn remembered(membership: &Membership) -> Catalogue {
    let Some(root) = membership.root_key else {
        return Catalogue::new();
    };
    membership
        .trust
        .clone()
        .catalogue(&membership.services, &root, &membership.org)
}
