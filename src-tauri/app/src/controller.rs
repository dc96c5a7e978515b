//! The one loop between a person, the agent, and the desktop: snapshots and intents in; menu, icon, view, notices out.
//! A newcomer would act on each change: first everything is computed anew as values, then only what differs from the last is shown.

mod access;
mod acts;
mod carry;
mod news;
mod own;
mod written;

pub use own::Own;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tidegate_agent::{AccountView, Clock, OrgSnapshot, ServiceRef, Snapshot};
use tidegate_proto::problem::{Code, Problem, next_shown};
use tidegate_proto::time::UnixTime;
use tokio::sync::{mpsc, watch};

use self::acts::{Acts, Answer};
use crate::agent::AgentHandle;
use crate::call::Call;
use crate::change::Told;
use crate::desktop::Desktop;
use crate::icon::{Icon, Panel, icon_state};
use crate::intent::Intent;
use crate::menu::{Menu, menu};
use crate::scene::{Notes, Scene};
use crate::view::{View, view};

/// The agent is told to hurry: together with the rest of the way out this stays under 5 s.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(4);
/// Time left is looked at this often: cheap, and soon right again after sleep.
const PACE: Duration = Duration::from_secs(5);

/// What reaches the controller from the desktop.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A button in the window.
    Do(Intent),
    /// An item of the tray menu.
    Menu(String),
    /// There is nobody to show a tray icon.
    NoTray {
        /// False where it was already said on an earlier start.
        news: bool,
    },
    /// Somebody shows it, from the start or again.
    TrayIsThere,
    PanelIs(Panel),
    /// The app was started a second time.
    Called(Call),
    /// A window is there and wants to draw.
    WindowReady,
    /// SIGTERM, SIGINT, or the end of the session.
    Stop,
}

pub struct Controller<D, A> {
    desktop: D,
    engine: Engine<A>,
    inputs: mpsc::Receiver<Input>,
    clock: Clock,
    snapshot: Option<Arc<Snapshot>>,
    notes: Notes,
    panel: Panel,
    own: Own,
    shown: Shown,
    /// Asked for here, so that the answer may use the clipboard.
    wanted: BTreeSet<ServiceRef>,
    /// Ended from here, so that the end is no news.
    released: BTreeSet<ServiceRef>,
    /// Told that they are about to close.
    warned: BTreeSet<ServiceRef>,
    /// Which warning was said of what is held, in minutes, by its id.
    warned_grants: BTreeMap<String, u8>,
    /// Whose requests were told of, and when.
    begged: BTreeMap<access::Beggar, access::Told>,
    /// The agent's problems that were old enough to be shown, when last looked at.
    said: Vec<Told>,
    /// The last problem that was told, and when.
    told: Option<(Problem, UnixTime)>,
    acts: Acts,
}

enum Engine<A> {
    Starting,
    /// Somebody wants it started once more.
    StartingAgain,
    Running {
        agent: Arc<A>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    },
    /// Why it did not start.
    Broken(Code),
}

#[derive(Default)]
struct Shown {
    menu: Option<Menu>,
    icon: Option<Icon>,
    view: Option<View>,
}

enum Event<A> {
    Started(Result<A, Problem>),
    Snapshot(Option<Arc<Snapshot>>),
    Input(Option<Input>),
    Answer(Box<Answer>),
    Tick,
}

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    pub fn new(desktop: D, own: Own, inputs: mpsc::Receiver<Input>, clock: Clock) -> Self {
        Self {
            desktop,
            engine: Engine::Starting,
            inputs,
            clock,
            snapshot: None,
            notes: own.notes(),
            panel: Panel::Dark,
            own,
            shown: Shown::default(),
            wanted: BTreeSet::new(),
            released: BTreeSet::new(),
            warned: BTreeSet::new(),
            warned_grants: BTreeMap::new(),
            begged: BTreeMap::new(),
            said: Vec::new(),
            told: None,
            acts: Acts::default(),
        }
    }

    /// Runs until somebody quits; then everything the agent holds has ended, or had its time.
    /// `start` begins an agent, each time it is called.
    pub async fn run<S>(mut self, start: impl Fn() -> S + Send)
    where
        S: Future<Output = Result<A, Problem>> + Send,
    {
        let mut starting = std::pin::pin!(start());
        self.begin();
        loop {
            if matches!(self.engine, Engine::StartingAgain) {
                starting.set(start());
                self.engine = Engine::Starting;
            }
            self.watch_the_clock();
            self.warn_of_ends();
            self.show();
            let pace = self.pace();
            let event = tokio::select! {
                started = &mut starting, if matches!(self.engine, Engine::Starting) => Event::Started(started),
                snapshot = self.engine.next() => Event::Snapshot(snapshot),
                input = self.inputs.recv() => Event::Input(input),
                Some(answer) = self.acts.answer() => Event::Answer(Box::new(answer)),
                Some(kept) = self.own.kept() => Event::Answer(Box::new(Answer::about_us(kept))),
                () = tokio::time::sleep(pace.unwrap_or(PACE)), if pace.is_some() => Event::Tick,
            };
            if self.handle(event).is_break() {
                break;
            }
        }
        self.end().await;
    }

    fn handle(&mut self, event: Event<A>) -> ControlFlow<()> {
        match event {
            Event::Started(Ok(agent)) => self.started(agent),
            Event::Started(Err(problem)) => self.broke(problem),
            Event::Snapshot(Some(snapshot)) => self.learn(snapshot),
            Event::Answer(answer) => {
                self.hear(*answer);
                if let Engine::Running { agent, .. } = &self.engine {
                    self.acts.go_on(agent);
                }
            }
            Event::Tick => {}
            Event::Input(Some(input)) => return self.take(input),
            // The agent was told to end by somebody else, or the desktop is gone.
            Event::Snapshot(None) | Event::Input(None) => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn started(&mut self, agent: A) {
        let mut snapshots = agent.snapshot();
        let first = snapshots.borrow_and_update().clone();
        self.engine = Engine::Running {
            agent: Arc::new(agent),
            snapshots,
        };
        if first.orgs.is_empty() && !self.own.call.hidden {
            self.desktop.open_window();
        }
        // What is there from the start is shown, but is no news.
        self.said = news::worth_a_word(&first, self.clock.now());
        self.snapshot = Some(first);
    }

    fn broke(&mut self, problem: Problem) {
        self.engine = Engine::Broken(problem.code);
        self.notes.broken = true;
        self.notes.forget(problem.code);
        self.notes.desktop.push(problem);
        self.desktop.open_window();
    }

    fn hear(&mut self, answer: Answer) {
        let Err(problem) = answer.result else {
            return match answer.asked {
                Some(asked) => self.asked(asked),
                None => self.wrote(answer.written),
            };
        };
        tracing::info!(code = %problem.code, "an action was refused");
        if problem.code == Code::LoginStartNotChanged {
            self.notes.at_login = self.own.login.is_on();
        }
        if let Some(service) = answer.wanted {
            self.wanted.remove(&service);
        }
        self.notes.forget(problem.code);
        self.notes.port_refused = answer.moved.map(|service| (service, problem.clone()));
        self.notes.refused.push((answer.org, problem));
    }

    fn take(&mut self, input: Input) -> ControlFlow<()> {
        match input {
            Input::Do(intent) => return self.carry_out(intent),
            Input::Menu(id) => {
                let chosen = self.shown.menu.as_ref().and_then(|menu| menu.intent(&id));
                match chosen.cloned() {
                    Some(intent) => return self.carry_out(intent),
                    None => tracing::info!(id, "menu item was gone when it was chosen"),
                }
            }
            Input::NoTray { news } => self.tray_is_gone(news),
            Input::TrayIsThere => self.tray_is_there(),
            Input::Called(call) => self.called(call),
            Input::PanelIs(panel) => self.panel = panel,
            Input::WindowReady => self.shown.view = None,
            Input::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            now: self.clock.now(),
            snapshot: self.snapshot.as_deref(),
            notes: &self.notes,
        }
    }

    fn show(&mut self) {
        let scene = self.scene();
        let icon = Icon {
            state: icon_state(&scene),
            panel: self.panel,
        };
        let (menu, view) = (menu(&scene), view(&scene));
        if self.shown.icon != Some(icon) {
            self.desktop.set_icon(icon);
            self.shown.icon = Some(icon);
        }
        if self.shown.menu.as_ref() != Some(&menu) {
            self.desktop.set_menu(&menu);
            self.shown.menu = Some(menu);
        }
        if self.shown.view.as_ref() != Some(&view) {
            self.desktop.show_view(&view);
            self.shown.view = Some(view);
        }
    }

    /// When to look again although nothing happened; `None` when nothing shown changes by time alone.
    fn pace(&self) -> Option<Duration> {
        let snapshot = self.snapshot.as_ref()?;
        let now = self.clock.now();
        let next = next_shown(snapshot.all_problems(), now).map(Duration::from_secs);
        let is_in = |org: &OrgSnapshot| matches!(org.account, AccountView::SignedIn { .. });
        let pace = snapshot.orgs.iter().any(is_in).then_some(PACE);
        let until = self.notes.said_until().filter(|until| now < *until);
        let until = until.map(|until| Duration::from_secs(now.until(until)));
        pace.into_iter().chain(next).chain(until).min()
    }

    async fn end(mut self) {
        self.desktop.ending();
        self.acts.shutdown().await;
        tokio::join!(self.own.finish(), self.engine.end());
        self.desktop.quit();
    }
}

impl<A> Engine<A> {
    /// The next snapshot; `None` when the agent has ended.
    async fn next(&mut self) -> Option<Arc<Snapshot>> {
        match self {
            Self::Running { snapshots, .. } => {
                snapshots.changed().await.ok()?;
                Some(snapshots.borrow_and_update().clone())
            }
            Self::Starting | Self::StartingAgain | Self::Broken(_) => std::future::pending().await,
        }
    }
}

impl<A: AgentHandle> Engine<A> {
    async fn end(self) {
        let Self::Running { agent, snapshots } = self else {
            return;
        };
        drop(snapshots);
        // The acts are joined, so this is the last owner.
        if let Some(agent) = Arc::into_inner(agent)
            && tokio::time::timeout(SHUTDOWN_LIMIT, agent.shutdown())
                .await
                .is_err()
        {
            tracing::warn!("agent did not end in time");
        }
    }
}
