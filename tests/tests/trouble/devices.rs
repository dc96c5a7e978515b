//! Two laptops of one person: turned away, let in by six words, shut out from the other one, lost, and left for good.
//! Ana's first laptop is the one of the whole play; the second is another user of the machine, with a keyring and a browser of its own.

use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::process::Signal;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, Process, User};

use super::ana::{Ana, must_say};
use super::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(40);
/// The second laptop's own port for the warehouse: the café has one loopback.
const PORT: u16 = 15_441;

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Ana) -> Outcome<()> {
    let second = narrator
        .step(
            "a_second_laptop_is_turned_away_by_the_first",
            turned_away(world, ana),
        )
        .await?;
    narrator
        .step(
            "both_laptops_show_the_same_six_words_and_one_lets_the_other_in",
            async { second.is_let_in(world, ana).await },
        )
        .await?;
    narrator
        .step(
            "a_laptop_shut_out_by_the_other_is_out_with_its_query",
            async { second.is_shut_out(world, ana).await },
        )
        .await?;
    narrator
        .step("a_lost_laptop_is_out_and_the_other_works_on", async {
            second.is_lost(world, ana).await
        })
        .await?;
    narrator
        .step("leaving_forgets_the_org_and_its_keys", async {
            second.leaves(world).await
        })
        .await
}

struct Second {
    laptop: Laptop,
    /// How many computers stood in Ana's list before it: another act may have left one of hers there.
    before: usize,
}

async fn turned_away(world: &World, ana: &Ana) -> Outcome<Second> {
    let laptop =
        Laptop::switch_on_for(&world.stage, &world.ca, User::Elsewhere, Hands::Driver).await?;
    let before = how_many(&devices(ana).await?);
    let second = Second { laptop, before };
    let link = on_first(ana, "link", &["devices", "link"]).await?;
    let joined = second.does(world, "join", &["join", link.trim()]).await?;
    println!("  {}", joined.trim());
    must_say(&joined, &["another computer of yours"])?;
    let set = ["config", "set", "ports.warehouse", &PORT.to_string()];
    second.does(world, "config", &set).await?;
    let mut login = second.signs_in(world, "login-declined").await?;
    login.says("has to let this one in", LIMIT).await?;

    one_asks(ana).await?;
    on_first(ana, "decline", &["devices", "decline"]).await?;
    let status = login.ended(LIMIT).await?;
    println!("  {status}: {}", login.stderr().trim());
    if status.success() {
        return Err(Trouble::new("it signed in although it was turned away"));
    }
    let devices = devices(ana).await?;
    match how_many(&devices) == second.before {
        true => Ok(second),
        false => Err(Trouble::new(format!("it is in the list: {devices}"))),
    }
}

impl Second {
    async fn is_let_in(&self, world: &World, ana: &Ana) -> Outcome<()> {
        // Who was turned away is still signed in at the provider: only the other laptop is asked again.
        let mut login = self.start(world, "login-approved", &["login"])?;
        login.says("has to let this one in", LIMIT).await?;
        let request = one_asks(ana).await?;
        let mut terminal = Terminal::open(world, ana, &["devices", "approve", &request])?;
        login.says("the same six words", LIMIT).await?;
        let theirs = six_words(&login.stderr()).doing("find six words on the new laptop")?;
        terminal.says("show these six words?").await?;
        let ours = six_words(&terminal.said()).doing("find six words on the first laptop")?;
        println!("  {} / {}", ours.join(" "), theirs.join(" "));
        if ours != theirs {
            return Err(Trouble::new("the words differ"));
        }
        terminal.types("y\n", 0).await?;
        login.says("Signed in as", LIMIT).await?;
        login.ended(LIMIT).await?;
        let list = devices(ana).await?;
        let vouched = list["devices"].as_array().is_some_and(|all| {
            let vouched = all.iter().filter(|one| one["vouched_by"].is_string());
            all.len() == self.before + 1 && vouched.count() == 1
        });
        if !vouched {
            return Err(Trouble::new(format!("the list does not say so: {list}")));
        }
        let (agent, query) = self.works(world).await?;
        drop(query);
        ends(agent).await
    }

    async fn is_shut_out(&self, world: &World, ana: &Ana) -> Outcome<()> {
        let (agent, mut query) = self.works(world).await?;
        let name = other(&devices(ana).await?)?;
        let page = on_first(ana, "revoke", &["devices", "revoke", &name, "--yes"]).await?;
        println!("{}", page.trim_end());
        must_say(&page, &["shut out", "this one"])?;
        query.ended(LIMIT).await.doing("end its query")?;
        println!("  psql: {}", query.stderr().trim());
        must_say(&query.stderr(), &["TG-7002"])?;
        ends(agent).await?;
        let mut again = self.start(
            world,
            "connect-revoked",
            &["connect", SERVICE, "--no-browser"],
        )?;
        // An agent that still heard why has forgotten the session: then the refusal comes after the sign-in.
        let asked = again.says("code_challenge", LIMIT).await;
        if asked.is_ok() {
            let ana = &world.provider.ana;
            let _ = self.laptop.visit(&mut again, ana, &world.ca).await;
        }
        let status = again.ended(LIMIT).await?;
        println!("  {status}: {}", again.stderr().trim());
        if status.code() != Some(4) {
            return Err(Trouble::new(format!("it ended with {status}")));
        }
        Ok(())
    }

    /// It comes back with a new ticket, and is lost; the administrator shuts out that one laptop.
    async fn is_lost(&self, world: &World, ana: &Ana) -> Outcome<()> {
        self.does(world, "leave-1", &["leave", "--yes"]).await?;
        let link = world.company.admin.ticket(&world.provider.ana).await?;
        self.laptop.join(&link).await?;
        let mut login = self.signs_in(world, "login-2").await?;
        login.says("Signed in as", LIMIT).await?;
        login.ended(LIMIT).await?;
        let (agent, mut query) = self.works(world).await?;
        let name = other(&devices(ana).await?)?;
        let said = world
            .company
            .admin
            .lost_laptop(&world.provider.ana, &world.company.hub.address, &name)
            .await?;
        println!("{}", said.trim_end());
        must_say(&said, &[&name, "shut out", "what is left to do"])?;
        query.ended(LIMIT).await.doing("end its query")?;
        println!("  psql: {}", query.stderr().trim());
        must_say(&query.stderr(), &["TG-7002"])?;
        ends(agent).await?;
        let agent = ana.connect(world).await?;
        let told = ana.query(world, "select 42").await?;
        ends(agent).await?;
        told.answer.map(drop).map_err(Trouble::new)
    }

    async fn leaves(&self, world: &World) -> Outcome<()> {
        let left = self.does(world, "leave-2", &["leave", "--yes"]).await?;
        println!("  {}", left.trim());
        let secrets = ["search", "--all", "service", "tidegate"];
        let secrets = self
            .laptop
            .program("second-secrets", "secret-tool")
            .args(secrets);
        let mut search = secrets.start(&world.stage)?;
        search.ended(LIMIT).await?;
        if search.stdout().contains("acme/") {
            return Err(Trouble::new("the keyring still has keys of the org"));
        }
        let mut ls = self.start(world, "ls-left", &["ls"])?;
        let status = ls.ended(LIMIT).await?;
        println!("  {status}: {}", ls.stderr().trim());
        match status.code() {
            Some(9) => Ok(()),
            _ => Err(Trouble::new(format!("it ended with {status}"))),
        }
    }

    fn start(&self, world: &World, name: &str, words: &[&str]) -> Outcome<Process> {
        self.laptop
            .program(&format!("second-{name}"), world.stage.binary("tidegate")?)
            .args(words)
            .start(&world.stage)
    }

    async fn does(&self, world: &World, name: &str, words: &[&str]) -> Outcome<String> {
        let tidegate = world.stage.binary("tidegate")?;
        self.laptop
            .terminal(&format!("second-{name}"), tidegate, words)
            .await
    }

    async fn signs_in(&self, world: &World, name: &str) -> Outcome<Process> {
        let mut login = self.start(world, name, &["login", "--no-browser"])?;
        let ana = &world.provider.ana;
        self.laptop.visit(&mut login, ana, &world.ca).await?;
        Ok(login)
    }

    /// Its own agent, and a query that runs on.
    async fn works(&self, world: &World) -> Outcome<(Process, Process)> {
        let mut agent = self.start(world, "connect", &["connect", SERVICE])?;
        agent.says("postgresql://", LIMIT).await?;
        let url = format!("postgresql://localhost:{PORT}/{DATABASE}");
        let before = world.warehouse.running_queries().await?;
        let query = self
            .laptop
            .program("second-query", "psql")
            .args(["-X", "-c", "select pg_sleep(600)", &url])
            .start(&world.stage)?;
        let until = Instant::now() + LIMIT;
        while world.warehouse.running_queries().await? == before {
            if Instant::now() > until {
                let said = query.stderr();
                return Err(Trouble::new(format!("the query never ran: {said}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok((agent, query))
    }
}

/// Her agent is told to end: what one that is killed leaves behind waits at the outlet for as long as it keeps portals.
async fn ends(mut agent: Process) -> Outcome<()> {
    // It may have ended by itself, when it was shut out.
    let _ = agent.signal(Signal::TERM);
    agent.ended(LIMIT).await.map(drop)
}

async fn on_first(ana: &Ana, name: &str, words: &[&str]) -> Outcome<String> {
    ana.laptop
        .terminal(&format!("first-{name}"), &ana.tidegate, words)
        .await
}

async fn devices(ana: &Ana) -> Outcome<Value> {
    let said = on_first(ana, "devices", &["devices", "--json"]).await?;
    Ok(serde_json::from_str(&said)?)
}

fn how_many(list: &Value) -> usize {
    list["devices"].as_array().map_or(0, Vec::len)
}

/// The id of the one that asks, once the first laptop has heard of it.
async fn one_asks(ana: &Ana) -> Outcome<String> {
    let until = Instant::now() + LIMIT;
    loop {
        let list = devices(ana).await?;
        if let Some(id) = list["requests"][0]["id"].as_str() {
            return Ok(id.to_owned());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!("nobody asks: {list}")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The name of the newest laptop that is not this one and not shut out.
fn other(list: &Value) -> Outcome<String> {
    let all = list["devices"].as_array().into_iter().flatten();
    let mut open = all.filter(|one| one["this"] == false && one["revoked"] == false);
    let name = open.next().and_then(|one| one["name"].as_str());
    Ok(name
        .doing(format!("find the other laptop in {list}"))?
        .to_owned())
}

/// The line of six words between two empty ones.
fn six_words(said: &str) -> Option<Vec<String>> {
    let lines = said.lines().map(|line| line.split_whitespace());
    let mut lines = lines.map(|words| words.map(str::to_owned).collect::<Vec<_>>());
    lines.find(|words| {
        words.len() == 6
            && words
                .iter()
                .all(|word| word.chars().all(|c| c.is_ascii_lowercase()))
    })
}
