//! Step 3: one click on Connect; she signs in at the provider in her own browser, and the connection string is on the clipboard.
//! Before the first sign-in there is no catalogue: it is the join link that named the service.

use super::{Desk, World};
use crate::company::{SERVICE, SERVICE_PORT};
use crate::narrator::{Hands, Narrator};
use crate::trouble::{Doing, Outcome, Trouble};
use crate::warehouse::DATABASE;

pub(super) async fn play(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    one_click(narrator, world, desk).await?;

    let address = desk
        .window
        .says(&format!("address-{SERVICE}"), &SERVICE_PORT.to_string())
        .await?;
    let left = desk.window.says(&format!("left-{SERVICE}"), "left").await?;
    let line = desk
        .tray
        .find(&format!("localhost:{SERVICE_PORT}"), super::watch::SOON)
        .await?;
    if !line.label.contains("left") {
        let label = &line.label;
        return Err(Trouble::new(format!("the tray tells no time: `{label}`")));
    }
    narrator.say(format!(
        "window: {SERVICE} {address} {left}\ntray:   {}",
        line.label
    ));
    desk.window
        .picture(&narrator.picture("window-6-connected"))
        .await?;
    desk.laptop
        .picture_of_tray(&narrator.picture("tray-2-connected"))
        .await?;

    let pasted = desk.laptop.clipboard().await?;
    let expected = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    if pasted != expected {
        return Err(Trouble::new(format!(
            "the clipboard holds `{pasted}`, not `{expected}`"
        )));
    }
    narrator.say(format!("clipboard: {pasted}"));
    Ok(())
}

async fn one_click(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let ana = &world.provider.ana;
    if narrator.hands == Hands::Person {
        desk.laptop.put_on_clipboard(&ana.password).await?;
    } else {
        drive_sign_in(narrator, world, desk).await?;
    }
    let sign_in = format!(
        "click Connect {SERVICE} in the tray; the browser opens: sign in as {} and paste the password (it is on her clipboard: Ctrl+V)",
        ana.login
    );
    narrator
        .ask(&sign_in, desk.window.shows("page-signed_in"))
        .await
        .doing("sign in")?;
    desk.window.shows(&format!("service-{SERVICE}")).await?;
    desk.window
        .picture(&narrator.picture("window-5-services"))
        .await?;
    desk.window
        .says(&format!("state-{SERVICE}"), "Connected")
        .await?;
    Ok(())
}

async fn drive_sign_in(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    desk.tray.click(&format!("Connect {SERVICE}")).await?;
    desk.window.shows("sign-in-step").await?;
    desk.window
        .picture(&narrator.picture("window-4-signing-in"))
        .await?;
    let browser = desk.laptop.browser().await?;
    let page = browser.sign_in(&world.provider.ana, Some(narrator)).await?;
    narrator.say(format!("browser: {}", page.text.replace('\n', " ")));
    if !page.text.to_lowercase().contains("close") {
        return Err(Trouble::new(format!(
            "the tab does not say that it can be closed: {}",
            page.text
        )));
    }
    browser.let_go().await
}

/// Clicks Connect in the tray and waits until tray and window agree.
pub(super) async fn connect(narrator: &Narrator, desk: &Desk) -> Outcome<()> {
    if narrator.hands == Hands::Driver {
        return connect_again(desk).await;
    }
    let click = format!("click Connect {SERVICE} in the tray");
    narrator.ask(&click, is_connected(desk)).await
}

/// The same whoever's hands the play has: where it takes things away, it also puts them back.
pub(super) async fn connect_again(desk: &Desk) -> Outcome<()> {
    desk.tray.click(&format!("Connect {SERVICE}")).await?;
    is_connected(desk).await
}

async fn is_connected(desk: &Desk) -> Outcome<()> {
    let state = format!("state-{SERVICE}");
    desk.window.says(&state, "Connected").await.map(drop)
}
