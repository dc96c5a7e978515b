//! A desk to test the controller at: a desktop that only remembers, and an agent that is moved by hand.
//! A newcomer would wait for real time: it is paused, and `settle` runs everything that can run now.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_agent::{
    AccountView, Action, Clock, ConnectStep, ConnectionStrings, HubState, KeyHome, OrgSnapshot,
    ServiceRef, ServiceState, ServiceView, SignIn, SignInStep, Snapshot, Traffic,
};
use tidegate_app::at_login::EntryFile;
use tidegate_app::settings::SettingsFile;
use tidegate_app::{
    AgentHandle, Call, Controller, CopyFailed, Desktop, Icon, Input, Intent, Menu, Notice, Own,
    View,
};
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::Problem;
use tidegate_proto::statement::ServiceKind;
use tidegate_proto::time::UnixTime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) const MORNING: UnixTime = UnixTime(1_763_700_000);
pub(crate) const HOUR: u64 = 3_600;

/// What the desktop was told, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Menu(Menu),
    Icon(Icon),
    View(Box<View>),
    OpenWindow,
    KeepWindow(bool),
    Notify(Notice),
    Copy(String),
    OpenUrl(String),
    Ending,
    Quit,
}

#[derive(Clone, Default)]
pub(crate) struct Recorder {
    told: Arc<Mutex<Vec<Told>>>,
    pub(crate) no_clipboard: bool,
}

impl Recorder {
    fn note(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }
}

impl Desktop for Recorder {
    fn set_menu(&mut self, menu: &Menu) {
        self.note(Told::Menu(menu.clone()));
    }
    fn set_icon(&mut self, icon: Icon) {
        self.note(Told::Icon(icon));
    }
    fn show_view(&mut self, view: &View) {
        self.note(Told::View(Box::new(view.clone())));
    }
    fn open_window(&mut self) {
        self.note(Told::OpenWindow);
    }
    fn keep_window(&mut self, kept: bool) {
        self.note(Told::KeepWindow(kept));
    }
    fn notify(&mut self, notice: &Notice) {
        self.note(Told::Notify(notice.clone()));
    }
    fn copy(&mut self, text: &str) -> Result<(), CopyFailed> {
        if self.no_clipboard {
            return Err(CopyFailed);
        }
        self.note(Told::Copy(text.to_owned()));
        Ok(())
    }
    fn open_url(&mut self, url: &str) {
        self.note(Told::OpenUrl(url.to_owned()));
    }
    fn ending(&mut self) {
        self.note(Told::Ending);
    }
    fn quit(&mut self) {
        self.note(Told::Quit);
    }
}

/// What the hand-moved agent was asked, and how it answers.
#[derive(Default)]
pub(crate) struct AgentSide {
    pub(crate) acted: Vec<Action>,
    pub(crate) answer: Option<Problem>,
    /// It never answers, and does not end by itself either.
    pub(crate) hangs: bool,
    pub(crate) ended: bool,
}

struct HandMoved {
    side: Arc<Mutex<AgentSide>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl AgentHandle for HandMoved {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    async fn act(&self, action: Action) -> Result<(), Problem> {
        let (answer, hangs) = {
            let mut side = self.side.lock().unwrap();
            side.acted.push(action);
            (side.answer.take(), side.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        answer.map_or(Ok(()), Err)
    }

    async fn shutdown(self) {
        let hangs = self.side.lock().unwrap().hangs;
        if hangs {
            std::future::pending::<()>().await;
        }
        self.side.lock().unwrap().ended = true;
    }
}

pub(crate) struct Desk {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) agent: Arc<Mutex<AgentSide>>,
    snapshots: Option<watch::Sender<Arc<Snapshot>>>,
    told: Arc<Mutex<Vec<Told>>>,
    running: JoinHandle<()>,
    began: Instant,
    /// How often the controller has looked at the clock.
    looks: Arc<AtomicUsize>,
    pub(crate) home: Home,
}

/// Where a desk keeps its settings. A desk of its own starts in the tray, with no window.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.toml"), settings).unwrap();
        Self(dir)
    }

    pub(crate) fn settings(&self) -> String {
        std::fs::read_to_string(self.0.path().join("app.toml")).unwrap_or_default()
    }

    pub(crate) fn settings_file(&self) -> SettingsFile {
        SettingsFile::in_dir(self.0.path())
    }

    pub(crate) fn entry(&self) -> EntryFile {
        let program = std::path::Path::new("/usr/bin/tidegate-desktop");
        EntryFile::autostart(self.0.path(), program)
    }

    /// Where the entry's folder would be, there is a file.
    pub(crate) fn spoil_autostart(&self) {
        std::fs::write(self.0.path().join("autostart"), "").unwrap();
    }

    fn own(&self, call: Call) -> Own {
        let file = SettingsFile::in_dir(self.0.path());
        Own::new(call, Box::new(self.entry()), file)
    }
}

impl Desk {
    pub(crate) async fn with(first: Snapshot) -> Self {
        Self::build(
            Ok(first),
            Recorder::default(),
            Call::default(),
            Self::quiet(),
        )
        .await
    }

    pub(crate) async fn called(first: Snapshot, call: Call, home: Home) -> Self {
        Self::build(Ok(first), Recorder::default(), call, home).await
    }

    fn quiet() -> Home {
        Home::new("start_hidden = true")
    }

    pub(crate) async fn without_clipboard(first: Snapshot) -> Self {
        let recorder = Recorder {
            no_clipboard: true,
            ..Recorder::default()
        };
        Self::build(Ok(first), recorder, Call::default(), Self::quiet()).await
    }

    pub(crate) async fn that_cannot_start(problem: Problem) -> Self {
        Self::build(
            Err(problem),
            Recorder::default(),
            Call::default(),
            Self::quiet(),
        )
        .await
    }

    async fn build(
        start: Result<Snapshot, Problem>,
        recorder: Recorder,
        call: Call,
        home: Home,
    ) -> Self {
        let (inputs, received) = mpsc::channel(16);
        let agent = Arc::new(Mutex::new(AgentSide::default()));
        let began = Instant::now();
        let told = Arc::clone(&recorder.told);
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let clock = Clock::from_fn(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            MORNING.plus(began.elapsed().as_secs())
        });
        let controller = Controller::new(recorder, home.own(call), received, clock);
        // One that cannot start does at the next try.
        let (failed, first) = match start {
            Ok(first) => (None, first),
            Err(problem) => (Some(problem), not_joined()),
        };
        let (sender, snapshots) = watch::channel(Arc::new(first));
        let side = Arc::clone(&agent);
        let tries = failed.map(Err).into_iter();
        let tries = tries.chain([Ok(HandMoved { side, snapshots })]);
        let tries = Mutex::new(tries.collect::<VecDeque<_>>());
        let running = tokio::spawn(controller.run(move || {
            let next = tries.lock().unwrap().pop_front();
            async { next.expect("nobody tries that often") }
        }));
        let desk = Self {
            inputs,
            agent,
            snapshots: Some(sender),
            told,
            running,
            began,
            looks,
            home,
        };
        desk.settle().await;
        desk
    }

    pub(crate) async fn settle(&self) {
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
    }

    /// For what a disk does in its own time.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if is_so() {
                return self.settle().await;
            }
            self.settle().await;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("never: {what}");
    }

    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> UnixTime {
        MORNING.plus(self.began.elapsed().as_secs())
    }

    pub(crate) async fn agent_says(&self, snapshot: Snapshot) {
        self.snapshots
            .as_ref()
            .unwrap()
            .send_replace(Arc::new(snapshot));
        self.settle().await;
    }

    pub(crate) async fn agent_is_gone(&mut self) {
        self.snapshots = None;
        self.settle().await;
    }

    pub(crate) async fn person(&self, intent: Intent) {
        self.input(Input::Do(intent)).await;
    }

    pub(crate) async fn menu_click(&self, id: &str) {
        self.input(Input::Menu(id.to_owned())).await;
    }

    pub(crate) async fn input(&self, input: Input) {
        self.inputs.send(input).await.unwrap();
        self.settle().await;
    }

    /// What was told since the last call.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    pub(crate) fn acted(&self) -> Vec<Action> {
        std::mem::take(&mut self.agent.lock().unwrap().acted)
    }

    /// Quits, and proves that nothing is left.
    pub(crate) async fn close(self) {
        drop(self.closed().await);
    }

    /// The same; what is on the disk stays for a while.
    pub(crate) async fn closed(self) -> Home {
        // The controller may have ended already.
        let _ = self.inputs.send(Input::Stop).await;
        self.running.await.unwrap();
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        assert_eq!(told.last(), Some(&Told::Quit));
        self.home
    }
}

pub(crate) fn notices(told: &[Told]) -> Vec<Notice> {
    let notice = |told: &Told| match told {
        Told::Notify(notice) => Some(notice.clone()),
        _ => None,
    };
    told.iter().filter_map(notice).collect()
}

pub(crate) fn last_view(told: &[Told]) -> View {
    let view = |told: &Told| match told {
        Told::View(view) => Some((**view).clone()),
        _ => None,
    };
    told.iter().rev().find_map(view).unwrap()
}

pub(crate) fn last_menu(told: &[Told]) -> Menu {
    let menu = |told: &Told| match told {
        Told::Menu(menu) => Some(menu.clone()),
        _ => None,
    };
    told.iter().rev().find_map(menu).unwrap()
}

pub(crate) fn copied(told: &[Told]) -> Vec<&str> {
    let text = |told: &'_ Told| matches!(told, Told::Copy(_));
    told.iter()
        .filter(|each| text(each))
        .map(|each| match each {
            Told::Copy(text) => text.as_str(),
            _ => "",
        })
        .collect()
}

pub(crate) fn named(name: &str) -> ServiceName {
    name.parse().unwrap()
}

pub(crate) fn not_joined() -> Snapshot {
    Snapshot::empty(KeyHome::Keyring)
}

/// The one org of most tests.
pub(crate) fn acme() -> OrgName {
    "acme".parse().unwrap()
}

pub(crate) fn of(service: &str) -> ServiceRef {
    ServiceRef::new(&acme(), &named(service))
}

/// A snapshot of this org alone.
pub(crate) fn alone(org: OrgSnapshot) -> Snapshot {
    Snapshot {
        orgs: vec![org],
        ..Snapshot::empty(KeyHome::Keyring)
    }
}

/// As `snapshot`, with another truth about its one org.
pub(crate) fn but(mut snapshot: Snapshot, change: impl FnOnce(&mut OrgSnapshot)) -> Snapshot {
    change(&mut snapshot.orgs[0]);
    snapshot
}

pub(crate) fn signed_out() -> Snapshot {
    alone(OrgSnapshot {
        name: acme(),
        hub_address: "hub.acme.example:443".parse().unwrap(),
        device: "laptop".to_owned(),
        link: String::new(),
        enrolling: None,
        devices: vec![],
        device_requests: vec![],
        requests: Vec::new(),
        printed: Vec::new(),
        signing_out: false,
        account: AccountView::SignedOut { last: None },
        hub: HubState::Connected,
        services: vec![],
        problems: vec![],
    })
}

pub(crate) fn signing_in(step: SignInStep) -> Snapshot {
    but(signed_out(), |org| {
        org.account = AccountView::SigningIn(SignIn {
            step,
            url: Some("https://acme.okta.example/authorize?state=1".to_owned()),
            since: MORNING,
            likely: Vec::new(),
            code: None,
        });
    })
}

/// Signed in for ten more hours, with `warehouse` in this state.
pub(crate) fn warehouse(state: ServiceState) -> Snapshot {
    with_services(vec![service("warehouse", 15432, state)])
}

pub(crate) fn with_services(services: Vec<ServiceView>) -> Snapshot {
    but(signed_out(), |org| {
        org.account = AccountView::SignedIn {
            name: "ana@acme.example".to_owned(),
            until: MORNING.plus(10 * HOUR),
            again: None,
        };
        org.services = services;
    })
}

pub(crate) fn service(name: &str, port: u16, state: ServiceState) -> ServiceView {
    ServiceView {
        name: named(name),
        title: "Flights".to_owned(),
        kind: ServiceKind::Postgres,
        state,
        port,
        other_port: None,
        socket: None,
        askable: None,
        grant: None,
        connection: ConnectionStrings::new(
            &named(name),
            ServiceKind::Postgres,
            port,
            Some("flights"),
        ),
        traffic: Traffic::default(),
        portals: 0,
        reconnecting: None,
    }
}

pub(crate) fn connecting() -> ServiceState {
    ServiceState::Connecting {
        step: ConnectStep::AskingOutlet,
    }
}

pub(crate) fn connected() -> ServiceState {
    ServiceState::Connected {
        since: MORNING,
        until: MORNING.plus(10 * HOUR),
    }
}
