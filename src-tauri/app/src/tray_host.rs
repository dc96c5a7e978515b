//! Whether somebody shows our tray icon, as a state of its own, followed for as long as there is a bus.
//! A newcomer would ask once at start: a panel that starts together with us needs a moment, and one that crashed comes back.

use std::path::Path;
use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use zbus::MatchRule;
use zbus::fdo::{DBusProxy, PropertiesProxy};
use zbus::names::{BusName, InterfaceName};

use crate::Input;
use crate::surroundings::tell;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const HOST_IS_THERE: &str = "IsStatusNotifierHostRegistered";
/// A panel started at login together with us is there by then, and one that is restarted is back.
const PATIENCE: Duration = Duration::from_secs(3);
/// A watcher that does not say by then whether it has a host is taken for one that has.
const ANSWERS: Duration = Duration::from_secs(2);

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
    let mut host = Host::listen(bus).await?;
    let mut there = host.is_there().await?;
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
            (false, TrayHost::Unknown | TrayHost::There) => {
                there = host.comes_back().await?;
                if !there {
                    tracing::info!("no tray was found");
                    tell(inputs, no_tray(notes)).await;
                    said = TrayHost::Gone;
                }
            }
            (true, TrayHost::There) | (false, TrayHost::Gone) => match host.news.next().await {
                Some(()) => there = host.is_there().await?,
                // The bus is gone, and with it the session.
                None => return Ok(()),
            },
        }
    }
}

/// Whoever shows icons. There are two: a watcher with a name on the bus, whom programs tell of their icons, and a host that draws
/// them and says so to the watcher. One that lost its host goes on taking icons that nobody sees.
struct Host<'b> {
    bus: &'b zbus::Connection,
    dbus: DBusProxy<'b>,
    /// Something about them may have changed.
    news: SelectAll<BoxStream<'static, ()>>,
}

impl<'b> Host<'b> {
    /// Listened to before it is asked: what happens in between is not missed.
    async fn listen(bus: &'b zbus::Connection) -> zbus::Result<Self> {
        let dbus = DBusProxy::new(bus).await?;
        let names = dbus.receive_name_owner_changed_with_args(&[(0, WATCHER)]);
        let mut news = SelectAll::new();
        news.push(names.await?.map(|_| ()).boxed());
        let properties = "org.freedesktop.DBus.Properties";
        for (interface, member) in [
            (WATCHER, "StatusNotifierHostRegistered"),
            (WATCHER, "StatusNotifierHostUnregistered"),
            (properties, "PropertiesChanged"),
        ] {
            let rule = MatchRule::builder()
                .msg_type(zbus::message::Type::Signal)
                .path(WATCHER_PATH)?
                .interface(interface)?
                .member(member)?
                .build();
            let said = zbus::MessageStream::for_match_rule(rule, bus, None).await?;
            news.push(said.map(|_| ()).boxed());
        }
        Ok(Self { bus, dbus, news })
    }

    /// `&mut`: streams go from thread to thread, and cannot be looked at by two.
    async fn is_there(&mut self) -> zbus::Result<bool> {
        let watcher = match self.dbus.get_name_owner(BusName::try_from(WATCHER)?).await {
            Ok(owner) => owner,
            Err(zbus::fdo::Error::NameHasNoOwner(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // By the owner's own name: asking must not start anything.
        let asked = async {
            let builder = PropertiesProxy::builder(self.bus)
                .destination(watcher.clone())?
                .path(WATCHER_PATH)?
                .cache_properties(zbus::proxy::CacheProperties::No);
            let said = builder.build().await?;
            let interface = InterfaceName::try_from(WATCHER)?;
            let said = said.get(interface, HOST_IS_THERE).await?;
            Ok::<_, zbus::Error>(bool::try_from(said)?)
        };
        // One that does not know the question is older than it, and shows icons all the same.
        Ok(!matches!(timeout(ANSWERS, asked).await, Ok(Ok(false))))
    }

    /// Whether what is away is back within a moment.
    async fn comes_back(&mut self) -> zbus::Result<bool> {
        let end = Instant::now() + PATIENCE;
        while let Ok(Some(())) = timeout_at(end, self.news.next()).await {
            if self.is_there().await? {
                return Ok(true);
            }
        }
        self.is_there().await
    }
}

pub(crate) fn no_tray(notes: &Path) -> Input {
    let said = std::fs::create_dir_all(notes)
        .and_then(|()| std::fs::File::create_new(notes.join("no-tray-was-said")));
    Input::NoTray { news: said.is_ok() }
}
