//! The second computer: a link without an invitation, a sign-in, six words on both screens, and a click on the first.
//! Two users of one machine stand for the two laptops; each has a screen, a keyring and a browser of its own.

use tidegate_tests::User;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::desk::{Desk, LIMIT};

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Desk) -> Outcome<()> {
    let link = copy_the_link(narrator, ana).await?;
    // The other screen is a fine one: everything twice as large.
    let other = Desk::sit_down(world, User::Elsewhere, &[("GDK_SCALE", "2")]).await?;
    ask_to_be_let_in(narrator, world, &other, &link).await?;
    compare(narrator, ana, &other).await?;
    shut_out(narrator, ana, &other).await
}

async fn copy_the_link(narrator: &Narrator, ana: &Desk) -> Outcome<String> {
    ana.window.click("settings").await?;
    ana.window.click("device-link-acme").await?;
    ana.window.says("device-link-acme", "Copied").await?;
    ana.look(narrator, "second-1-link").await?;
    ana.window.click("settings-back").await?;
    let link = ana.laptop.clipboard().await?;
    if link.contains("ticket") || !link.starts_with("tidegate://join?") {
        return Err(Trouble::new(format!("the clipboard holds `{link}`")));
    }
    Ok(link)
}

async fn ask_to_be_let_in(
    narrator: &Narrator,
    world: &World,
    other: &Desk,
    link: &str,
) -> Outcome<()> {
    let window = &other.window;
    window.shows("page-not_joined").await?;
    other.look(narrator, "second-2-first-run").await?;
    window.write("join-link", link).await?;
    let said = window.read("no-invitation").await?;
    if !(said.contains("another computer of yours") && said.contains("cut short")) {
        return Err(Trouble::new(format!("it says only: {said}")));
    }
    other.look(narrator, "second-3-no-invitation").await?;
    window.click("join-button").await?;
    window.shows("new-here").await?;
    other.look(narrator, "second-4-signed-out").await?;
    other.sign_in(world, "enrolling").await?;
    other.look(narrator, "second-5-waiting").await?;
    other.look_at_the_screen(narrator, "second-5").await
}

async fn compare(narrator: &Narrator, ana: &Desk, other: &Desk) -> Outcome<()> {
    let line = ana.tray.find("asks to be let in", LIMIT).await?;
    narrator.say(format!("tray of the first: {}", line.label));
    ana.look(narrator, "second-6-asked").await?;
    ana.look_at_the_screen(narrator, "second-6").await?;
    ana.window.click("request-compare").await?;
    let (ours, theirs) = (words(ana).await?, words(other).await?);
    ana.look(narrator, "second-7-words-first").await?;
    other.look(narrator, "second-7-words-second").await?;
    other.look_at_the_screen(narrator, "second-7").await?;
    narrator.say(format!(
        "first:  {}\nsecond: {}",
        ours.join(" "),
        theirs.join(" ")
    ));
    if ours != theirs || ours.len() != 6 {
        return Err(Trouble::new("the words are not the same six"));
    }
    ana.window.click("request-approve").await?;
    other
        .window
        .shows("page-signed_in")
        .await
        .doing("be let in")?;
    other.window.shows("connect-warehouse").await?;
    other.look(narrator, "second-8-let-in").await
}

async fn words(desk: &Desk) -> Outcome<Vec<String>> {
    desk.window.shows("words").await?;
    let look = "return [...document.querySelectorAll('[data-testid=words] li')].map((word) => word.textContent)";
    let shown = desk.window.run(look).await?;
    let words = shown.as_array().doing("read the words")?;
    Ok(words
        .iter()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect())
}

async fn shut_out(narrator: &Narrator, ana: &Desk, other: &Desk) -> Outcome<()> {
    ana.window.click("settings").await?;
    let id = ana
        .window
        .run("return document.querySelector('[data-testid^=\"revoke-\"]')?.dataset.testid ?? ''")
        .await?;
    let id = id.as_str().unwrap_or_default().to_owned();
    let device = id
        .strip_prefix("revoke-")
        .doing("find the other computer in the list")?;
    ana.window.click(&id).await?;
    ana.look(narrator, "second-9-shutting-out").await?;
    ana.window.click(&format!("revoke-sure-{device}")).await?;
    other
        .window
        .shows("page-signed_out")
        .await
        .doing("shut it out")?;
    other.look(narrator, "second-10-shut-out").await?;
    narrator.say(format!(
        "the other says: {}",
        other.window.text().await?.replace('\n', " · ")
    ));
    ana.window.says("devices", "shut out").await?;
    ana.look(narrator, "second-11-list").await?;
    ana.window.click("settings-back").await
}
