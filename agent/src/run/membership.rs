//! Joining an org, waking up in one, leaving it.
//! The org's root fingerprint comes from the join link and from nowhere else, ever.

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::JoinLink;
use tidegate_proto::time::UnixTime;

use super::orders::{TaskNews, TaskReport, Woken};
use super::owner::Owner;
use super::state::{Account, Home, Task, Way};
use crate::action::Secret;
use crate::backoff::Backoff;
use crate::circuit::{Admission, Circuits, Links};
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
    Code::KeyFileOpen,
    Code::NotEnrolled,
];

impl Owner {
    /// Goes on where the last run stopped.
    pub(crate) fn resume(&mut self, membership: Membership) {
        self.settle(membership, None);
        self.wake(None);
    }

    pub(super) fn join(&mut self, link: &Secret) -> Result<(), Problem> {
        let link = JoinLink::parse(link.reveal()).map_err(|_| Problem::new(Code::JoinLinkBad))?;
        if !self.may_join(&link) {
            return Err(Problem::new(Code::AlreadyJoined));
        }
        // Nobody is signed in: whatever was wrong before is what joining is to repair.
        self.state.problems.clear();
        let attempt = self.attempt();
        let (vault, noise, now) = (
            self.tools.vault.clone(),
            Arc::clone(&self.tools.noise),
            self.tools.clock.now(),
        );
        let must_last = self.tools.short_lived;
        let reports = self.tools.task_reports.clone();
        let forgotten = self.forgetting.forgotten();
        let task = Task::spawn(async move {
            forgotten.wait().await;
            let result = join::join(link, &vault, &noise, now, must_last)
                .await
                .map(Box::new);
            let _ = reports
                .send(TaskReport {
                    attempt,
                    news: TaskNews::Joined(result),
                })
                .await;
        });
        self.state.account = Account::Joining { _task: task };
        Ok(())
    }

    /// A device is in one org. It may be enrolled there again, under the same root, while nobody is signed in.
    fn may_join(&self, link: &JoinLink) -> bool {
        let Some(home) = &self.state.home else {
            return true;
        };
        let same = home.membership.org == link.org && home.membership.root == link.root;
        same && self.state.session().is_none()
    }

    async fn on_joined(&mut self, result: Result<Box<Joined>, Problem>) {
        match result {
            Ok(joined) => {
                let Joined {
                    mut membership,
                    identity,
                    trouble,
                } = *joined;
                if let Some(home) = self.state.home.take() {
                    // The same root as before (`may_join`): what was seen stays seen.
                    membership.trust = home.membership.trust;
                }
                self.stop_hub().await;
                let saved = self.disk.save(&membership).err();
                self.settle(membership, Some(identity));
                for problem in trouble.into_iter().chain(saved) {
                    self.state.trouble(problem);
                }
                self.greet_hub();
            }
            Err(problem) => {
                self.not_joining();
                self.state.trouble(problem);
            }
        }
    }

    /// Back to where a join began.
    pub(super) fn not_joining(&mut self) {
        let joined_before = self.state.home.is_some();
        self.state.account = if joined_before {
            Account::SignedOut
        } else {
            Account::NotJoined
        };
    }

    /// Makes a membership the current one.
    fn settle(&mut self, membership: Membership, identity: Option<Arc<SigningKey>>) {
        let noise = &self.tools.noise;
        let links = Links::new(membership.org.clone(), Arc::clone(noise));
        let circuits = Circuits::new(
            self.admission.subscribe(),
            links,
            Arc::clone(noise),
            self.tools.clock.clone(),
        );
        let circuits = Arc::new(circuits);
        self.outside
            .circuits
            .send_replace(Some(Arc::clone(&circuits)));
        let catalogue = remembered(&membership);
        self.state.home = Some(Home {
            membership,
            identity,
            circuits,
            catalogue,
            idp: None,
        });
        self.state.account = Account::SignedOut;
    }

    /// Reads key and session from the keyring, and then, if asked, opens the browser where that is needed.
    pub(super) fn wake(&mut self, then_sign_in: Option<Way>) {
        let Some(home) = &self.state.home else { return };
        let (vault, membership) = (self.tools.vault.clone(), home.membership.clone());
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
        match result.and_then(|woken| self.take_key(woken)) {
            Err(problem) => self.stay_out(problem),
            Ok(Some(session)) => {
                self.state.account = Account::SignedIn {
                    session: Arc::clone(&session),
                };
                self.keep_hub(session);
            }
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
        self.state.better(ABOUT_KEYS);
        let Some(home) = &mut self.state.home else {
            return Ok(None);
        };
        home.identity = Some(
            woken
                .identity
                .ok_or_else(|| Problem::new(Code::NotEnrolled))?,
        );
        let now = self.tools.clock.now();
        Ok(woken.session.filter(|session| now < session.ends()))
    }

    /// Without its key this device is nobody.
    fn stay_out(&mut self, problem: Problem) {
        self.admission
            .send_replace(Admission::None(problem.clone()));
        self.unwant(Some(&problem));
        self.state.trouble(problem);
        self.greet_hub();
    }

    pub(super) async fn leave(&mut self) -> Result<(), Problem> {
        if self.state.home.is_none() {
            self.state.account = Account::NotJoined;
            return Ok(());
        }
        self.end_access(&Problem::new(Code::SignedOut), false).await;
        self.greeting = None;
        self.state.account = Account::NotJoined;
        self.state.problems.clear();
        self.disk.forget();
        self.outside.circuits.send_replace(None);
        let Some(home) = self.state.home.take() else {
            return Ok(());
        };
        self.farewells
            .spawn(async move { home.circuits.shutdown(Code::SignedOut).await });
        let reports = self.tools.task_reports.clone();
        let _ = self.forgetting.forget(
            &self.tools.vault,
            &home.membership.org,
            &[Entry::Identity],
            move |error| {
                let news = TaskNews::NotForgotten(problems::of_store(error));
                // A full queue means that there are worse problems.
                let _ = reports.try_send(TaskReport { attempt: 0, news });
            },
        );
        Ok(())
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
                self.state
                    .better(&[Code::HubUnreachable, Code::HubNotTrusted, Code::TimedOut]);
            }
            Err(problem) => {
                let since = self.away();
                self.state.trouble(problem.since(since));
            }
        }
    }

    /// The hub is away, since the first time this was noticed.
    fn away(&mut self) -> UnixTime {
        let since = match self.state.hub {
            HubState::Away { since } => since,
            HubState::Connected | HubState::Connecting => self.tools.clock.now(),
        };
        self.state.hub = HubState::Away { since };
        since
    }

    pub(super) async fn on_task(&mut self, report: TaskReport) {
        let TaskReport { attempt, news } = report;
        let is_current = attempt == self.newest_attempt();
        match news {
            TaskNews::Greeted(result) => self.on_greeted(result),
            TaskNews::NotForgotten(problem) => self.state.trouble(problem),
            TaskNews::Joined(result) if is_current => self.on_joined(result).await,
            TaskNews::Woken(result) if is_current => self.on_woken(result).await,
            TaskNews::Progress(progress) if is_current => self.on_progress(progress),
            TaskNews::SignedIn(result) if is_current => self.on_signed_in(result),
            TaskNews::SignedIn(result) => self.on_late_sign_in(result),
            TaskNews::Joined(_) | TaskNews::Woken(_) | TaskNews::Progress(_) => {}
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
    let session = vault
        .read(&membership.org, Entry::Session)
        .await
        .map_err(problems::of_store)?;
    let session = session
        .and_then(|secret| Session::from_secret(&secret))
        .map(Arc::new);
    Ok(Woken { identity, session })
}
