//! Each death: what ran when the relay was killed, and what came of it.
//! The hub, and the relay in it, is killed without a word; a new process at the same address takes its place.

use std::time::{Duration, Instant};

use tidegate_tests::Process;
use tidegate_tests::company::SERVICE_PORT;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(120);
/// How long after its relay is back a session may stay that nobody wants: half of its grace.
const GONE: Duration = Duration::from_secs(30);
/// What is copied: numbers and what follows from them, some 130 MB.
const ROWS: &str = "select g, md5(g::text) from generate_series(1, 3000000) g";

/// Killed, gone for a moment, and there again; the portal that it carried goes on before this returns.
async fn relay_dies(world: &mut World) -> Outcome<()> {
    let before = recorded(world, "portal-resumed")?;
    let died = Instant::now();
    kill_relay(world).await?;
    while recorded(world, "portal-resumed")? == before {
        if died.elapsed() > LIMIT {
            return Err(Trouble::new("the portal was not resumed"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "  resumed {} ms after the death",
        died.elapsed().as_millis()
    );
    Ok(())
}

/// How many of these the outlet has written down.
fn recorded(world: &World, kind: &str) -> Outcome<usize> {
    let events = world.company.outlet.events()?;
    let of = events.iter().filter(|event| event["what"]["kind"] == kind);
    Ok(of.count())
}

async fn kill_relay(world: &mut World) -> Outcome<()> {
    let stage = world.stage.clone();
    let hub = &mut world.company.hub;
    hub.process.kill();
    hub.start_again(&stage).await
}

/// Runs psql in one session while the relay dies as often as said; gives what psql said.
async fn psql(world: &mut World, ana: &Ana, lines: &[&str], deaths: u32) -> Outcome<String> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let begun = Instant::now();
    let mut psql = ana
        .laptop
        .program("copy", "psql")
        .args(["-XAt", "-v", "ON_ERROR_STOP=1"])
        .args(lines.iter().flat_map(|line| ["-c", line]))
        .arg(&url)
        .start(&world.stage)?;
    while world.warehouse.running_queries().await? == 0 {
        if begun.elapsed() > LIMIT {
            return Err(Trouble::new(format!("it never ran: {}", psql.stderr())));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..deaths {
        // What is waited for is bytes on their way.
        tokio::time::sleep(Duration::from_millis(400)).await;
        if world.warehouse.running_queries().await? == 0 {
            return Err(Trouble::new("it was over before the relay could die"));
        }
        relay_dies(world).await?;
    }
    let status = psql.ended(LIMIT).await?;
    let said = format!("{}{}", psql.stdout(), psql.stderr());
    println!("  {deaths} deaths, {} ms", begun.elapsed().as_millis());
    match status.success() {
        true => Ok(said),
        false => Err(Trouble::new(said)),
    }
}

pub(crate) async fn copy_out(world: &mut World, ana: &Ana) -> Outcome<()> {
    let out = format!("\\copy ({ROWS}) to program 'sha256sum >&2'");
    let quiet = psql(world, ana, &[&out], 0).await?;

    let disturbed = psql(world, ana, &[&out], 2).await?;

    same(&quiet, &disturbed)
}

pub(crate) async fn copy_in(world: &mut World, ana: &Ana) -> Outcome<()> {
    let lines = [
        "create temp table kept (a bigint)",
        "\\copy kept from program 'seq 1 9000000'",
        "select count(*), sum(a) from kept",
    ];

    let said = psql(world, ana, &lines, 2).await?;

    must_say(&said, &["9000000|40500004500000"])
}

pub(crate) async fn transaction(world: &mut World, ana: &Ana) -> Outcome<()> {
    let (client, connection) = ana.enter(world).await.map_err(Trouble::new)?;
    let carrying = tokio::spawn(connection);
    client
        .batch_execute(
            "begin; create temp table here (n int) on commit drop; insert into here values (1)",
        )
        .await?;
    let before: i32 = client
        .query_one("select pg_backend_pid()", &[])
        .await?
        .get(0);

    let died = Instant::now();
    relay_dies(world).await?;
    let up = Instant::now();
    client.batch_execute("insert into here values (2)").await?;
    println!(
        "  answered {} ms after the death, {} ms after the relay was back",
        died.elapsed().as_millis(),
        up.elapsed().as_millis()
    );

    let row = client
        .query_one("select pg_backend_pid(), (select count(*) from here)", &[])
        .await?;
    client.batch_execute("commit").await?;
    drop(client);
    carrying.await.ok();
    let (after, rows): (i32, i64) = (row.get(0), row.get(1));
    match (after == before, rows) {
        (true, 2) => Ok(()),
        (same, rows) => Err(Trouble::new(format!("same backend: {same}; rows: {rows}"))),
    }
}

fn same(expected: &str, got: &str) -> Outcome<()> {
    match expected == got {
        true => Ok(()),
        false => Err(Trouble::new(format!("not `{expected}` but `{got}`"))),
    }
}

/// A program leaves while nothing carries its connection. Its session must not wait for anybody.
pub(crate) async fn left_meanwhile(world: &mut World, ana: &Ana) -> Outcome<()> {
    let (client, connection) = ana.enter(world).await.map_err(Trouble::new)?;
    let carrying = tokio::spawn(connection);
    client.batch_execute("begin").await?;
    let before = recorded(world, "portal-suspended")?;

    world.company.hub.process.kill();
    becomes(world, "portal-suspended", before + 1).await?;
    carrying.abort();
    drop(client);
    let stage = world.stage.clone();
    world.company.hub.start_again(&stage).await?;

    let up = Instant::now();
    world.warehouse.is_left_alone(GONE).await?;
    println!("  its session ended {} ms later", up.elapsed().as_millis());
    Ok(())
}

/// The agent is killed over an open session, and started again: the outlet does not keep what has nobody any more.
pub(crate) async fn agent_dies(
    world: &mut World,
    ana: &Ana,
    mut agent: Process,
) -> Outcome<Process> {
    let (client, connection) = ana.enter(world).await.map_err(Trouble::new)?;
    let carrying = tokio::spawn(connection);
    client.batch_execute("begin").await?;
    let before = recorded(world, "portal-suspended")?;

    agent.kill();
    becomes(world, "portal-suspended", before + 1).await?;
    let agent = ana.connect(world).await?;

    let up = Instant::now();
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    println!(
        "  the old session ended {} ms later",
        up.elapsed().as_millis()
    );
    drop(client);
    carrying.abort();
    Ok(agent)
}

async fn becomes(world: &World, kind: &str, count: usize) -> Outcome<()> {
    let begun = Instant::now();
    while recorded(world, kind)? < count {
        if begun.elapsed() > LIMIT {
            return Err(Trouble::new(format!("{kind} was not recorded")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// With an audit that is whole, in which each death is a suspension, and each but that of the agent a resumption.
pub(crate) async fn nothing_is_left(world: World, agent: Process, ana: Ana) -> Outcome<()> {
    world.comes_to_rest().await?;
    drop((agent, ana));
    let suspended = recorded(&world, "portal-suspended")?;
    let resumed = recorded(&world, "portal-resumed")?;
    println!("  {suspended} suspended, {resumed} resumed");
    if (suspended, resumed) != (7, 6) {
        return Err(Trouble::new(
            "not each of seven deaths came to its end once",
        ));
    }
    world.end().await
}
