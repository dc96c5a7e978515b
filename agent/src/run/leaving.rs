//! Leaving an org: its ports close, its secrets go, its provider hears of it, and last of all its folder goes.
//! A newcomer would delete the folder first: whoever is stopped half way then has keys that nobody will ever forget.

use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::household::Household;
use crate::disk::Membership;
use crate::keys::{Entry, StoreError};
use crate::problems;
use crate::signin::goodbye::Goodbye;

/// What only this device has. The refresh token goes last: it is what the provider is told with.
const OWN: &[Entry] = &[Entry::Session, Entry::Joining, Entry::Identity];
/// Orgs that are being left.
#[derive(Default)]
pub(super) struct Leaving {
    /// Their owners, which still say goodbye.
    ends: Vec<watch::Sender<Option<Code>>>,
    tasks: JoinSet<()>,
}

impl Leaving {
    /// The app quits: no owner has time for a long goodbye.
    pub(super) fn hurry(&self) {
        for end in &self.ends {
            end.send_replace(Some(Code::AppQuitting));
        }
    }

    pub(super) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Household {
    pub(super) fn leave(&mut self, org: &OrgName) -> Result<(), Problem> {
        let Some(member) = self.members.remove(org) else {
            return Err(self.board.read().not_joined());
        };
        self.routes.send_modify(|routes| {
            routes.remove(org);
        });
        self.drop_join(org);
        self.board.remove(org);
        self.orgs.leave(org);
        self.kit.ports.forget(org);
        member.end.send_replace(Some(Code::SignedOut));
        self.leaving.ends.retain(|end| !end.is_closed());
        self.leaving.ends.push(member.end);
        let gone = async move {
            let _ = member.task.await;
        };
        // At once: a goodbye takes its time, and the app may be quit meanwhile.
        let board = self.board.clone();
        let vault = &self.kit.vault;
        drop(self.forgetting.forget(vault, org, OWN, move |error| {
            board.trouble(problems::of_store(error));
        }));
        // The owner told the provider, and forgot the token with that.
        let (orgs, name) = (self.orgs.clone(), org.clone());
        let done = move |all: Result<(), StoreError>| {
            if all.is_ok() {
                orgs.forget(&name);
            }
        };
        let rest = self
            .forgetting
            .forget_after(gone, vault, org, Entry::ALL, done);
        drop(rest);
        tracing::info!(%org, "org was left");
        Ok(())
    }

    /// An earlier run was stopped while it left this org.
    pub(super) fn go_on_leaving(&mut self, left: Membership) {
        tracing::info!(org = %left.org, "leaving an org goes on");
        let goodbye = Goodbye {
            idp: None,
            hub: left.hub(),
            noise: NoiseSecret::generate(&SystemEntropy).into(),
            trust: left.trust,
        };
        let (orgs, org, board) = (self.orgs.clone(), left.org, self.board.clone());
        let name = org.clone();
        let done = move |all: Result<(), StoreError>| {
            if all.is_ok() {
                orgs.forget(&name);
            }
        };
        let vault = &self.kit.vault;
        let token = self
            .forgetting
            .forget_after(async {}, vault, &org, Entry::ALL, done);
        self.leaving.tasks.spawn(async move {
            if let Err(problem) = goodbye.say(token).await {
                board.trouble(problem);
            }
        });
    }
}
