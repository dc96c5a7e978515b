//! The end of the desktop's session, as GNOME, Cinnamon and MATE announce it: before the screen goes, while there is time for a last word.
//! A newcomer would rely on SIGTERM alone: there the compositor goes first, and with it every program that draws on it.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::fdo::DBusProxy;
use zbus::message::Type;
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, MatchRule, MessageStream};

use crate::Input;
use crate::surroundings::tell;

const MANAGER: &str = "org.gnome.SessionManager";
const MANAGER_PATH: &str = "/org/gnome/SessionManager";
const CLIENT: &str = "org.gnome.SessionManager.ClientPrivate";
/// As the entry for start at login is called.
const APP: &str = "dev.tidegate.app";
const ASK_LIMIT: Duration = Duration::from_secs(2);
/// More it never says at once.
const WAITING: usize = 8;

/// Ends the app when the session manager says so. Where there is none, the system's signals do.
pub async fn end_with_the_session(bus: &Connection, inputs: &mpsc::Sender<Input>) {
    match until_the_end(bus).await {
        Ok(true) => {
            tracing::info!("session is ending");
            tell(inputs, Input::Stop).await;
        }
        Ok(false) => {}
        Err(error) => tracing::info!(%error, "session manager could not be listened to"),
    }
}

/// False where nobody will ever say so.
async fn until_the_end(bus: &Connection) -> zbus::Result<bool> {
    let asked = tokio::time::timeout(ASK_LIMIT, register(bus)).await;
    let Ok(registered) = asked else {
        return Ok(false);
    };
    let Some((mut said, client)) = registered? else {
        return Ok(false);
    };
    tracing::info!("session manager will say when the session ends");
    while let Some(message) = said.next().await {
        let message = message?;
        let header = message.header();
        if header.path().map(|path| path.as_str()) != Some(client.as_str()) {
            continue;
        }
        match header.member().map(|member| member.as_str()) {
            Some("QueryEndSession") => never_in_the_way(bus, &client).await,
            // Being gone from the bus is the answer to this one: until then the session waits for us.
            Some("EndSession" | "Stop") => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// What the manager will say, and what it calls us; `None` without a manager.
async fn register(bus: &Connection) -> zbus::Result<Option<(MessageStream, OwnedObjectPath)>> {
    let dbus = DBusProxy::new(bus).await?;
    let Ok(manager) = dbus.get_name_owner(MANAGER.try_into()?).await else {
        return Ok(None);
    };
    // Listened to before we are known there: nothing is said in between. By nobody but the manager.
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(manager.as_str())?
        .interface(CLIENT)?
        .build();
    let said = MessageStream::for_match_rule(rule, bus, Some(WAITING)).await?;
    let started_as = std::env::var("DESKTOP_AUTOSTART_ID").unwrap_or_default();
    let answer = bus
        .call_method(
            Some(MANAGER),
            MANAGER_PATH,
            Some(MANAGER),
            "RegisterClient",
            &(APP, started_as),
        )
        .await?;
    Ok(Some((said, answer.body().deserialize()?)))
}

/// Nobody loses anything by a log-out here: programs are told, and ports close.
async fn never_in_the_way(bus: &Connection, client: &OwnedObjectPath) {
    let answer = bus.call_method(
        Some(MANAGER),
        client,
        Some(CLIENT),
        "EndSessionResponse",
        &(true, ""),
    );
    // One that does not take its answer must not keep us from hearing the rest.
    match tokio::time::timeout(ASK_LIMIT, answer).await {
        Ok(Ok(_taken)) => {}
        Ok(Err(error)) => tracing::info!(%error, "session manager did not take the answer"),
        Err(_) => tracing::info!("session manager took too long over the answer"),
    }
}
