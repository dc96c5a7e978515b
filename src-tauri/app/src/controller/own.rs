//! What the app does for itself: its settings, start at login, a second start, a tray that goes and comes back.
//! A newcomer would save in the loop: a disk can be slow, so each save is a task, the last one writes what was chosen last, and quitting waits for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_agent::Action;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::Controller;
use crate::agent::AgentHandle;
use crate::arrived::Arrived;
use crate::at_login::{StartAtLogin, of_this_system};
use crate::call::Call;
use crate::desktop::Desktop;
use crate::handover;
use crate::scene::Notes;
use crate::settings::{Setting, Settings, SettingsFile};
use crate::tray_host::TrayHost;

/// As long as the agent has for its own end.
const SAVING_LIMIT: Duration = Duration::from_secs(4);

/// What the app knows of itself when it starts.
pub struct Own {
    pub(super) call: Call,
    pub(super) login: Arc<dyn StartAtLogin>,
    file: SettingsFile,
    chosen: watch::Sender<Settings>,
    /// One save after the other.
    turn: Arc<Mutex<()>>,
    saving: JoinSet<Result<(), Problem>>,
    damaged: Option<Problem>,
}

impl Own {
    /// Reads how this process was called, and the settings of the person whose folders these are (`~` and `~/.config`).
    ///
    /// # Errors
    /// When the system does not tell where this program is.
    pub fn of_this_start(home: &Path, config: &Path) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let words = std::env::args_os().skip(1);
        let mut call = Call::read(words.map(|word| word.to_string_lossy().into_owned()));
        call.take_left_link();
        let login = of_this_system(home, config, &program);
        let file = SettingsFile::in_dir(&config.join("tidegate"));
        Ok(Self::new(call, login, file))
    }

    /// Takes a join link that this process was called with out of its command line, where every user could read it: the
    /// program starts anew. `give_up_place` lets the next self be the first one again. Returns where there is nothing to hide.
    pub fn hide_link(&self, give_up_place: impl FnOnce()) {
        if let Some(link) = self.call.link_in_sight() {
            give_up_place();
            let error = handover::start_anew(&self.call, link);
            tracing::warn!(%error, "join link stays in the command line of this process");
        }
    }

    /// Reads the settings.
    pub fn new(call: Call, login: Box<dyn StartAtLogin>, file: SettingsFile) -> Self {
        let (settings, damaged) = file.load();
        Self {
            call,
            login: Arc::from(login),
            file,
            chosen: watch::Sender::new(settings),
            turn: Arc::default(),
            saving: JoinSet::new(),
            damaged,
        }
    }

    pub(super) fn notes(&self) -> Notes {
        Notes {
            settings: self.chosen.borrow().clone(),
            at_login: self.login.is_on(),
            settings_file: self.file.path().display().to_string(),
            desktop: self.damaged.iter().cloned().collect(),
            ..Notes::default()
        }
    }

    /// Writes what is chosen when its turn has come.
    fn save(&mut self) {
        let (turn, chosen, file) = (
            Arc::clone(&self.turn),
            self.chosen.subscribe(),
            self.file.clone(),
        );
        self.saving.spawn(async move {
            let _turn = turn.lock().await;
            let newest = chosen.borrow().clone();
            let saved = tokio::task::spawn_blocking(move || file.save(&newest)).await;
            saved.unwrap_or(Err(Problem::new(Code::Internal)))
        });
    }

    /// The end of one save; `None` while nothing is being saved.
    pub(super) async fn kept(&mut self) -> Option<Result<(), Problem>> {
        let kept = self.saving.join_next().await?;
        Some(kept.unwrap_or_else(|_| Err(Problem::new(Code::Internal))))
    }

    /// What was chosen last is kept, or the disk had its time.
    pub(super) async fn finish(&mut self) {
        let saved = async { while self.kept().await.is_some() {} };
        if tokio::time::timeout(SAVING_LIMIT, saved).await.is_err() {
            tracing::warn!("settings were not saved in time");
        }
    }

    fn turn_at_login(&mut self, on: bool) {
        let (turn, login) = (Arc::clone(&self.turn), Arc::clone(&self.login));
        self.saving.spawn(async move {
            let _turn = turn.lock().await;
            let turned = tokio::task::spawn_blocking(move || login.turn(on)).await;
            match turned {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    Err(Problem::new(Code::LoginStartNotChanged).said(&error.to_string()))
                }
                Err(_) => Err(Problem::new(Code::Internal)),
            }
        });
    }
}

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    /// The first look: somebody who started the app by hand sees it before the agent has begun.
    pub(super) fn begin(&mut self) {
        if let Some(link) = self.own.call.link.take() {
            self.own.call.hidden = false;
            self.notes.arrived = Some(Arrived::read(link));
            self.desktop.open_window();
        } else if !self.own.call.hidden && !self.notes.settings.start_hidden {
            self.desktop.open_window();
        }
    }

    /// Somebody started the app again: the one that runs comes to the front.
    pub(super) fn called(&mut self, call: Call) {
        let is_asked_for = !call.hidden || call.link.is_some();
        match (call.link, &mut self.notes.arrived) {
            (Some(link), Some(arrived)) => arrived.and_then_came(link),
            (Some(link), none) => *none = Some(Arrived::read(link)),
            (None, _) => {}
        }
        if is_asked_for {
            self.desktop.open_window();
        }
    }

    pub(super) fn join_arrived(&mut self) {
        if let Some(link) = self.notes.arrived.take().and_then(Arrived::into_link) {
            self.act(Action::Join { link });
        }
    }

    pub(super) fn tray_is_gone(&mut self, news: bool) {
        self.notes.tray = TrayHost::Gone;
        if news {
            self.notes.forget(Code::NoTray);
            self.notes.desktop.push(Problem::new(Code::NoTray));
        }
        self.desktop.keep_window(true);
        self.desktop.open_window();
    }

    pub(super) fn tray_is_there(&mut self) {
        self.notes.tray = TrayHost::There;
        self.notes.forget(Code::NoTray);
        self.desktop.keep_window(false);
    }

    pub(super) fn set(&mut self, setting: Setting) {
        let settings = &mut self.notes.settings;
        match setting {
            Setting::Theme { theme } => settings.theme = theme,
            Setting::StartHidden { on } => settings.start_hidden = on,
            Setting::Notifications { to } => settings.notifications = to,
            Setting::StartAtLogin { on } => {
                self.notes.at_login = on;
                self.notes.forget(Code::LoginStartNotChanged);
                return self.own.turn_at_login(on);
            }
        }
        self.own.chosen.send_replace(self.notes.settings.clone());
        self.notes.forget(Code::SettingsNotSaved);
        self.own.save();
    }
}
