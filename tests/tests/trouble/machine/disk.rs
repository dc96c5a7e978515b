//! A disk that is full from the first moment, and one that fills while she works.
//! The disk is real and tiny (a tmpfs over the agent's folder); what is tried is that she works on, and that nothing has to be done afterwards.

use std::path::PathBuf;

use serde_json::Value;
use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::Hands;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, Process, Program, User};

use super::{LIMIT, codes, json, said, until};
use crate::ana::must_say;

const FULL: &str = "TG-6006";
const KIB: u32 = 256;

/// Ana at another laptop.
struct Other<'a> {
    world: &'a World,
    laptop: Laptop,
}

pub(super) async fn full(world: &World) -> Outcome<()> {
    let other = Other::sits_down(world).await?;
    let data = other.data();
    other.laptop.lay_a_small_disk(&data, KIB)?;
    let link = world.company.admin.ticket(&world.provider.ana).await?;

    other.fills().await?;
    let refused = said(other.program("join-full", &["join"])?.stdin(&link), world).await?;
    must_say(&refused.text, &[FULL, "full"])?;
    if refused.code != Some(6) {
        return Err(Trouble::new(format!("it ended with {:?}", refused.code)));
    }
    other.empties().await?;
    other
        .laptop
        .join(&link)
        .await
        .doing("join with the same link")?;

    other.fills().await?;
    let agent = other.signs_in_and_connects().await?;
    must_say(&other.query("full").await?, &["42"])?;
    let told = until(async || other.status().await, says_so).await?;
    println!("  {}", told["problems"]);
    other.empties().await?;
    until(async || other.status().await, |status| !says_so(status)).await?;
    drop(agent);

    // What it learned is there: no browser is needed, and the port is the same.
    let agent = other.connects("connect-after").await?;
    must_say(&other.query("after").await?, &["42"])?;
    drop(agent);
    other.leaves().await
}

fn says_so(status: &Value) -> bool {
    codes(status).iter().any(|code| code == FULL)
}

impl<'a> Other<'a> {
    async fn sits_down(world: &'a World) -> Outcome<Self> {
        let laptop =
            Laptop::switch_on_for(&world.stage, &world.ca, User::Elsewhere, Hands::Driver).await?;
        Ok(Self { world, laptop })
    }

    fn data(&self) -> PathBuf {
        self.laptop.home().join(".local/share/tidegate")
    }

    fn program(&self, name: &str, words: &[&str]) -> Outcome<Program> {
        let tidegate = self.world.stage.binary("tidegate")?;
        let program = self.laptop.program(&format!("other-{name}"), tidegate);
        Ok(program.args(words))
    }

    /// To the last byte.
    async fn fills(&self) -> Outcome<()> {
        let line = "dd if=/dev/zero of=\"$1/filler\" bs=4k 2>&1 | grep -q 'No space left'";
        let data = self.data();
        let words = ["-c", line, "fill", &data.to_string_lossy()];
        self.laptop.terminal("fill", "sh", &words).await.map(drop)
    }

    async fn empties(&self) -> Outcome<()> {
        let filler = self.data().join("filler");
        let words = [&*filler.to_string_lossy()];
        self.laptop.terminal("empty", "rm", &words).await.map(drop)
    }

    async fn signs_in_and_connects(&self) -> Outcome<Process> {
        let words = ["connect", SERVICE, "--no-browser"];
        let mut agent = self
            .program("connect-first", &words)?
            .start(&self.world.stage)?;
        let ana = &self.world.provider.ana;
        self.laptop.visit(&mut agent, ana, &self.world.ca).await?;
        agent.says("postgresql://", LIMIT).await?;
        Ok(agent)
    }

    /// With the session that is there.
    async fn connects(&self, name: &str) -> Outcome<Process> {
        let words = ["connect", SERVICE, "--no-browser"];
        let mut agent = self.program(name, &words)?.start(&self.world.stage)?;
        agent.says("postgresql://", LIMIT).await?;
        if agent.stderr().contains("code_challenge") {
            return Err(Trouble::new("it had to sign in again"));
        }
        Ok(agent)
    }

    async fn query(&self, name: &str) -> Outcome<String> {
        let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
        let words = ["-X", "-A", "-t", "-c", "select 42", &url];
        let name = format!("other-psql-{name}");
        self.laptop.terminal(&name, "psql", &words).await
    }

    async fn status(&self) -> Outcome<Value> {
        json(self.program("status", &["status", "--json"])?, self.world).await
    }

    async fn leaves(&self) -> Outcome<()> {
        let leave = self.program("leave", &["leave", "--yes"])?;
        leave.output(&self.world.stage, LIMIT).await.map(drop)
    }
}
