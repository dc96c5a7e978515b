//! Ana and Bob, each at a laptop of their own: one asks for access, the other gives it.
//! They type what people type; nothing is done for them behind the command.
#![allow(dead_code)] // each play uses what it needs

use std::time::Duration;

use tidegate_tests::company::SERVICE_PORT;
use tidegate_tests::narrator::Hands;
use tidegate_tests::provider::Person;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::Outcome;
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, Process, User};

pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Somebody at a laptop.
pub(crate) struct Desk {
    pub(crate) laptop: Laptop,
    pub(crate) tidegate: std::path::PathBuf,
}

impl Desk {
    async fn arrive(world: &World, user: User, person: &Person) -> Outcome<Self> {
        let (stage, ca) = (&world.stage, &world.ca);
        let laptop = Laptop::switch_on_for(stage, ca, user, Hands::Driver).await?;
        let tidegate = stage.binary("tidegate")?;
        let link = world.company.admin.ticket(person).await?;
        laptop.join(&link).await?;
        let login = laptop.program("login", &tidegate).arg("login");
        let mut login = login.start(stage)?;
        let browser = laptop.browser().await?;
        browser.sign_in(person, None).await?;
        browser.let_go().await?;
        login.says("Signed in as", LIMIT).await?;
        login.ended(LIMIT).await?;
        Ok(Self { laptop, tidegate })
    }

    /// A `tidegate` command and what it prints.
    pub(crate) async fn says(&self, name: &str, words: &[&str]) -> Outcome<String> {
        self.laptop.terminal(name, &self.tidegate, words).await
    }
}

/// Ana, who asks, and Bob, who owns the data.
pub(crate) async fn both(world: &World) -> Outcome<(Desk, Desk)> {
    let people = &world.provider;
    let ana = Desk::arrive(world, User::Analyst, &people.ana).await?;
    let bob = Desk::arrive(world, User::Colleague, &people.bob).await?;
    Ok((ana, bob))
}

/// A program of hers with one query.
pub(crate) fn psql(world: &World, ana: &Desk, name: &str, query: &str) -> Outcome<Process> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let psql = ana.laptop.program(name, "psql");
    psql.args(["-X", "-At", "-c", query, &url])
        .start(&world.stage)
}
