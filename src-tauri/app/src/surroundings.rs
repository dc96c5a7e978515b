//! What kind of desktop this is: whether anybody shows tray icons, on how dark a panel, and when its session ends. Asked over D-Bus, always with a time limit.
//! A newcomer would take a bus for granted: without one there is no tray, and the system's signals say when to end.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use zbus::zvariant::OwnedValue;

use crate::session_end::end_with_the_session;
use crate::tray_host::{no_tray, watch_the_tray};
use crate::{Input, Panel};

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
    tokio::join!(
        look_at_the_panel(&bus, tray_made, notes, &inputs),
        end_with_the_session(&bus, &inputs)
    );
}

async fn look_at_the_panel(
    bus: &zbus::Connection,
    tray_made: bool,
    notes: PathBuf,
    inputs: &mpsc::Sender<Input>,
) {
    let names = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let panel = Panel::guess(&names, prefers_dark(bus).await);
    tell(inputs, Input::PanelIs(panel)).await;
    if !tray_made {
        return tell(inputs, no_tray(&notes)).await;
    }
    if let Err(error) = watch_the_tray(bus, &notes, inputs).await {
        tracing::info!(%error, "the bus does not say whether there is a tray");
        tell(inputs, no_tray(&notes)).await;
    }
}

pub(crate) async fn tell(inputs: &mpsc::Sender<Input>, input: Input) {
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
