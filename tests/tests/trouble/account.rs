//! Trouble with the account: a sign-in that is not enough for a service, one that is ended, and a person whom the provider does not know any more.
//! All of it is Bob's, who works with data now, at the real provider. His last session goes on while others play, because a refresh takes a minute to be due.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_tests::company::{Blueprint, ORG, SERVICE, TcpService};
use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::provider::CLIENT_ID;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, Process, User};

use super::ana::must_say;

const LIMIT: Duration = Duration::from_secs(40);
/// ID tokens of the last session live so many seconds; one that ends within 90 is replaced.
const TOKEN: u64 = 100;
/// Bob's own port for the warehouse: the café has one loopback, and Ana sits there too.
const PORT: u16 = 15_440;
/// A service whose policies name a sign-in by code.
const BOARD: &str = "board";
const BOARD_PORT: u16 = 15_433;

/// A relay beside the hub's, and bytes to the database itself: who is let in there has a password.
pub(crate) fn board(plan: Blueprint<'_>) -> Blueprint<'_> {
    let target = plan.warehouse.address;
    plan.with_its_own_relay().with(TcpService {
        name: BOARD.into(),
        target,
        port: BOARD_PORT,
        also_low: true,
    })
}

/// Bob at his laptop.
pub(crate) struct Bob {
    laptop: Laptop,
}

/// A query of somebody who was disabled while it ran.
pub(crate) struct Disabled {
    bob: Bob,
    _agent: Process,
    query: Process,
    since: Instant,
}

/// Up to the query that runs on.
pub(crate) async fn play(narrator: &Narrator, world: &World) -> Outcome<Disabled> {
    let bob = narrator
        .step(
            "a_sign_in_with_a_code_opens_only_what_names_it",
            a_code_is_not_enough(world),
        )
        .await?;
    narrator
        .step("signing_out_ends_the_session_at_the_provider", async {
            bob.signs_out(world).await
        })
        .await?;
    narrator
        .step("a_person_is_disabled_while_a_query_runs", bob.begins(world))
        .await
}

/// Bob types a code on another computer. The warehouse asks for a sign-in that is bound to the device, the board does not.
async fn a_code_is_not_enough(world: &World) -> Outcome<Bob> {
    let person = &world.provider.bob;
    world
        .provider
        .move_to(person, "Data Science", &["Everyone", "data-science"])?;
    let laptop =
        Laptop::switch_on_for(&world.stage, &world.ca, User::Colleague, Hands::Driver).await?;
    let bob = Bob { laptop };
    let link = world.company.admin.ticket(person).await?;
    bob.laptop.join(&link).await?;
    let port = PORT.to_string();
    let set = ["config", "set", "ports.warehouse", &port];
    bob.does(world, "config", &set).await?;
    bob.types_a_code(world).await?;

    let mut refused = bob.start(world, "connect-code", &["connect", SERVICE])?;
    let status = refused.ended(LIMIT).await?;
    println!("  {status}: {}", refused.stderr().trim());
    must_say(&refused.stderr(), &["TG-3018", "browser"])?;
    let mut board = bob.start(world, "connect-board", &["connect", BOARD])?;
    board
        .says(&format!("localhost:{BOARD_PORT}"), LIMIT)
        .await?;
    let answer = bob.asks_the_board(world).await?;
    println!("  {BOARD}: {}", answer.trim());
    must_say(&answer, &["postgres"])?;
    Ok(bob)
}

impl Bob {
    fn start(&self, world: &World, name: &str, words: &[&str]) -> Outcome<Process> {
        let tidegate = world.stage.binary("tidegate")?;
        self.laptop
            .program(&format!("bob-{name}"), tidegate)
            .args(words)
            .start(&world.stage)
    }

    async fn does(&self, world: &World, name: &str, words: &[&str]) -> Outcome<String> {
        let tidegate = world.stage.binary("tidegate")?;
        self.laptop
            .terminal(&format!("bob-{name}"), tidegate, words)
            .await
    }

    async fn types_a_code(&self, world: &World) -> Outcome<()> {
        let mut login = self.start(world, "login-code", &["login", "--device-code"])?;
        let person = &world.provider.bob;
        self.laptop
            .type_the_code(&mut login, person, &world.ca)
            .await?;
        login.says("Signed in as", LIMIT).await?;
        login.ended(LIMIT).await.map(drop)
    }

    /// With the administrator's password: the board moves bytes, and whose they are is the database's affair.
    async fn asks_the_board(&self, world: &World) -> Outcome<String> {
        let url = format!("postgresql://postgres@localhost:{BOARD_PORT}/postgres?sslmode=require");
        self.laptop
            .program("bob-psql-board", "psql")
            .args(["-X", "-A", "-t", "-c", "select current_user", &url])
            .env("PGPASSWORD", &world.warehouse.admin_password)
            .output(&world.stage, LIMIT)
            .await
    }

    /// Whoever copied the refresh token before cannot use it afterwards.
    async fn signs_out(&self, world: &World) -> Outcome<()> {
        let stolen = self.refresh_token(world).await?;
        let out = self.does(world, "logout", &["logout"]).await?;
        println!("  {}", out.trim());
        let used = self.uses(world, &stolen).await?;
        println!("  the old refresh token: {}", used.trim());
        must_say(&used, &["invalid_grant"])?;
        let left = self.refresh_token(world).await;
        if left.is_ok_and(|token| !token.is_empty()) {
            return Err(Trouble::new("the keyring still has a refresh token"));
        }
        let mut connect =
            self.start(world, "connect-out", &["connect", SERVICE, "--no-browser"])?;
        connect.says("Sign in with your browser", LIMIT).await?;
        Ok(())
    }

    async fn refresh_token(&self, world: &World) -> Outcome<String> {
        let name = format!("{ORG}/refresh");
        let look = ["lookup", "service", "tidegate", "username", &name];
        let look = self.laptop.program("bob-secret", "secret-tool").args(look);
        look.output(&world.stage, LIMIT).await
    }

    async fn uses(&self, world: &World, token: &str) -> Outcome<String> {
        let address = format!("{}/v1/token", world.provider.issuer);
        let ca = self.laptop.home().join("acme-ca.pem");
        self.laptop
            .program("bob-curl", "curl")
            .args(["--silent", "--cacert"])
            .arg(ca)
            .args(["-d", "grant_type=refresh_token", "-d"])
            .arg(format!("client_id={CLIENT_ID}"))
            .arg("-d")
            .arg(format!("refresh_token={}", token.trim()))
            .arg(address)
            .output(&world.stage, LIMIT)
            .await
    }

    /// Signs in, asks something long, and is disabled.
    async fn begins(self, world: &World) -> Outcome<Disabled> {
        let person = &world.provider.bob;
        world.provider.set_lifetimes(&json!({ "idToken": TOKEN }))?;
        let mut agent = self.start(world, "connect", &["connect", SERVICE, "--no-browser"])?;
        self.laptop.visit(&mut agent, person, &world.ca).await?;
        agent.says("postgresql://", LIMIT).await?;
        world.provider.set_lifetimes(&json!({ "idToken": 3600 }))?;
        let before = world.warehouse.running_queries().await?;
        let url = format!("postgresql://localhost:{PORT}/{DATABASE}");
        let query = self
            .laptop
            .program("bob-query", "psql")
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
        world.provider.disable(person)?;
        Ok(Disabled {
            bob: self,
            _agent: agent,
            query,
            since: Instant::now(),
        })
    }
}

impl Disabled {
    /// Everything of his ends, long before his sign-in would have.
    pub(crate) async fn ends(mut self, world: &World) -> Outcome<()> {
        let left = Duration::from_secs(TOKEN + 20).saturating_sub(self.since.elapsed());
        self.query
            .ended(left.max(Duration::from_secs(1)))
            .await
            .doing("end the query of somebody who is disabled")?;
        println!("  psql: {}", self.query.stderr().trim());
        must_say(&self.query.stderr(), &["TG-3014"])?;
        world
            .warehouse
            .is_left_alone(Duration::from_secs(2))
            .await?;
        let status = self.bob.does(world, "status", &["status"]).await;
        println!("  {}", status.unwrap_or_else(|why| why.to_string()).trim());
        must_say(
            &world.company.outlet.verify_audit().await?,
            &["\"whole\":true", "\"open\":0"],
        )
    }
}
