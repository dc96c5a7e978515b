//! The real app of somebody who has joined: a second computer let in by six words, two orgs at once, and every way in which a desktop can end.
//! One world is shared and the steps need one another, so they are played in order; pictures of each go to `tests/out`.

use std::process::ExitCode;

use tidegate_tests::Outcome;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;

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
    perform_if_asked("desktop joined", play)
}

/// Those that are named, as in `cargo test -p tidegate-tests --test desktop_joined -- desktop orgs zoom`; without names all of them.
fn wanted(part: &str) -> bool {
    const PARTS: [&str; 5] = ["second", "tools", "orgs", "zoom", "ends"];
    let words: Vec<String> = std::env::args().skip(1).collect();
    let named = |part: &&str| words.iter().any(|word| word == part);
    !PARTS.iter().any(named) || named(&part)
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
    if wanted("second") {
        let _ = narrator
            .step(
                "a second computer is let in by the same six words on both screens, and shut out again",
                second::play(narrator, world, &ana),
            )
            .await;
    }
    if wanted("tools") {
        tools::play(narrator, world, &mut ana).await;
    }
    if wanted("orgs") {
        let _ = narrator
            .step(
                "two orgs with a service of one name are open at once",
                orgs::play(narrator, world, beta, &ana),
            )
            .await;
    }
    if wanted("zoom") {
        let _ = narrator
            .step(
                "nothing is cut off at twice the size",
                zoomed::play(narrator, world, &ana),
            )
            .await;
    }
    // Last: her display does not outlive it.
    if wanted("ends") {
        ends::play(narrator, world, session, &mut ana).await;
    }
    drop(ana);
    narrator.step("nothing is left", worlds.end()).await
}
