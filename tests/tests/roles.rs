//! Temporary roles: nobody on a laptop, and no session at the database, is anybody that is there tomorrow.
//! A play: the steps need one another, so they are played in order and the first that fails ends it.

#[path = "approval/desk.rs"]
mod desk;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use desk::{Desk, LIMIT, both, psql};
use serde_json::{Value, json};
use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::process::Signal;
use tidegate_tests::scene::{self, World};
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Process, secret};

/// From the end of a grant to a database in which nothing of it is left; a second is what people are promised for the session.
const GONE: Duration = Duration::from_secs(3);
/// For what was killed to be there again, and to have cleared away what it left.
const CLEARED: Duration = Duration::from_secs(40);
const ROLES: &str = "select rolname from pg_roles where rolname like 'tg\\_%'";
const SESSIONS: &str = "select pid from pg_stat_activity where usename like 'tg\\_%'";

fn main() -> ExitCode {
    perform_if_asked("roles", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let mut world = narrator
        .step("the stage is set", scene::set_where_people_ask(narrator))
        .await?;
    let owners = ["Everyone", "data-owners"];
    world.provider.set_groups(&world.provider.bob, &owners)?;
    narrator
        .step(
            "the owner turns roles on, as the doctor says",
            turned_on(&mut world),
        )
        .await?;
    let (ana, bob) = narrator
        .step("ana and bob join and sign in", both(&world))
        .await?;
    narrator
        .step(
            "who may only read cannot write, and is gone with the grant",
            reads(&world, &ana, &bob),
        )
        .await?;
    narrator
        .step(
            "an outlet that is killed leaves nothing",
            outlet_killed(&mut world, &ana, &bob),
        )
        .await?;
    narrator
        .step(
            "a database that is killed keeps nothing",
            database_killed(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "an outlet that stops leaves nothing",
            stopped(&mut world, &ana),
        )
        .await?;
    drop((ana, bob));
    narrator.step("nothing is left", world.end()).await
}

/// Step by step, each time with the line that the doctor prints.
async fn turned_on(world: &mut World) -> Outcome<()> {
    let (database, outlet) = (&world.warehouse, &mut world.company.outlet);
    let password = secret::text();
    database
        .ask(&format!(
            "create role role_maker login password '{password}'"
        ))
        .await?;
    let login = json!({"database": DATABASE, "username": "role_maker", "password": password});
    outlet.write("login.json", &login.to_string())?;
    let roles = "roles = { member_of = \"analysts\", read_only_member_of = \"readers\" }\n";
    let settings = outlet.read("outlet.toml")? + roles;
    outlet.write("outlet.toml", &settings)?;
    for (n, (says, order)) in [
        (
            "ALTER ROLE role_maker CREATEROLE",
            "alter role role_maker createrole",
        ),
        (
            "CREATE ROLE analysts NOLOGIN",
            "create role analysts nologin",
        ),
        (
            "GRANT analysts TO role_maker WITH ADMIN OPTION",
            "grant analysts to role_maker with admin option",
        ),
        (
            "CREATE ROLE readers NOLOGIN",
            "create role readers nologin; grant readers to role_maker with admin option",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (well, said) = outlet.doctor(&format!("outlet-doctor-{n}")).await?;
        if well || !said.contains(says) {
            return Err(Trouble::new(format!(
                "the doctor does not say {says:?}: {said}"
            )));
        }
        println!("  {says}");
        database.ask(order).await?;
    }
    database
        .ask("grant usage on schema public to analysts, readers; grant select on all tables in schema public to analysts, readers; grant insert on flights to analysts")
        .await?;
    let (well, said) = outlet.doctor("outlet-doctor-well").await?;
    if !well {
        return Err(Trouble::new(format!("the doctor is not content: {said}")));
    }
    outlet.restart().await
}

/// Asked for, given, and used by nobody yet.
async fn granted(ana: &Desk, bob: &Desk, read_only: bool) -> Outcome<String> {
    let mut ask = vec![
        "request",
        SERVICE,
        "--for",
        "10m",
        "--because",
        "INC-42",
        "--json",
    ];
    if read_only {
        ask.push("--read-only");
    }
    let asked: Value = serde_json::from_str(&ana.says("request", &ask).await?)?;
    let waiting = asked["requests"].as_array().doing("read the requests")?;
    let id = waiting.iter().find(|one| one["state"] == "waiting");
    let id = id
        .and_then(|one| one["id"].as_str())
        .doing("find what was asked for")?;
    bob.says("requests", &["requests"]).await?;
    bob.says("approve", &["approve", id]).await?;
    Ok(id.to_owned())
}

async fn connected(world: &World, ana: &Desk) -> Outcome<Process> {
    let connect = ana.laptop.program("connect", &ana.tidegate);
    let mut connect = connect.args(["connect", SERVICE]).start(&world.stage)?;
    connect.says("Connected", LIMIT).await?;
    Ok(connect)
}

async fn answer(world: &World, ana: &Desk, query: &str) -> Outcome<(bool, String)> {
    let mut psql = psql(world, ana, "psql", query)?;
    let status = psql.ended(LIMIT).await?;
    Ok((status.success(), psql.stdout() + &psql.stderr()))
}

async fn reads(world: &World, ana: &Desk, bob: &Desk) -> Outcome<()> {
    let id = granted(ana, bob, true).await?;
    let mut agent = connected(world, ana).await?;
    let (well, who) = answer(
        world,
        ana,
        "select session_user, current_user, count(*) from flights",
    )
    .await?;
    println!("  {}", who.trim());
    if !well || !who.starts_with("tg_") || !who.contains("|readers|336776") {
        return Err(Trouble::new(format!(
            "she is not a reader of her own: {who}"
        )));
    }
    for write in [
        "delete from flights",
        "begin read write; insert into flights select * from flights limit 1",
    ] {
        let (well, said) = answer(world, ana, write).await?;
        if well || !(said.contains("permission denied") || said.contains("read-only")) {
            return Err(Trouble::new(format!("{write}: {said}")));
        }
    }
    let mut long = psql(world, ana, "long", "select pg_sleep(600)")?;
    is_there(world).await?;
    let since = Instant::now();
    bob.says("take-back", &["grant", "revoke", &id, "--because", "over"])
        .await?;
    long.ended(LIMIT).await?;
    nothing_is_left(world, GONE).await?;
    println!(
        "  nothing of it is at the database {} ms after it was taken back",
        since.elapsed().as_millis()
    );
    agent.ended(LIMIT).await?;
    told_of(world, &id).await
}

/// The record says who had which role, and that it is gone.
async fn told_of(world: &World, grant: &str) -> Outcome<()> {
    let outlet = &world.company.outlet;
    let kind = |event: &Value, kind: &str| event["what"]["kind"] == kind;
    let made = outlet
        .event("role that was made", LIMIT, |event| {
            kind(event, "role-made") && event["what"]["grant"] == grant
        })
        .await?;
    let role = made["what"]["role"].clone();
    let dropped = |event: &Value| kind(event, "role-dropped") && event["what"]["role"] == role;
    outlet
        .event("role that was dropped", LIMIT, dropped)
        .await?;
    outlet.verify_audit().await.map(drop)
}

/// A session under a temporary role that is at work.
async fn is_there(world: &World) -> Outcome<()> {
    let until = Instant::now() + LIMIT;
    while world.warehouse.ask(SESSIONS).await?.is_empty() {
        if Instant::now() > until {
            return Err(Trouble::new("no session runs under a temporary role"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn nothing_is_left(world: &World, limit: Duration) -> Outcome<()> {
    let until = Instant::now() + limit;
    loop {
        let roles = world.warehouse.ask(ROLES).await?;
        let sessions = world.warehouse.ask(SESSIONS).await?;
        let journal = world.company.outlet.read("data/roles-warehouse.json")?;
        if roles.is_empty() && sessions.is_empty() && journal.trim() == "[]" {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!(
                "left: {roles:?}, {sessions:?}, {journal}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn outlet_killed(world: &mut World, ana: &Desk, bob: &Desk) -> Outcome<()> {
    granted(ana, bob, false).await?;
    let agent = connected(world, ana).await?;
    let long = psql(world, ana, "long", "select pg_sleep(600)")?;
    is_there(world).await?;
    world.company.outlet.process.kill();
    let left = world.warehouse.ask(ROLES).await?;
    if left.len() != 1 {
        return Err(Trouble::new(format!(
            "it was not killed in the middle: {left:?}"
        )));
    }
    let since = Instant::now();
    world.company.outlet.start_again().await?;
    nothing_is_left(world, CLEARED).await?;
    println!(
        "  nothing is left {} ms after its start",
        since.elapsed().as_millis()
    );
    drop((long, agent));
    Ok(())
}

/// The grant goes on; her role is made anew by the database that is there again.
async fn database_killed(world: &mut World, ana: &Desk) -> Outcome<()> {
    let mut agent = connected(world, ana).await?;
    let long = psql(world, ana, "long", "select pg_sleep(600)")?;
    is_there(world).await?;
    world.warehouse.crash().await?;
    world.warehouse.resume().await?;
    nothing_is_left(world, CLEARED).await?;
    drop(long);
    let (well, said) = answer(world, ana, "select session_user").await?;
    if !well || !said.starts_with("tg_") {
        return Err(Trouble::new(format!("she is not let in again: {said}")));
    }
    agent.signal(Signal::TERM)?;
    agent.ended(LIMIT).await?;
    nothing_is_left(world, CLEARED).await
}

async fn stopped(world: &mut World, ana: &Desk) -> Outcome<()> {
    let agent = connected(world, ana).await?;
    let (well, said) = answer(world, ana, "select session_user").await?;
    if !well || world.warehouse.ask(ROLES).await?.is_empty() {
        return Err(Trouble::new(format!(
            "no role waits for her next session: {said}"
        )));
    }
    world.company.outlet.process.signal(Signal::TERM)?;
    world.company.outlet.process.ended(LIMIT).await?;
    nothing_is_left(world, Duration::ZERO).await?;
    drop(agent);
    world.company.outlet.start_again().await
}
