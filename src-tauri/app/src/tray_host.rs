//! Whether somebody shows our tray icon, as a state of its own, followed for as long as there is a bus.
//! A newcomer would ask once at start: a panel that starts together with us needs a moment, and one that crashed comes back.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};

use crate::Input;
use crate::surroundings::tell;

const TRAY_HOST: &str = "org.kde.StatusNotifierWatcher";
/// A panel started at login together with us is there by then, and one that is restarted is back.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrayHost {
    /// The bus was not asked yet.
    #[default]
    Unknown,
    There,
    Gone,
}

/// Says whether there is a host for the icon, when it is gone for longer than a restart takes, and when it is back.
/// `notes` is the folder where it is remembered that the lack was said once.
///
/// # Errors
/// When the bus does not tell.
pub async fn watch_the_tray(
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
    let mut said = TrayHost::Unknown;
    loop {
        match (there, said) {
            (true, TrayHost::Unknown | TrayHost::Gone) => {
                if said == TrayHost::Gone {
                    tracing::info!("tray came back");
                }
                tell(inputs, Input::TrayIsThere).await;
                said = TrayHost::There;
            }
            (false, TrayHost::Unknown | TrayHost::There) => match comes_back(&mut changes).await {
                Some(back) => there = back,
                None => {
                    tracing::info!("no tray was found");
                    tell(inputs, no_tray(notes)).await;
                    said = TrayHost::Gone;
                }
            },
            (true, TrayHost::There) | (false, TrayHost::Gone) => match next(&mut changes).await {
                Some(is) => there = is,
                // The bus is gone, and with it the session.
                None => return Ok(()),
            },
        }
    }
}

/// What the bus says within a moment about the host that is away; `None`: nothing.
async fn comes_back(changes: &mut NameOwnerChangedStream) -> Option<bool> {
    tokio::time::timeout(PATIENCE, next(changes)).await.ok()?
}

async fn next(changes: &mut NameOwnerChangedStream) -> Option<bool> {
    let change = changes.next().await?;
    Some(change.args().is_ok_and(|args| args.new_owner().is_some()))
}

pub(crate) fn no_tray(notes: &Path) -> Input {
    let said = std::fs::create_dir_all(notes)
        .and_then(|()| std::fs::File::create_new(notes.join("no-tray-was-said")));
    Input::NoTray { news: said.is_ok() }
}
