//! Two people with an account each on one machine, and an agent each: one loopback, one process table, one /tmp.
//! Bob came over the network: no desktop and no keyring of his own, so his keys are in a file.

use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Process, Program};

use super::{BOB, LIMIT, bob_may, codes, json, said};
use crate::ana::{Ana, must_say};

const PORT: u16 = 15_442;

pub(super) async fn two_people(world: &World, ana: &Ana) -> Outcome<()> {
    bob_may(world)?;
    let hers = ana.connect(world).await?;
    let before = ana.query(world, "select 41").await?.answer;
    must_be(before, "41")?;
    joins_and_signs_in(world, ana).await?;

    let taken = said(bob(world, ana, "taken", &["connect", SERVICE])?, world).await?;
    let port = SERVICE_PORT.to_string();
    must_say(&taken.text, &["TG-6001", &port, "another port"])?;
    if taken.code != Some(6) {
        return Err(Trouble::new(format!("it ended with {:?}", taken.code)));
    }

    let his = connects_elsewhere(world, ana).await?;
    must_say(&his_query(world, ana, PORT).await?, &["43"])?;
    for (whose, refused) in [
        ("hers", his_query(world, ana, SERVICE_PORT).await),
        ("his", her_query(world, ana, PORT).await),
    ] {
        match refused {
            Ok(rows) => return Err(Trouble::new(format!("{whose} let the other in: {rows}"))),
            Err(error) => must_say(&error.to_string(), &["Connection reset by peer"])?,
        }
    }
    for (whose, status) in [
        (
            "his",
            json(bob(world, ana, "status", &["status", "--json"])?, world).await?,
        ),
        ("hers", ana_status(world, ana).await?),
    ] {
        if !codes(&status).iter().any(|code| code == "TG-6002") {
            return Err(Trouble::new(format!("{whose} says nothing: {status}")));
        }
    }
    nothing_of_hers_is_his(world, ana).await?;

    drop(his);
    must_be(ana.query(world, "select 44").await?.answer, "44")?;
    drop(hers);
    let forget = bob(world, ana, "leave", &["leave", "--yes"])?;
    forget.output(&world.stage, LIMIT).await.map(drop)
}

fn bob(world: &World, ana: &Ana, name: &str, words: &[&str]) -> Outcome<Program> {
    let tidegate = world.stage.binary("tidegate")?;
    let program = ana
        .laptop
        .program_of(BOB, &format!("neighbour-{name}"), tidegate)
        .args(words);
    let starts_an_agent = matches!(words[0], "join" | "login" | "connect" | "status" | "leave");
    Ok(match starts_an_agent {
        true => program.args(["--keys", "file"]),
        false => program,
    })
}

async fn joins_and_signs_in(world: &World, ana: &Ana) -> Outcome<()> {
    let person = &world.provider.bob;
    let link = world.company.admin.ticket(person).await?;
    let join = bob(world, ana, "join", &["join"])?.stdin(&link);
    join.output(&world.stage, LIMIT).await?;
    let login = bob(world, ana, "login", &["login", "--no-browser"])?;
    let mut login = login.start(&world.stage)?;
    let laptop = &ana.laptop;
    laptop.visit_as(BOB, &mut login, person, &world.ca).await?;
    login.says("Signed in as", LIMIT).await?;
    login.ended(LIMIT).await.map(drop)
}

async fn connects_elsewhere(world: &World, ana: &Ana) -> Outcome<Process> {
    let set = ["config", "set", "ports.warehouse", &PORT.to_string()];
    let set = bob(world, ana, "set", &set)?;
    set.output(&world.stage, LIMIT).await?;
    let connect = bob(world, ana, "connect", &["connect", SERVICE])?;
    let mut his = connect.start(&world.stage)?;
    let url = format!("postgresql://localhost:{PORT}/{DATABASE}");
    his.says(&url, LIMIT).await.doing("connect beside her")?;
    Ok(his)
}

async fn his_query(world: &World, ana: &Ana, port: u16) -> Outcome<String> {
    let psql = ana
        .laptop
        .program_of(BOB, "neighbour-psql", "psql")
        .args(query(port, "select 43"));
    psql.output(&world.stage, LIMIT).await
}

async fn her_query(world: &World, ana: &Ana, port: u16) -> Outcome<String> {
    let psql = ana.laptop.program("psql-at-bobs", "psql");
    psql.args(query(port, "select 1"))
        .output(&world.stage, LIMIT)
        .await
}

fn query(port: u16, sql: &str) -> [String; 6] {
    let url = format!("postgresql://localhost:{port}/{DATABASE}");
    ["-X", "-A", "-t", "-c", sql, &url].map(str::to_owned)
}

async fn ana_status(world: &World, ana: &Ana) -> Outcome<serde_json::Value> {
    let status = ana.laptop.program("ana-status", &ana.tidegate);
    json(status.args(["status", "--json"]), world).await
}

/// Her folders, her socket, and what her agent would tell whoever asks there.
async fn nothing_of_hers_is_his(world: &World, ana: &Ana) -> Outcome<()> {
    let home = ana.laptop.home();
    for folder in [".local/share/tidegate", "run/tidegate"] {
        let look = ana.laptop.program_of(BOB, "neighbour-ls", "ls");
        let looked = look.arg(home.join(folder)).output(&world.stage, LIMIT);
        let refused = looked.await.err().doing("see him kept out")?;
        must_say(&refused.to_string(), &["Permission denied"])?;
    }
    let status = bob(world, ana, "at-hers", &["status", "--json"])?;
    let at_hers = status.env("XDG_RUNTIME_DIR", home.join("run"));
    let told = said(at_hers, world).await?;
    if told.text.contains("ana@") {
        return Err(Trouble::new("her agent answers him"));
    }
    Ok(())
}

fn must_be(answer: Result<String, String>, wanted: &str) -> Outcome<()> {
    match answer {
        Ok(answer) if answer == wanted => Ok(()),
        other => Err(Trouble::new(format!("not {wanted}: {other:?}"))),
    }
}
