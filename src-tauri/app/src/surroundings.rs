//! What kind of desktop this is: whether anybody shows tray icons, and on how dark a panel. Asked over D-Bus, always with a time limit.
//! A newcomer would ask once at start: a panel that starts together with us needs a moment, and one that crashed comes back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};
use zbus::zvariant::OwnedValue;

use crate::{Input, Panel};

const TRAY_HOST: &str = "org.kde.StatusNotifierWatcher";
/// A panel started at login together with us is there by then, and one that is restarted is back.
const TRAY_PATIENCE: Duration = Duration::from_secs(3);
const ASK_LIMIT: Duration = Duration::from_secs(2);

/// Whether there is a screen to show anything on. Only Linux runs without one.
pub fn has_display() -> bool {
    let names = ["DISPLAY", "WAYLAND_DISPLAY"];
    let is_set = |name| std::env::var_os(name).is_some_and(|display| !display.is_empty());
    !cfg!(target_os = "linux") || names.into_iter().any(is_set)
}

/// Tells the controller what it should know about the desktop, for as long as there is a bus. `notes` is where what was said once is remembered.
pub async fn look_around(tray_made: bool, notes: PathBuf, inputs: mpsc::Sender<Input>) {
    let bus = tokio::time::timeout(ASK_LIMIT, zbus::Connection::session()).await;
    let Ok(Ok(bus)) = bus else {
        tracing::info!("no session bus was found");
        return tell(&inputs, no_tray(&notes)).await;
    };
    let names = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let panel = Panel::guess(&names, prefers_dark(&bus).await);
    tell(&inputs, Input::PanelIs(panel)).await;
    if !tray_made {
        return tell(&inputs, no_tray(&notes)).await;
    }
    if let Err(error) = watch_the_tray(&bus, &notes, &inputs).await {
        tracing::info!(%error, "the bus does not say whether there is a tray");
        tell(&inputs, no_tray(&notes)).await;
    }
}

/// Says when the host of the tray is gone for longer than a restart takes, and when it is there again.
async fn watch_the_tray(
    bus: &zbus::Connection,
    notes: &Path,
    inputs: &mpsc::Sender<Input>,
) -> zbus::Result<()> {
    let dbus = DBusProxy::new(bus).await?;
    // Listened to before it is asked: what happens in between is not missed.
    let mut changes = dbus
        .receive_name_owner_changed_with_args(&[(0, TRAY_HOST)])
        .await?;
    let name = zbus::names::BusName::try_from(TRAY_HOST)?;
    let mut there = dbus.name_has_owner(name).await?;
    let mut said_gone = false;
    loop {
        match (there, said_gone) {
            (true, true) => {
                tracing::info!("tray came back");
                tell(inputs, Input::TrayIsBack).await;
                said_gone = false;
            }
            (false, false) => match comes_back(&mut changes).await {
                Some(back) => there = back,
                None => {
                    tracing::info!("no tray was found");
                    tell(inputs, no_tray(notes)).await;
                    said_gone = true;
                }
            },
            (true, false) | (false, true) => match next(&mut changes).await {
                Some(is) => there = is,
                // The bus is gone, and with it the session.
                None => return Ok(()),
            },
        }
    }
}

/// What the bus says within a moment about the host that is away; `None`: nothing.
async fn comes_back(changes: &mut NameOwnerChangedStream) -> Option<bool> {
    tokio::time::timeout(TRAY_PATIENCE, next(changes))
        .await
        .ok()?
}

async fn next(changes: &mut NameOwnerChangedStream) -> Option<bool> {
    let change = changes.next().await?;
    Some(change.args().is_ok_and(|args| args.new_owner().is_some()))
}

fn no_tray(notes: &Path) -> Input {
    let said = std::fs::create_dir_all(notes)
        .and_then(|()| std::fs::File::create_new(notes.join("no-tray-was-said")));
    Input::NoTray { news: said.is_ok() }
}

async fn tell(inputs: &mpsc::Sender<Input>, input: Input) {
    // The only error is that the app is already ending.
    let _ = inputs.send(input).await;
}

/// `None` where the desktop has no opinion or no portal.
async fn prefers_dark(bus: &zbus::Connection) -> Option<bool> {
    let asked = bus.call_method(
        Some("org.freedesktop.portal.Desktop"),
        "/org/freedesktop/portal/desktop",
        Some("org.freedesktop.portal.Settings"),
        "ReadOne",
        &("org.freedesktop.appearance", "color-scheme"),
    );
    let reply = tokio::time::timeout(ASK_LIMIT, asked).await.ok()?.ok()?;
    let value: OwnedValue = reply.body().deserialize().ok()?;
    match u32::try_from(value).ok()? {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}
