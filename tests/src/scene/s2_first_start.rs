//! Step 2: the first start of the app, and the join link. Afterwards the device is enrolled.
//! Whether the window opens by itself is the app's business; the tray's Open brings it up in any case.

use super::{Desk, World};
use crate::company::{ORG, SERVICE};
use crate::laptop::Laptop;
use crate::narrator::{Hands, Narrator};
use crate::trouble::{Doing, Outcome};
use crate::user::User;

pub(super) async fn play(narrator: &Narrator, world: &World) -> Outcome<Desk> {
    let (admin, ana) = (&world.company.admin, &world.provider.ana);
    let link = admin.ticket_naming(ana, &[SERVICE]).await?;
    let laptop =
        Laptop::switch_on_for(&world.stage, &world.ca, User::Analyst, narrator.hands).await?;
    let binary = world.stage.binary("tidegate-desktop")?;
    let open = async {
        let tray = laptop.tray().await?;
        narrator.say(format!("tray:\n{}", indent(&tray.read().await?)));
        tray.click("Open Tidegate").await?;
        Ok(tray)
    };
    let (window, tray) = laptop.start_app(&binary, narrator.patience(), open).await?;
    window.shows("page-not_joined").await?;
    window.picture(&narrator.picture("window-1-join")).await?;
    laptop
        .picture_of_tray(&narrator.picture("tray-1-first-start"))
        .await?;

    if narrator.hands == Hands::Person {
        laptop.put_on_clipboard(&link).await?;
        narrator.say("Ana's laptop is the window that opened on your display; its tray is at the top right. Leave the window of Tidegate open there: the play reads in it.");
    } else {
        window.write("join-link", &link).await?;
        window.picture(&narrator.picture("window-2-link")).await?;
        window.click("join-button").await?;
    }
    let paste = "on Ana's laptop, paste the join link into the window (it is on her clipboard: Ctrl+V) and click Join";
    narrator
        .ask(paste, window.shows("page-signed_out"))
        .await
        .doing("join with the link")?;
    window.picture(&narrator.picture("window-3-joined")).await?;
    narrator.say(format!("joined {ORG}; this device is enrolled"));
    Ok(Desk {
        laptop,
        tray,
        window,
        link,
    })
}

fn indent(menu: &str) -> String {
    menu.lines()
        .map(|line| format!("│ {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
