//! Each return: what happened to her way, and how long she waited once it was there again.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tidegate_tests::ground::{Network, PLACES};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing as _, Outcome, Trouble};
use tidegate_tests::{Process, Site};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::ana::Ana;

/// Nineteen of twenty waits are no longer.
const SOON: Duration = Duration::from_secs(2);
/// The twentieth ends as well.
const LIMIT: Duration = Duration::from_secs(30);
/// So long after her way was lost she asks something.
const ASKS: Duration = Duration::from_millis(300);
/// She works for a while before she leaves again.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Away {
    /// The line carries nothing, and nobody is told.
    Silent,
    /// Her address is gone, and another one comes.
    Elsewhere,
    /// Her lid is closed, and her way is there when it opens.
    Asleep,
    /// Her lid is closed, and it opens where she has another address.
    AsleepAndElsewhere,
}

/// What happens to her, and for how many tenths of a second: from crossing a street to a coffee.
const ADVENTURES: [(Away, u64); 20] = [
    (Away::Elsewhere, 5),
    (Away::Silent, 15),
    (Away::Asleep, 30),
    (Away::Elsewhere, 10),
    (Away::Silent, 40),
    (Away::AsleepAndElsewhere, 40),
    (Away::Elsewhere, 30),
    (Away::Silent, 70),
    (Away::Asleep, 60),
    (Away::Elsewhere, 5),
    (Away::Silent, 100),
    (Away::AsleepAndElsewhere, 90),
    (Away::Elsewhere, 60),
    (Away::Silent, 140),
    (Away::Asleep, 120),
    (Away::Elsewhere, 15),
    (Away::Silent, 25),
    (Away::AsleepAndElsewhere, 25),
    (Away::Elsewhere, 120),
    (Away::Silent, 180),
];

pub(crate) async fn all(
    narrator: &Narrator,
    world: &World,
    ana: &Ana,
    agent: &Process,
) -> Outcome<()> {
    let network = world.stage.ground().network().doing("find the network")?;
    let (kept, connection) = ana.enter(world).await.map_err(Trouble::new)?;
    let carrying = tokio::spawn(connection);
    let backend = backend_of(&kept).await?;
    let mut laptop = Laptop {
        network,
        agent,
        place: PLACES[0],
    };
    let mut waits = Vec::new();
    for (away, tenths) in ADVENTURES {
        let (told, back) = oneshot::channel();
        let (way, kept_waits, new_waits) = tokio::join!(
            laptop.is(away, Duration::from_millis(100 * tenths), told),
            kept_session(&kept, &backend),
            new_session(world, ana, back),
        );
        let (back, answered, entered) = (way?, kept_waits?, new_waits?);
        let kept_for = answered.saturating_duration_since(back);
        let new_for = entered.saturating_duration_since(back);
        narrator.say(format!(
            "{away:?} for {tenths} tenths: her session answered after {} ms, a new one after {} ms",
            kept_for.as_millis(),
            new_for.as_millis()
        ));
        waits.extend([kept_for, new_for]);
        sleep(REST).await;
    }
    drop(kept);
    carrying.await.ok();
    judge(narrator, waits)
}

/// The 95th percentile, by the nearest rank.
fn judge(narrator: &Narrator, mut waits: Vec<Duration>) -> Outcome<()> {
    waits.sort();
    let rank = (waits.len() * 95).div_ceil(100);
    let (median, p95) = (waits[waits.len() / 2], waits[rank - 1]);
    let last = waits[waits.len() - 1];
    let said = format!(
        "{} waits: median {} ms, 95th percentile {} ms, longest {} ms",
        waits.len(),
        median.as_millis(),
        p95.as_millis(),
        last.as_millis()
    );
    narrator.say(&said);
    match p95 <= SOON {
        true => Ok(()),
        false => Err(Trouble::new(said)),
    }
}

/// When a query that was asked without a way was answered, by the backend that served her from the beginning.
async fn kept_session(kept: &Client, backend: &str) -> Outcome<Instant> {
    sleep(ASKS).await;
    let served_by = timeout(LIMIT, backend_of(kept))
        .await
        .doing("wait for her session's answer")??;
    match served_by == backend {
        true => Ok(Instant::now()),
        false => Err(Trouble::new("another backend serves her session")),
    }
}

/// When a program was answered that connected as soon as the way was there.
async fn new_session(world: &World, ana: &Ana, back: oneshot::Receiver<()>) -> Outcome<Instant> {
    back.await.doing("wait for the way")?;
    let told = timeout(LIMIT, ana.query(world, "select 1"));
    let told = told.await.doing("wait for a new session")??;
    match told.answer {
        Ok(_) => Ok(Instant::now()),
        Err(words) => Err(Trouble::new(format!("a new session got: {words}"))),
    }
}

async fn backend_of(client: &Client) -> Outcome<String> {
    let row = client.query_one("select pg_backend_pid()::text", &[]);
    Ok(row.await?.get(0))
}

/// What is carried around.
struct Laptop<'a> {
    network: &'a Network,
    agent: &'a Process,
    place: Ipv4Addr,
}

impl Laptop<'_> {
    /// Away for a while; tells when the way is there again.
    async fn is(
        &mut self,
        away: Away,
        lasts: Duration,
        told: oneshot::Sender<()>,
    ) -> Outcome<Instant> {
        match away {
            Away::Silent => self.goes_silent(lasts).await?,
            Away::Elsewhere => self.moves(lasts).await?,
            Away::Asleep => {
                self.agent.signal(Signal::STOP)?;
                self.goes_silent(lasts).await?;
                self.agent.signal(Signal::CONT)?;
            }
            Away::AsleepAndElsewhere => {
                self.agent.signal(Signal::STOP)?;
                self.moves(lasts).await?;
                self.agent.signal(Signal::CONT)?;
            }
        }
        let back = Instant::now();
        // Whoever waits for it may have failed already, and says so itself.
        let _ = told.send(());
        Ok(back)
    }

    async fn goes_silent(&self, lasts: Duration) -> Outcome<()> {
        let _pulled = self.network.unplug(Site::Cafe)?;
        sleep(lasts).await;
        Ok(())
    }

    async fn moves(&mut self, lasts: Duration) -> Outcome<()> {
        self.network.laptop_leaves(self.place)?;
        sleep(lasts).await;
        self.place = PLACES[usize::from(self.place == PLACES[0])];
        self.network.laptop_arrives(self.place)
    }
}

pub(crate) async fn nothing_is_left(world: World, agent: Process, ana: Ana) -> Outcome<()> {
    world.comes_to_rest().await?;
    drop((agent, ana));
    world.end().await
}
