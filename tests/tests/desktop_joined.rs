//! The real app of somebody who has joined: a second computer let in by six words, two orgs at once, and every way in which a desktop can end.
//! One world is shared and the steps need one another, so they are played in order; pictures of each go to `tests/out`.

use std::process::ExitCode;

use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::{Outcome, stage};

#[path = "desktop_joined/desk.rs"]
mod desk;
#[path = "desktop_joined/ends.rs"]
mod ends;
#[path = "desktop_joined/nothing_cut.rs"]
mod nothing_cut;
#[path = "desktop_joined/orgs.rs"]
mod orgs;
#[path = "desktop_joined/second.rs"]
mod second;
#[path = "desktop_joined/tools.rs"]
mod tools;
#[path = "desktop_joined/zoomed.rs"]
mod zoomed;

fn main() -> ExitCode {
    if !tidegate_tests::narrator::asked_for("desktop joined") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let out = stage::checkout().map(|checkout| checkout.join("tests/out"));
    let (Ok(runtime), Ok(out)) = (runtime, out) else {
        return ExitCode::FAILURE;
    };
    let Ok(narrator) = Narrator::new(Hands::Driver, &out) else {
        return ExitCode::FAILURE;
    };

    let played = runtime.block_on(Box::pin(play(&narrator)));

    if let Err(trouble) = &played {
        println!("\n{trouble}");
    }
    println!("\n{}", narrator.summary());
    if played.is_ok() && narrator.all_went_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let worlds = narrator
        .step("two companies are founded", desk::found(narrator))
        .await?;
    let (world, beta) = (&worlds.acme, &worlds.beta);
    let mut ana = narrator
        .step(
            "ana joins and signs in in the app",
            desk::Desk::arrive(narrator, world),
        )
        .await?;
    let session = ends::SessionManager::start(&ana.laptop).await?;
    ana.restart(world).await?;

    narrator
        .step(
            "a second computer is let in by the same six words on both screens, and shut out again",
            second::play(narrator, world, &ana),
        )
        .await?;
    narrator
        .step(
            "a service goes into pg_service.conf, and never over somebody's text",
            tools::pg_service(narrator, world, &ana),
        )
        .await?;
    narrator
        .step(
            "notifications that hang hold nothing up",
            tools::hanging_notifications(&ana),
        )
        .await?;
    narrator
        .step(
            "two orgs with a service of one name are open at once",
            orgs::play(narrator, world, beta, &ana),
        )
        .await?;
    narrator
        .step(
            "the end of the session ends a query with words and is not held up",
            session.ends(world, &mut ana),
        )
        .await?;
    narrator
        .step(
            "a lost display ends a query with words, and the next start is a clean one",
            ends::display_lost(narrator, world, &mut ana),
        )
        .await?;
    narrator
        .step(
            "nothing is cut off at twice the size",
            zoomed::play(narrator, world),
        )
        .await?;

    drop(ana);
    narrator.step("nothing is left", worlds.end()).await
}
