//! What kind of desktop this is: whether anybody shows tray icons, and on how dark a panel. Asked over D-Bus, always with a time limit.
//! A newcomer would ask once at start: a panel that starts together with us needs a moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use zbus::zvariant::OwnedValue;

use crate::{Input, Panel};

const TRAY_HOST: &str = "org.kde.StatusNotifierWatcher";
/// A panel started at login together with us is there by then.
const TRAY_PATIENCE: Duration = Duration::from_secs(3);
const TRAY_PACE: Duration = Duration::from_millis(300);
const ASK_LIMIT: Duration = Duration::from_secs(2);

/// Tells the controller what it should know about the desktop; ends by itself. `notes` is where what was said once is remembered.
pub async fn look_around(tray_made: bool, notes: PathBuf, inputs: mpsc::Sender<Input>) {
    let bus = tokio::time::timeout(ASK_LIMIT, zbus::Connection::session()).await;
    let Ok(Ok(bus)) = bus else {
        tracing::info!("no session bus was found");
        return tell(&inputs, no_tray(&notes)).await;
    };
    let names = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let panel = Panel::guess(&names, prefers_dark(&bus).await);
    tell(&inputs, Input::PanelIs(panel)).await;
    if !tray_made || !has_tray_host(&bus).await {
        tell(&inputs, no_tray(&notes)).await;
    }
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

async fn has_tray_host(bus: &zbus::Connection) -> bool {
    let host = async {
        let dbus = zbus::fdo::DBusProxy::new(bus).await?;
        loop {
            let name = zbus::names::BusName::try_from(TRAY_HOST)?;
            if dbus.name_has_owner(name).await? {
                return Ok::<(), zbus::Error>(());
            }
            tokio::time::sleep(TRAY_PACE).await;
        }
    };
    matches!(tokio::time::timeout(TRAY_PATIENCE, host).await, Ok(Ok(())))
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
