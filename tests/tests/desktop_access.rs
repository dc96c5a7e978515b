//! Access that is asked for, with two real desktops: Ana asks from her tray, Bob is notified and gives less, her waiting program goes on.
//! A play: the steps need one another, so they are played in order and the first that fails ends it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Process, User, scene};

#[path = "desktop_joined/desk.rs"]
#[allow(dead_code)] // what other plays need of her
mod desk;
#[path = "desktop_joined/nothing_cut.rs"]
mod nothing_cut;

use desk::{Desk, LIMIT};

/// What is promised from the moment the hub has a request.
const NOTIFIED: Duration = Duration::from_secs(1);
const REASON: &str = "INC-42 churn numbers";
/// Until a desktop shows a notification.
const SHOWN: &str = "until dunstctl count displayed | grep -qx '[1-9][0-9]*'; do sleep 0.02; done";

fn main() -> ExitCode {
    perform_if_asked("desktop access", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let world = narrator
        .step("the stage is set", scene::set_where_people_ask(narrator))
        .await?;
    let owners = ["Everyone", "data-owners"];
    world.provider.set_groups(&world.provider.bob, &owners)?;
    let (ana, bob) = narrator
        .step("ana and bob join and sign in in the app", both(&world))
        .await?;
    let mut psql = narrator
        .step(
            "she_asks_from_the_tray_and_his_desktop_says_so_within_a_second",
            asks(narrator, &world, &ana, &bob),
        )
        .await?;
    narrator
        .step(
            "he_sees_who_and_why_she_sees_that_he_saw_it_and_he_gives_less",
            gives_less(narrator, &ana, &bob),
        )
        .await?;
    narrator
        .step(
            "her_waiting_program_goes_on_and_she_knows_what_she_holds",
            goes_on(narrator, &ana, &mut psql),
        )
        .await?;
    narrator
        .step(
            "she_gives_it_back_and_a_running_query_ends_with_words",
            gives_back(narrator, &world, &ana),
        )
        .await?;
    drop((psql, ana, bob));
    narrator.step("nothing is left", world.end()).await
}

async fn both(world: &World) -> Outcome<(Desk, Desk)> {
    let people = &world.provider;
    let ana = Desk::arrive_as(world, User::Analyst, &people.ana).await?;
    let bob = Desk::arrive_as(world, User::Colleague, &people.bob).await?;
    Ok((ana, bob))
}

async fn asks(narrator: &Narrator, world: &World, ana: &Desk, bob: &Desk) -> Outcome<Process> {
    // Nobody looks at his window.
    let away = "xdotool windowminimize $(xdotool search --name '^Tidegate$'); dunstctl close-all";
    bob.laptop.terminal("away", "sh", &["-c", away]).await?;
    ana.look(narrator, "access-1-must-ask").await?;
    ana.tray.click(&format!("Ask for {SERVICE}")).await?;
    ana.window.shows("ask-form").await?;
    ana.window.write("ask-reason", REASON).await?;
    ana.window.click("ask-time-7200").await?;
    ana.look(narrator, "access-2-asking").await?;
    ana.window.click("ask-send").await?;
    ana.window.shows("own-access").await?;
    let since = Instant::now();
    let limit = LIMIT.as_secs().to_string();
    let words = [limit.as_str(), "sh", "-c", SHOWN];
    bob.laptop.terminal("notified", "timeout", &words).await?;
    let took = since.elapsed();
    narrator.say(format!("notified after {} ms", took.as_millis()));
    bob.laptop
        .picture(&narrator.picture("access-3-notified"))
        .await?;
    if took > NOTIFIED {
        return Err(Trouble::new("he was told too late"));
    }
    let state = format!("state-{SERVICE}");
    ana.window.says(&state, "waiting for approval").await?;
    let mut psql = psql(world, ana, "waiting", "select 42")?;
    psql.says("waiting for approval", LIMIT).await?;
    Ok(psql)
}

async fn gives_less(narrator: &Narrator, ana: &Desk, bob: &Desk) -> Outcome<()> {
    ana.look(narrator, "access-4-waiting").await?;
    bob.look_at_the_screen(narrator, "access-5-tray").await?;
    bob.tray.click(&format!("asks for {SERVICE}")).await?;
    let id = the_one(bob, "approve-").await?;
    let why = bob.window.read(&format!("decide-reason-{id}")).await?;
    if why != REASON {
        return Err(Trouble::new(format!("he reads: {why}")));
    }
    bob.look(narrator, "access-6-decide").await?;
    let progress = format!("progress-{id}");
    let seen = ana.window.says(&progress, "Seen by").await;
    narrator.say(seen.doing("tell her that he saw it")?);
    bob.window.click(&format!("give-{id}-900")).await?;
    bob.window
        .says(&format!("approve-{id}"), "Approve less")
        .await?;
    bob.look(narrator, "access-7-less").await?;
    bob.window.click(&format!("approve-{id}")).await?;
    bob.window.shows("given-access").await?;
    bob.look(narrator, "access-8-given").await
}

async fn goes_on(narrator: &Narrator, ana: &Desk, psql: &mut Process) -> Outcome<()> {
    let since = Instant::now();
    let status = psql.ended(LIMIT).await?;
    narrator.say(format!(
        "psql ended {} ms later",
        since.elapsed().as_millis()
    ));
    if !status.success() || psql.stdout().trim() != "42" {
        return Err(Trouble::new(format!("{status}: {}", psql.stderr())));
    }
    let said = ana.window.says("own-access", "left").await?;
    narrator.say(said.replace('\n', " · "));
    let state = format!("state-{SERVICE}");
    ana.window.says(&state, "Connected").await?;
    ana.look(narrator, "access-9-in-use").await?;
    ana.look_at_the_screen(narrator, "access-9").await
}

async fn gives_back(narrator: &Narrator, world: &World, ana: &Desk) -> Outcome<()> {
    let mut query = ana.long_query(world).await?;
    let id = the_one(ana, "take-back-").await?;
    let since = Instant::now();
    ana.window.click(&format!("take-back-{id}")).await?;
    query.ended(LIMIT).await.doing("end the query")?;
    narrator.say(format!(
        "{} ms later psql reads: {}",
        since.elapsed().as_millis(),
        query.stderr().trim()
    ));
    if !query.stderr().contains("TG-") {
        return Err(Trouble::new("it does not say why"));
    }
    ana.look(narrator, "access-10-given-back").await
}

/// The id of the only request that has such a button.
async fn the_one(desk: &Desk, button: &str) -> Outcome<String> {
    let look = format!(
        "return [...document.querySelectorAll('[data-testid^=\"{button}\"]')].map((one) => one.dataset.testid)"
    );
    let until = Instant::now() + LIMIT;
    loop {
        let found = desk.window.run(&look).await?;
        let found = found.as_array().doing("look for a button")?;
        if let [one] = found.as_slice() {
            let id = one.as_str().and_then(|id| id.strip_prefix(button));
            return Ok(id.doing("read its id")?.to_owned());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!("{button}: {found:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn psql(world: &World, ana: &Desk, name: &str, query: &str) -> Outcome<Process> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let psql = ana.laptop.program(name, "psql");
    psql.args(["-X", "-At", "-c", query, &url])
        .start(&world.stage)
}
