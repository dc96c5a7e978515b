//! Where a user's verb sits: at the agent that runs already, or at one of its own that ends with the verb.
//! A newcomer would always start one: two agents of one user would fight over ports and tokens, so the running one has precedence.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_agent::control::{Client, ClientError, Snapshots};
use tidegate_agent::{
    AccountView, Action, Agent, AgentConfig, ConfigError, Enrolling, HubState, KeyStoreKind,
    NoBrowser, OrgName, OrgSnapshot, Problem, SignInStep, Snapshot,
};
use tidegate_proto::problem::Code;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::out::note;
use crate::signals::{Signal, Signals};

/// How often the same snapshot is judged again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long an agent of our own may take to find out.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// How often a verb looks whether another one's agent listens or has ended.
const LOOK_FOR_TURN: Duration = Duration::from_millis(50);
/// How long it waits for that: longer than the longest look of another verb, and its end.
const TURN_LIMIT: Duration = Duration::from_secs(20);

/// How an agent of our own is started.
#[derive(clap::Args, Clone)]
pub(crate) struct SeatArgs {
    /// Where keys are kept when no agent runs yet: `file` is not encrypted, for servers without a keyring.
    #[arg(long, value_enum)]
    keys: Option<Keys>,
    /// Open no browser; the address to visit is printed either way.
    #[arg(long)]
    no_browser: bool,
}

#[derive(clap::ValueEnum, Clone, Copy)]
enum Keys {
    Keyring,
    Memory,
    File,
}

impl SeatArgs {
    /// How an agent of our own begins.
    fn config(&self, alone: bool) -> Result<AgentConfig, ConfigError> {
        let mut config = AgentConfig::for_user()?;
        config.keys = self.keys_or(config.keys);
        // Whoever asks for memory knows that it ends with the command.
        config.short_lived = config.keys != KeyStoreKind::Memory;
        config.alone = alone;
        if self.no_browser {
            config.browser = Box::new(NoBrowser);
        }
        Ok(config)
    }

    /// Where keys are kept, unless it was asked for something else.
    pub(crate) fn keys_or(&self, otherwise: KeyStoreKind) -> KeyStoreKind {
        match self.keys {
            None => otherwise,
            Some(Keys::Keyring) => KeyStoreKind::Keyring,
            Some(Keys::Memory) => KeyStoreKind::Memory,
            Some(Keys::File) => KeyStoreKind::File,
        }
    }
}

/// An agent to give orders to.
pub(crate) enum Seat {
    Running(Box<Client>, std::path::PathBuf),
    Own(Box<Agent>),
}

/// The agent's snapshots, wherever it is.
pub(crate) enum Watch {
    Running(Snapshots),
    Own(watch::Receiver<Arc<Snapshot>>, bool),
}

impl Seat {
    /// The running agent, or one of our own.
    pub(crate) async fn take(args: &SeatArgs) -> Result<Self, Failure> {
        Self::sit_down(args, false).await
    }

    /// The same for a look that ends at once: nobody else is invited to an agent of our own.
    pub(crate) async fn glance(args: &SeatArgs) -> Result<Self, Failure> {
        Self::sit_down(args, true).await
    }

    /// Another verb may be starting an agent, or ending one: then there is no socket, and no place for a second agent either.
    async fn sit_down(args: &SeatArgs, alone: bool) -> Result<Self, Failure> {
        let began = Instant::now();
        loop {
            let socket = AgentConfig::for_user()?.socket();
            match Client::connect(&socket).await {
                Ok(client) => return Ok(Self::Running(Box::new(client), socket)),
                Err(ClientError::NotRunning) => {}
                Err(error) => return Err(broken(error)),
            }
            match Agent::start(args.config(alone)?).await {
                Err(problem)
                    if problem.code == Code::AlreadyRunning && began.elapsed() < TURN_LIMIT =>
                {
                    sleep(LOOK_FOR_TURN).await;
                }
                started => return Ok(Self::Own(Box::new(started?))),
            }
        }
    }

    /// The running agent; nothing to disconnect from where there is none.
    pub(crate) async fn running() -> Result<Self, Failure> {
        let socket = AgentConfig::for_user()?.socket();
        let client = Client::connect(&socket).await.map_err(broken)?;
        Ok(Self::Running(Box::new(client), socket))
    }

    pub(crate) async fn act(&mut self, action: Action) -> Result<(), Failure> {
        let result = match self {
            Self::Running(client, _) => client.act(action).await.map_err(broken)?,
            Self::Own(agent) => agent.act(action).await,
        };
        Ok(result?)
    }

    pub(crate) async fn watch(&self) -> Result<Watch, Failure> {
        match self {
            Self::Running(_, socket) => {
                let client = Client::connect(socket).await.map_err(broken)?;
                Ok(Watch::Running(client.snapshots().await.map_err(broken)?))
            }
            Self::Own(agent) => Ok(Watch::Own(agent.snapshot(), true)),
        }
    }

    /// What is known now; with `settled`, after the first words with the hubs or a while.
    pub(crate) async fn look(&self, settled: bool) -> Result<Snapshot, Failure> {
        let mut last = None;
        let mut watch = self.watch().await?;
        let found = watch.until(SETTLE_LIMIT, |snapshot| {
            last = Some(snapshot.clone());
            if !settled || is_settled(snapshot) {
                ControlFlow::Break(Ok(()))
            } else {
                ControlFlow::Continue(())
            }
        });
        let found = found.await;
        // What is known after the limit is the truth too.
        last.ok_or_else(|| found.err().unwrap_or(Code::TimedOut.into()))
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Ends an agent of our own; a running one goes on.
    pub(crate) async fn leave(self) {
        if let Self::Own(agent) = self {
            agent.shutdown().await;
        }
    }
}

impl Watch {
    /// The next snapshot; the first time the current one.
    pub(crate) async fn next(&mut self) -> Result<Snapshot, Failure> {
        match self {
            Self::Running(snapshots) => snapshots.next().await.map_err(broken),
            Self::Own(snapshots, first) => {
                if !std::mem::take(first) && snapshots.changed().await.is_err() {
                    return Err(Code::AppQuitting.into());
                }
                Ok((**snapshots.borrow_and_update()).clone())
            }
        }
    }

    /// Follows the snapshots until `judge` has an answer, showing a person where to sign in meanwhile. Ctrl-C ends the wait.
    pub(crate) async fn until<T>(
        &mut self,
        limit: Duration,
        mut judge: impl FnMut(&Snapshot) -> ControlFlow<Result<T, Problem>>,
    ) -> Result<T, Failure> {
        let mut shown = Vec::new();
        let follow = async {
            let mut last = None;
            loop {
                let mut next = std::pin::pin!(self.next());
                let snapshot = loop {
                    tokio::select! {
                        snapshot = &mut next => break snapshot?,
                        // Time passes between snapshots: what was fine may take too long by now.
                        () = sleep(LOOK_AGAIN) => if let Some(ControlFlow::Break(answer)) = last.as_ref().map(&mut judge) {
                            return answer.map_err(Failure::from);
                        },
                    }
                };
                show_sign_in(&snapshot, &mut shown);
                if let ControlFlow::Break(answer) = judge(&snapshot) {
                    return answer.map_err(Failure::from);
                }
                last = Some(snapshot);
            }
        };
        let mut signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be heard", &error))?;
        let interrupted = async { while !matches!(signals.next().await, Signal::End) {} };
        tokio::select! {
            followed = timeout(limit, follow) => followed.unwrap_or_else(|_| Err(Code::TimedOut.into())),
            () = interrupted => Err(Code::SignInCancelled.into()),
        }
    }
}

/// Prints the address of each sign-in page once.
fn show_sign_in(snapshot: &Snapshot, shown: &mut Vec<String>) {
    for org in &snapshot.orgs {
        show_words(org, shown);
        let AccountView::SigningIn(sign_in) = &org.account else {
            continue;
        };
        if let Some(code) = &sign_in.code {
            if !shown.contains(&code.code) {
                shown.push(code.code.clone());
                note(&format!(
                    "On any computer, go to:\n{}\nand type this code:\n{}",
                    code.address, code.code
                ));
            }
            continue;
        }
        let waits = sign_in.step == SignInStep::WaitingForBrowser;
        let Some(url) = sign_in
            .url
            .as_ref()
            .filter(|url| waits && !shown.contains(url))
        else {
            continue;
        };
        shown.push(url.clone());
        note(&format!(
            "Sign in with your browser. If it did not open, go to:\n{url}"
        ));
    }
}

/// What a person compares with another computer of theirs, which lets this one in.
fn show_words(org: &OrgSnapshot, shown: &mut Vec<String>) {
    let text = match &org.enrolling {
        Some(Enrolling::Asking { .. }) => {
            "Another computer of yours has to let this one in: there, `tidegate devices`, or look at the app.".to_owned()
        }
        Some(Enrolling::Words { words, .. }) => format!(
            "Say yes on the other computer if it shows the same six words:\n\n    {}\n",
            words.join("  ")
        ),
        Some(Enrolling::SignIn) | None => return,
    };
    if !shown.contains(&text) {
        note(&text);
        shown.push(text);
    }
}

/// The newest problem that stands in the way of signing in.
pub(crate) fn sign_in_problem(snapshot: &Snapshot, org: &OrgName) -> Problem {
    let last = snapshot
        .problems_of(org)
        .filter(|problem| problem.code != Code::BrowserDidNotOpen)
        .last();
    last.cloned().unwrap_or(Problem::new(Code::SignInCancelled))
}

/// Whether the first words with each hub are over.
fn is_settled(snapshot: &Snapshot) -> bool {
    let settled = |org: &OrgSnapshot| org.hub != HubState::Connecting;
    !snapshot.joining && snapshot.orgs.iter().all(settled)
}

pub(crate) fn broken(error: ClientError) -> Failure {
    match error {
        ClientError::NotRunning => Code::AgentNotRunning.into(),
        ClientError::Foreign => Code::KeyFileOpen.into(),
        ClientError::Ended => Code::AppQuitting.into(),
    }
}
