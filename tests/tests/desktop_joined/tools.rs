//! What the desktop around the app may do or not do: a file of hers, a notification daemon that hangs.
//! Each is asked for by a click in the real window, and seen where it ends.

use std::time::Duration;

use tidegate_tests::User;
use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};

use super::desk::{Desk, LIMIT};

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &mut Desk) {
    let _ = narrator
        .step(
            "a_service_goes_into_pg_service_conf_and_never_over_somebodys_text",
            pg_service(narrator, world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_notification_daemon_that_hangs_holds_nothing_up_and_quitting_neither",
            hanging_notifications(world, ana),
        )
        .await;
}

async fn pg_service(narrator: &Narrator, world: &World, ana: &Desk) -> Outcome<()> {
    ana.connect(SERVICE, SERVICE).await?;
    write(ana).await?;
    let said = ana.window.read(&format!("wrote-{SERVICE}")).await?;
    narrator.say(said);
    ana.look(narrator, "tools-1-written").await?;
    let answer = ana.psql("service=warehouse", "select 6 * 7").await?;
    if answer != "42" {
        return Err(Trouble::new(format!(
            "psql service=warehouse says {answer}"
        )));
    }

    let file = ana.laptop.home().join(".pg_service.conf");
    let hers = "[warehouse]\nhost=elsewhere\n";
    world.stage.run().private_file(User::Analyst, &file, hers)?;
    write(ana).await?;
    let said = ana.window.says("problem-TG-6017", "by hand").await?;
    narrator.say(said.replace('\n', " "));
    ana.look(narrator, "tools-2-not-written").await?;
    if std::fs::read_to_string(&file)? != hers {
        return Err(Trouble::new("her file was changed"));
    }
    std::fs::remove_file(file)?;
    ana.window.click("problem-dismiss-TG-6017").await?;
    ana.tray.click(&format!("Disconnect {SERVICE}")).await?;
    ana.window.shows(&format!("connect-{SERVICE}")).await
}

async fn write(ana: &Desk) -> Outcome<()> {
    ana.window.click(&format!("copy-menu-{SERVICE}")).await?;
    ana.window
        .click(&format!("write-pg-service-{SERVICE}"))
        .await
}

/// A daemon that takes the name and never answers.
async fn hanging_notifications(world: &World, ana: &mut Desk) -> Outcome<()> {
    ana.laptop
        .terminal("dunst-ends", "sh", &["-c", "kill $(\"$MINE\" dunst)"])
        .await?;
    let silent = ana.laptop.bus().await?;
    let name = "org.freedesktop.Notifications";
    let until = std::time::Instant::now() + LIMIT;
    while silent.request_name(name).await.is_err() {
        if std::time::Instant::now() > until {
            return Err(Trouble::new("the name of the notifications is never free"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody looks at the window, so that there is something to notify about.
    ana.laptop
        .terminal(
            "iconify",
            "sh",
            &[
                "-c",
                "xdotool windowminimize $(xdotool search --name '^Tidegate$')",
            ],
        )
        .await?;
    for _ in 0..3 {
        let took = ana.connect(SERVICE, SERVICE).await?;
        println!("  connected after {} ms", took.as_millis());
        if took > Duration::from_secs(4) {
            return Err(Trouble::new("the notifications held it up"));
        }
        ana.tray.click(&format!("Disconnect {SERVICE}")).await?;
        ana.tray.find(&format!("Connect {SERVICE}"), LIMIT).await?;
    }
    // The last notice is still under way when she quits.
    ana.connect(SERVICE, SERVICE).await?;
    ana.tray.click("Quit Tidegate and disconnect").await?;
    let took = ana.gone().await?;
    println!("  gone {} ms after Quit", took.as_millis());
    if took > Duration::from_secs(5) {
        return Err(Trouble::new("the notifications held the end up"));
    }
    drop(silent);
    ana.start_again(world, &[]).await
}
