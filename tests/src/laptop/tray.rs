//! The tray, used as a panel uses it: the icon's D-Bus menu is read and its items are clicked.
//! The panel on the laptop is the real host; this only looks over its shoulder.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use zbus::Connection;
use zbus::zvariant::{OwnedValue, Value};

use super::Laptop;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::as_uid;

const MENU: &str = "com.canonical.dbusmenu";
const PATIENCE: Duration = Duration::from_secs(20);

/// One line of the menu. Separators have no label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    pub id: i32,
    pub label: String,
    pub enabled: bool,
    /// 0 at the top.
    pub depth: usize,
}

pub struct Tray {
    bus: Connection,
    owner: String,
    menu: String,
}

type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

impl Laptop {
    /// Waits for the product's icon, and before that for a panel: one that has just begun is not on the bus yet.
    ///
    /// # Errors
    /// When none appears.
    pub async fn tray(&self) -> Outcome<Tray> {
        Tray::on(self.bus().await.doing("join the laptop's bus")?).await
    }
}

impl Laptop {
    /// A connection to her session bus, which lets in nobody but her: so the connection is made as her.
    ///
    /// # Errors
    /// When there is no session.
    pub async fn bus(&self) -> Outcome<Connection> {
        Ok(self.bus_builder()?.build().await?)
    }

    /// The same, not made yet: names and objects can be added.
    ///
    /// # Errors
    /// When there is no session.
    pub fn bus_builder(&self) -> Outcome<zbus::connection::Builder<'static>> {
        bus_of(&self.home(), self.stage.run().real_uid(self.user))
    }
}

/// The session bus of whoever has this home, as them.
fn bus_of(home: &Path, uid: Option<u32>) -> Outcome<zbus::connection::Builder<'static>> {
    let path = home.join("run/bus");
    let stream = as_uid(uid, || UnixStream::connect(path))?;
    stream.set_nonblocking(true)?;
    let mut builder =
        zbus::connection::Builder::unix_stream(tokio::net::UnixStream::from_std(stream)?);
    if let Some(uid) = uid {
        builder = builder.user_id(uid);
    }
    Ok(builder)
}

impl Tray {
    /// Of a laptop that another program switched on: the one of whoever has this home.
    ///
    /// # Errors
    /// When there is no such laptop, or no icon on it.
    pub async fn of(home: &Path) -> Outcome<Self> {
        let uid = std::fs::metadata(home.join("run/bus"))?.uid();
        Self::on(bus_of(home, Some(uid))?.build().await?).await
    }

    async fn on(bus: Connection) -> Outcome<Self> {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = first_item(&bus).await;
            if let Ok(Some(item)) = &found {
                let (owner, path) = item.split_once('/').doing("read the icon's address")?;
                let (owner, path) = (owner.to_owned(), format!("/{path}"));
                let menu = menu_of(&bus, &owner, &path).await?;
                return Ok(Self { bus, owner, menu });
            }
            if Instant::now() > until {
                found.doing("ask the panel for its icons")?;
                return Err(Trouble::new("no icon appeared in the tray"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The menu as it is now, top to bottom, submenus after their own line.
    ///
    /// # Errors
    /// When the icon is gone.
    pub async fn items(&self) -> Outcome<Vec<MenuItem>> {
        let question = (0_i32, -1_i32, Vec::<&str>::new());
        let answer = self.call("GetLayout", &question).await?;
        let (_revision, layout): (u32, Layout) = answer.body().deserialize()?;
        let mut items = Vec::new();
        for child in layout.2 {
            collect(child, 0, &mut items)?;
        }
        Ok(items)
    }

    /// The menu as text, for the terminal and for comparing.
    ///
    /// # Errors
    /// When the icon is gone.
    pub async fn read(&self) -> Outcome<String> {
        let items = self.items().await?;
        let lines = items.iter().map(|item| {
            let label = if item.label.is_empty() {
                "────────"
            } else {
                &item.label
            };
            format!(
                "{}{label}{}",
                "  ".repeat(item.depth),
                if item.enabled {
                    ""
                } else {
                    "  (not clickable)"
                }
            )
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Waits for a clickable line that contains the words.
    ///
    /// # Errors
    /// When there is none within `limit`.
    pub async fn find(&self, words: &str, limit: Duration) -> Outcome<MenuItem> {
        let until = Instant::now() + limit;
        loop {
            if let Some(item) = self
                .items()
                .await?
                .into_iter()
                .find(|item| item.label.contains(words))
            {
                return Ok(item);
            }
            if Instant::now() > until {
                return Err(Trouble::new(format!(
                    "the tray never said `{words}`; it says:\n{}",
                    self.read().await?
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks the line that contains the words.
    ///
    /// # Errors
    /// When there is none.
    pub async fn click(&self, words: &str) -> Outcome<()> {
        let item = self.find(words, PATIENCE).await?;
        let event = (item.id, "clicked", Value::I32(0), 0_u32);
        self.call("Event", &event).await.map(drop)
    }

    async fn call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        what: &str,
        body: &B,
    ) -> Outcome<zbus::Message> {
        let answer = self
            .bus
            .call_method(
                Some(self.owner.as_str()),
                self.menu.as_str(),
                Some(MENU),
                what,
                body,
            )
            .await;
        answer.doing(format!("call {what} of the tray's menu"))
    }
}

fn collect(value: OwnedValue, depth: usize, items: &mut Vec<MenuItem>) -> Outcome<()> {
    let (id, mut properties, children) = Layout::try_from(value)?;
    let label = properties
        .remove("label")
        .and_then(|label| String::try_from(label).ok())
        .unwrap_or_default();
    let yes = |key: &str| {
        properties
            .get(key)
            .is_none_or(|value| bool::try_from(value).unwrap_or(true))
    };
    if yes("visible") {
        items.push(MenuItem {
            id,
            label: without_mnemonic(&label),
            enabled: yes("enabled"),
            depth,
        });
        for child in children {
            collect(child, depth + 1, items)?;
        }
    }
    Ok(())
}

/// `_Quit` underlines the Q; `__` is an underscore.
fn without_mnemonic(label: &str) -> String {
    label
        .replace("__", "\0")
        .replace('_', "")
        .replace('\0', "_")
}

async fn first_item(bus: &Connection) -> Outcome<Option<String>> {
    let watcher = "org.kde.StatusNotifierWatcher";
    let value = property(
        bus,
        watcher,
        "/StatusNotifierWatcher",
        watcher,
        "RegisteredStatusNotifierItems",
    )
    .await?;
    let items = Vec::<String>::try_from(value)?;
    Ok(items.into_iter().next())
}

async fn menu_of(bus: &Connection, owner: &str, path: &str) -> Outcome<String> {
    let value = property(bus, owner, path, "org.kde.StatusNotifierItem", "Menu").await?;
    Ok(zbus::zvariant::OwnedObjectPath::try_from(value)?.to_string())
}

async fn property(
    bus: &Connection,
    owner: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> Outcome<OwnedValue> {
    let properties = Some("org.freedesktop.DBus.Properties");
    let answer = bus
        .call_method(Some(owner), path, properties, "Get", &(interface, name))
        .await?;
    Ok(answer.body().deserialize::<OwnedValue>()?)
}
