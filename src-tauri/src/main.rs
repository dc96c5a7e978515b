//! Tidegate's tray and window: the glue between `tidegate-app`, which decides, and Tauri, which shows.
//! A newcomer would put logic here: this crate only carries out. If you need an `if` about services, it belongs in `app/`.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod desktop;
mod notices;
mod tray;
mod window;

use std::sync::Mutex;

use tauri::{App, Manager, RunEvent};
use tidegate_agent::{Agent, AgentConfig, Clock, Code, LogFile, Places, Problem};
use tidegate_app::display_lost::{everything_has_ended, stop_when_lost};
use tidegate_app::stop::stop_when_told;
use tidegate_app::surroundings::{has_display, look_around};
use tidegate_app::{Call, Controller, Input, Own};
use tokio::sync::mpsc;

use crate::desktop::TauriDesktop;
use crate::window::WindowState;

/// Clicks wait here while the controller works; a full queue means a page gone wild, and drops them.
const INPUTS_WAITING: usize = 64;

fn main() {
    log();
    if !has_display() {
        eprintln!(
            "Tidegate needs a desktop to show itself on. Without one, use the command line: `tidegate`."
        );
        std::process::exit(1);
    }
    let (inputs, received) = mpsc::channel(INPUTS_WAITING);
    let second_start = inputs.clone();
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(
            move |_app, argv, _cwd| {
                let call = Call::read(argv.into_iter().skip(1));
                send(&second_start, Input::Called(call));
            },
        ))
        .manage(Inputs(inputs.clone()))
        .manage(WindowState::default())
        .manage(tray::Drawn::default())
        .invoke_handler(tauri::generate_handler![
            commands::view,
            commands::act,
            commands::read_link
        ])
        .setup(move |app| start(app, inputs, received))
        .build(tauri::generate_context!());
    match app {
        Ok(app) => app.run(|_app, event| {
            // The last window was closed: the tray goes on. Only `exit(code)` ends the process.
            if let RunEvent::ExitRequested {
                code: None, api, ..
            } = event
            {
                api.prevent_exit();
            }
        }),
        Err(error) => {
            tracing::error!(%error, "desktop could not be started");
            std::process::exit(1);
        }
    }
}

/// Says what the desktop did not do; there is always another way to reach the same.
pub(crate) fn note(done: tauri::Result<()>, what: &'static str) {
    if let Err(error) = done {
        tracing::warn!(%error, what, "desktop did not do as told");
    }
}

/// The way into the controller, for commands and menu.
pub(crate) struct Inputs(mpsc::Sender<Input>);

pub(crate) fn send(inputs: &mpsc::Sender<Input>, input: Input) {
    if inputs.try_send(input).is_err() {
        tracing::warn!("an input was dropped because the controller is busy or gone");
    }
}

fn start(
    app: &mut App,
    inputs: mpsc::Sender<Input>,
    received: mpsc::Receiver<Input>,
) -> Result<(), Box<dyn std::error::Error>> {
    let own = Own::of_this_start(&app.path().home_dir()?, &app.path().config_dir()?)?;
    own.hide_link(|| tauri_plugin_single_instance::destroy(app.handle()));
    let tray_made = tray::make(app.handle());
    let desktop = TauriDesktop::new(app.handle().clone(), inputs.clone());
    let controller = Controller::new(desktop, own, received, Clock::system());
    let notes = app.path().app_local_data_dir()?;
    let looking = look_around(tray_made, notes, inputs.clone());
    stop_when_lost(inputs.clone());
    tauri::async_runtime::spawn(async move {
        // One task owns the rest: whatever it started ends with it.
        let mut others = tokio::task::JoinSet::new();
        others.spawn(looking);
        others.spawn(stop_when_told(inputs));
        let start = async || Agent::start(AgentConfig::for_user()?).await;
        Box::pin(controller.run(start)).await;
        others.shutdown().await;
        everything_has_ended();
    });
    Ok(())
}

/// To standard error, and to the file that `tidegate paths` names.
fn log() {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| {
        EnvFilter::new("warn,tidegate_agent=info,tidegate_app=info,tidegate_desktop=info")
    });
    let plain = tracing_subscriber::fmt::layer().with_ansi(false);
    let file = Places::for_user().and_then(|places| {
        LogFile::open(&places.log_file()).map_err(|_| Problem::new(Code::DataDirUnusable))
    });
    let file = file.ok().map(|file| plain.with_writer(Mutex::new(file)));
    tracing_subscriber::registry()
        .with(filter)
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(file)
        .init();
}
