//! Moving into an org, waking up in it, being enrolled there again.
//! The org's root fingerprint comes from the join link and from nowhere else, ever.

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;

use super::orders::{TaskNews, TaskReport, Woken};
use super::owner::Owner;
use super::state::{Account, Home, Task, Way};
use crate::backoff::Backoff;
use crate::circuit::Admission;
use crate::devices::sponsor::Requests;
use crate::disk::Membership;
use crate::hub::access::Catalogue;
use crate::hub::keeper::greet;
use crate::join::{self, Joined};
use crate::keys::{Entry, Vault};
use crate::problems;
use crate::signin::tokens::Session;
use crate::snapshot::HubState;

/// What a keyring that opened makes obsolete.
const ABOUT_KEYS: &[Code] = &[
    Code::KeyringLocked,
    Code::KeyringAbsent,
    Code::KeyringSilent,
    Code::KeyFileOpen,
    Code::NotEnrolled,
    Code::KeyMissing,
];

impl Owner {
    /// Takes its place in the org, with the key it was just enrolled with or the one in the keyring.
    pub(crate) fn move_in(&mut self, membership: Membership, identity: Option<Arc<SigningKey>>) {
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
            self.wake(None);
        }
    }

    /// The device was enrolled again, under the same root as before: what was seen stays seen.
    pub(super) async fn adopt(&mut self, joined: Joined) {
        let Joined {
            mut membership,
            identity,
            ..
        } = joined;
        self.end_access(&Problem::new(Code::SignedOut), false).await;
        self.greeting = None;
        if let Some(home) = self.state.home.take() {
            membership.trust = home.membership.trust;
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

    /// On disk before anything else is done about it: a keyring may take its time, and this process may not have it.
    pub(super) fn remember_signed_out(&mut self, out: bool) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        home.membership.signed_out = out;
        if let Err(problem) = self.disk.save(&home.membership) {
            self.trouble(problem);
        }
    }

    /// Moves the key that was just enrolled to its place, in the background.
    fn settle_key(&mut self, membership: Membership) {
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
            unintroduced: None,
        });
        self.state.account = Account::SignedOut;
        self.state.list_ports();
    }

    /// Reads key and session from the keyring, and then, if asked, opens the browser where that is needed.
    pub(super) fn wake(&mut self, then_sign_in: Option<Way>) {
        let Some(home) = &self.state.home else { return };
        let (vault, membership) = (self.tools.kit.vault.clone(), home.membership.clone());
        let attempt = self.attempt();
        let reports = self.tools.task_reports.clone();
        let task = Task::spawn(async move {
            let news = TaskNews::Woken(read_keys(&vault, &membership).await);
            let _ = reports.send(TaskReport { attempt, news }).await;
        });
        // Whoever opens a portal now waits for what the keyring says.
        self.admission.send_replace(Admission::Pending);
        self.state.account = Account::Waking {
            _task: task,
            then_sign_in,
        };
    }

    async fn on_woken(&mut self, result: Result<Woken, Problem>) {
        let then_sign_in = match self.state.account {
            Account::Waking { then_sign_in, .. } => then_sign_in,
            _ => None,
        };
        self.state.account = Account::SignedOut;
        self.state.keyring_failed = result.is_err();
        match result.and_then(|woken| self.take_key(woken)) {
            Err(problem) => self.stay_out(problem),
            Ok(Some(session)) if self.is_enrolled() => {
                self.state.account = Account::SignedIn {
                    session: Arc::clone(&session),
                };
                self.keep_hub(session);
            }
            Ok(Some(session)) => self.introduce(session),
            Ok(None) => {
                self.admission
                    .send_replace(Admission::None(Problem::new(Code::SignInNeeded)));
                let signing_in = match then_sign_in {
                    Some(way) => self.sign_in(way).await.is_ok(),
                    None => false,
                };
                if !signing_in {
                    self.greet_hub();
                }
            }
        }
    }

    /// The key of this device, and the session it may go on with.
    fn take_key(&mut self, woken: Woken) -> Result<Option<Arc<Session>>, Problem> {
        self.better(ABOUT_KEYS);
        let Some(home) = &mut self.state.home else {
            return Ok(None);
        };
        home.identity = Some(
            woken
                .identity
                .ok_or_else(|| Problem::new(Code::KeyMissing))?,
        );
        let now = self.tools.kit.clock.now();
        Ok(woken.session.filter(|session| now < session.ends()))
    }

    /// Without its key this device is nobody.
    fn stay_out(&mut self, problem: Problem) {
        self.admission
            .send_replace(Admission::None(problem.clone()));
        self.unwant(Some(&problem));
        self.trouble(problem);
        self.greet_hub();
    }

    /// Finds out whether the hub is there while nobody is signed in, so that the window tells the truth.
    pub(super) fn greet_hub(&mut self) {
        let Some(home) = &self.state.home else { return };
        let (hub, noise) = (home.membership.hub(), Arc::clone(&self.tools.noise));
        let mut trust = home.membership.trust.clone();
        let reports = self.tools.task_reports.clone();
        self.state.hub = HubState::Connecting;
        self.greeting = Some(Task::spawn(async move {
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

    fn on_greeted(&mut self, result: Result<(), Problem>) {
        if self.greeting.is_none() {
            return;
        }
        match result {
            Ok(()) => {
                self.state.hub = HubState::Connected;
                self.better(&[Code::HubUnreachable, Code::HubNotTrusted, Code::TimedOut]);
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

    pub(super) async fn on_task(&mut self, report: TaskReport) {
        let TaskReport { attempt, news } = report;
        let is_current = attempt == self.newest_attempt();
        match news {
            TaskNews::Greeted(result) => self.on_greeted(result),
            TaskNews::SaidGoodbye(result) => self.on_goodbye(result),
            TaskNews::Woken(result) if is_current => self.on_woken(result).await,
            TaskNews::Progress(progress) if is_current => self.on_progress(progress),
            TaskNews::SignedIn(result) if is_current => self.on_signed_in(result),
            TaskNews::SignedIn(result) => self.on_late_sign_in(result),
            TaskNews::Introducing(at) if is_current => self.on_introducing(at),
            TaskNews::LetIn(result) if is_current => self.on_let_in(result),
            TaskNews::Devices(result) => self.on_devices(result),
            TaskNews::Stepped { id, result } => self.on_stepped(&id, result),
            TaskNews::Woken(_)
            | TaskNews::Progress(_)
            | TaskNews::Introducing(_)
            | TaskNews::LetIn(_) => {}
        }
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

async fn read_keys(vault: &Vault, membership: &Membership) -> Result<Woken, Problem> {
    let identity = join::identity(vault, membership).await?;
    if membership.signed_out {
        // The last run may not have lived to do it.
        let _ = vault.delete(&membership.org, Entry::Session).await;
        let _ = vault.delete(&membership.org, Entry::Refresh).await;
        return Ok(Woken {
            identity,
            session: None,
        });
    }
    let session = vault
        .read(&membership.org, Entry::Session)
        .await
        .map_err(problems::of_store)?;
    let session = session
        .and_then(|secret| Session::from_secret(&secret))
        .map(Arc::new);
    Ok(Woken { identity, session })
}
