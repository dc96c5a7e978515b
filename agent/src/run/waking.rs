//! Looking into the keyring, and at the hub, before anybody is signed in.
//! Both are asked again until they answer; neither holds up the loop, because a keyring waits behind a dialog.

use std::sync::Arc;

use tidegate_proto::problem::Problem;
use tidegate_proto::time::UnixTime;

use super::account::Input;
use super::effects::Errand;
use super::orders::{TaskNews, TaskReport, Woken};
use super::owner::Owner;
use super::state::Task;
use crate::backoff::Backoff;
use crate::disk::Membership;
use crate::hub::greeting::greet;
use crate::hub::report::BETTER;
use crate::join;
use crate::keys::{Entry, Vault};
use crate::problems;
use crate::signin::tokens::Session;
use crate::snapshot::HubState;

impl Owner {
    /// Reads key and session from the keyring.
    pub(super) fn read_keys(&mut self, attempt: u64) {
        let Some(home) = &self.state.home else { return };
        let (vault, membership) = (self.tools.kit.vault.clone(), home.membership.clone());
        let reports = self.tools.task_reports.clone();
        let task = Task::spawn(async move {
            let news = TaskNews::Woken(read_keys(&vault, &membership).await);
            let _ = reports.send(TaskReport { attempt, news }).await;
        });
        self.work.errand = Some((attempt, Errand::Quiet { _task: task }));
    }

    /// Finds out whether the hub is there while nobody is signed in, so that the window tells the truth.
    pub(super) fn greet_hub(&mut self) {
        self.state.hub = HubState::Connecting;
        self.greet_hub_again();
    }

    /// The same without a word: a hub that was away is away until it answers.
    fn greet_hub_again(&mut self) {
        let Some(home) = &self.state.home else { return };
        let (hub, noise) = (home.membership.hub(), Arc::clone(&self.tools.noise));
        let mut trust = home.membership.trust.clone();
        let reports = self.tools.task_reports.clone();
        self.work.greeting = Some(Task::spawn(async move {
            let mut backoff = Backoff::new();
            loop {
                let greeted = greet(&hub, &noise, &mut trust).await;
                let result = greeted
                    .map(|_| ())
                    .map_err(|error| error.problem(&hub.address));
                let is_there = result.is_ok();
                let _ = reports
                    .send(TaskReport {
                        attempt: 0,
                        news: TaskNews::Greeted(result),
                    })
                    .await;
                if is_there {
                    return;
                }
                tokio::time::sleep(backoff.wait()).await;
            }
        }));
    }

    /// Somebody does not want to wait for what is asked again by itself.
    pub(super) async fn look_again(&mut self) {
        if self.disk.is_behind() {
            self.keep_again();
        }
        if matches!(self.state.hub, HubState::Away { .. }) && self.work.greeting.is_some() {
            self.greet_hub_again();
        }
        self.circuits().hurry.notify_one();
        self.happens(Input::LookAgain).await;
    }

    pub(super) fn on_greeted(&mut self, result: Result<(), Problem>) {
        if self.work.greeting.is_none() {
            return;
        }
        match result {
            Ok(()) => {
                self.state.hub = HubState::Connected;
                self.better(BETTER);
            }
            Err(problem) => {
                let since = self.away();
                self.trouble(problem.since(since));
            }
        }
    }

    /// The hub is away, since the first time this was noticed.
    fn away(&mut self) -> UnixTime {
        let since = match self.state.hub {
            HubState::Away { since } => since,
            HubState::Connected | HubState::Connecting => self.tools.kit.clock.now(),
        };
        self.state.hub = HubState::Away { since };
        since
    }
}

async fn read_keys(vault: &Vault, membership: &Membership) -> Result<Woken, Problem> {
    let identity = join::identity(vault, membership).await?;
    let read = async |entry| {
        let secret = vault.read(&membership.org, entry).await;
        secret.map_err(problems::of_store)
    };
    let session = read(Entry::Session).await?;
    // A sign-out that met a locked keyring left them behind.
    let leaves_something =
        membership.signed_out && (session.is_some() || read(Entry::Refresh).await?.is_some());
    let session = session
        .and_then(|secret| Session::from_secret(&secret))
        .map(Arc::new);
    Ok(Woken {
        identity,
        session,
        leaves_something,
    })
}
