//! Ana at a terminal, signed in, and what she sees when she connects: the words, and how long they took.
//! Her agent is a `tidegate connect` of its own; it ends when she lets go of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, Process, Site, User, clock};
use tokio::net::TcpStream;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, Connection, NoTls, SimpleQueryMessage};

const START: Duration = Duration::from_secs(30);
const TRIES: usize = 5;

pub(crate) struct Ana {
    pub(crate) laptop: Laptop,
    pub(crate) tidegate: PathBuf,
}

/// What a program of hers got, and when.
pub(crate) struct Told {
    pub(crate) answer: Result<String, String>,
    pub(crate) took: Duration,
}

impl Ana {
    pub(crate) async fn arrive(world: &World) -> Outcome<Self> {
        let laptop = Laptop::switch_on(&world.stage, &world.ca).await?;
        let tidegate = world.stage.binary("tidegate")?;
        let ana = Self { laptop, tidegate };
        ana.joins(world).await?;
        let Self { laptop, tidegate } = ana;
        let mut login = laptop
            .program("login", &tidegate)
            .arg("login")
            .start(&world.stage)?;
        let browser = laptop.browser().await?;
        browser.sign_in(&world.provider.ana, None).await?;
        browser.let_go().await?;
        login.says("Signed in as", START).await?;
        login.ended(START).await?;
        Ok(Self { laptop, tidegate })
    }

    async fn joins(&self, world: &World) -> Outcome<()> {
        let link = world.company.admin.ticket(&world.provider.ana).await?;
        self.laptop.join(&link).await.map(drop)
    }

    /// With a new link, after this laptop's key is worth nothing any more.
    pub(crate) async fn joins_again(&self, world: &World) -> Outcome<()> {
        let leave = ["leave", "--yes"];
        self.laptop
            .terminal("leave", &self.tidegate, &leave)
            .await?;
        self.joins(world).await?;
        self.signs_in(world).await
    }

    /// At the address that is printed.
    pub(crate) async fn signs_in(&self, world: &World) -> Outcome<()> {
        let mut login = self
            .laptop
            .program("login-again", &self.tidegate)
            .args(["login", "--no-browser"])
            .start(&world.stage)?;
        let person = &world.provider.ana;
        self.laptop.visit(&mut login, person, &world.ca).await?;
        login.says("Signed in as", START).await?;
        login.ended(START).await.map(drop)
    }

    /// What records call this laptop.
    pub(crate) async fn device(&self) -> Outcome<String> {
        let status = ["status", "--json"];
        let said = self
            .laptop
            .terminal("status", &self.tidegate, &status)
            .await?;
        let status: serde_json::Value = serde_json::from_str(&said)?;
        let name = status["orgs"][0]["device"].as_str();
        Ok(name
            .doing(format!("find the device in {status}"))?
            .to_owned())
    }

    /// `tidegate connect warehouse`, until it is connected.
    pub(crate) async fn connect(&self, world: &World) -> Outcome<Process> {
        let mut agent = self
            .laptop
            .program("connect", &self.tidegate)
            .args(["connect", SERVICE])
            .through(clock::read_on(&world.stage, clock::Wall::Laptop))
            .start(&world.stage)?;
        agent.says("postgresql://", START).await.doing("connect")?;
        Ok(agent)
    }

    /// `tidegate connect warehouse` that must fail: its words.
    pub(crate) async fn fails_to_connect(&self, world: &World, name: &str) -> Outcome<String> {
        let mut agent = self
            .laptop
            .program(name, &self.tidegate)
            .args(["connect", SERVICE])
            .through(clock::read_on(&world.stage, clock::Wall::Laptop))
            .start(&world.stage)?;
        let status = agent.ended(START).await?;
        let said = agent.stderr();
        if status.success() {
            Err(Trouble::new("it connected"))
        } else {
            Ok(format!("{status}\n{said}"))
        }
    }

    /// One query through the inlet, as a program of hers.
    pub(crate) async fn query(&self, world: &World, query: &str) -> Outcome<Told> {
        let started = Instant::now();
        let answer = self.exchange(world, query).await;
        Ok(Told {
            answer,
            took: started.elapsed(),
        })
    }

    /// Her programs are refused with this code each time, and soon: on a machine that does other things too, more often than not.
    pub(crate) async fn is_refused(
        &self,
        world: &World,
        code: &str,
        within: Duration,
    ) -> Outcome<String> {
        let mut told = Vec::new();
        for _ in 0..TRIES {
            told.push(self.query(world, "select 1").await?);
        }
        at_most(told, code, within)
    }

    /// How long it takes until the database would take a query.
    pub(crate) async fn becomes_ready(&self, world: &World) -> Outcome<Duration> {
        let started = Instant::now();
        let (client, connection) = self.enter(world).await.map_err(Trouble::new)?;
        let took = started.elapsed();
        drop(client);
        connection.await?;
        Ok(took)
    }

    async fn exchange(&self, world: &World, query: &str) -> Result<String, String> {
        let (client, connection) = self.enter(world).await?;
        let answering = tokio::spawn(connection);
        let rows = client.simple_query(query).await.map_err(words);
        drop(client);
        answering.await.ok();
        let first = rows?.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        first.ok_or_else(|| "no row".to_owned())
    }

    pub(crate) async fn enter(
        &self,
        world: &World,
    ) -> Result<(Client, Connection<TcpStream, NoTlsStream>), String> {
        let inlet = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_PORT);
        let (ground, ana) = (
            world.stage.ground(),
            world.stage.run().real_uid(User::Analyst),
        );
        let stream = ground
            .connect_as(ana, Site::Cafe, inlet, Duration::from_secs(1))
            .map_err(|error| error.to_string())?;
        stream
            .set_nonblocking(true)
            .map_err(|error| error.to_string())?;
        let stream = TcpStream::from_std(stream).map_err(|error| error.to_string())?;
        let connecting = Config::new()
            .user("ana")
            .dbname(DATABASE)
            .connect_raw(stream, NoTls)
            .await;
        connecting.map_err(words)
    }

    /// A copy out of the database that takes a while, seen running.
    pub(crate) async fn copy(&self, world: &World) -> Outcome<Process> {
        let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
        let copy = "\\copy (select a.* from flights a, generate_series(1, 50)) to '/dev/null'";
        let psql = self
            .laptop
            .program("copy", "psql")
            .args(["-X", "-c", copy, &url])
            .start(&world.stage)?;
        let until = Instant::now() + START;
        while world.warehouse.running_queries().await? == 0 {
            if Instant::now() > until {
                return Err(Trouble::new(format!(
                    "the copy never ran: {}",
                    psql.stderr()
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(psql)
    }
}

fn words(error: tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or(error.to_string(), ToString::to_string)
}

/// Refusals, all with this code, of which the median came within this time.
pub(crate) fn at_most(mut told: Vec<Told>, code: &str, within: Duration) -> Outcome<String> {
    for one in &told {
        one.must_refuse(code, START)?;
    }
    told.sort_by_key(|one| one.took);
    let took: Vec<_> = told.iter().map(|one| one.took.as_millis()).collect();
    println!("  told after {took:?} ms");
    let median = told.len() / 2;
    told.swap_remove(median).must_refuse(code, within)
}

impl Told {
    /// A refusal with this code, soon.
    pub(crate) fn must_refuse(&self, code: &str, within: Duration) -> Outcome<String> {
        match &self.answer {
            Ok(answer) => Err(Trouble::new(format!("it was answered: {answer}"))),
            Err(words) if !words.contains(code) => {
                Err(Trouble::new(format!("no {code} in: {words}")))
            }
            Err(_) if self.took > within => Err(Trouble::new(format!(
                "it took {} ms",
                self.took.as_millis()
            ))),
            Err(words) => Ok(format!("after {} ms: {words}", self.took.as_millis())),
        }
    }
}

/// The words must name these things; at the beginning of a sentence a name has a large letter.
pub(crate) fn must_say(said: &str, words: &[&str]) -> Outcome<()> {
    let small = said.to_lowercase();
    match words
        .iter()
        .find(|word| !small.contains(&word.to_lowercase()))
    {
        Some(missing) => Err(Trouble::new(format!("it does not say `{missing}`: {said}"))),
        None => Ok(()),
    }
}
