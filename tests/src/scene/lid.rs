//! The lid closes in the middle of a query. Her processes stand still and the way is gone; when the lid opens again, the
//! café's network is not back yet, and tray and window say what is waited for. Then the query goes on where it was.
//! Every row is compared by a checksum with the same rows fetched in peace, the session by the backend that holds it.

use std::time::{Duration, Instant};

use super::watch::SOON;
use super::{Desk, World};
use crate::company::{SERVICE, SERVICE_PORT};
use crate::ground::{Closed, Site};
use crate::laptop::Laptop;
use crate::narrator::Narrator;
use crate::process::Process;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::warehouse::DATABASE;

/// How long she carries her laptop around.
const CLOSED_FOR: Duration = Duration::from_secs(3);
/// How long the app may take, after it woke, to see that its way is gone: a second to look up, one to ask the relay, one to
/// ask the outlet, on a machine that does other things too.
const SEEN: Duration = Duration::from_secs(10);
/// How long the query may take, after the way is back, to end.
const LIMIT: Duration = Duration::from_secs(60);
const BACKEND: &str = "select pg_backend_pid()";
/// The app, and whatever it is in.
const APP: &str = "tidegate-deskto";

pub(super) async fn play(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    narrator.say("nothing to click: her lid closes and opens by itself");
    let in_peace = Query::start(world, desk, "''")?.rows().await?;
    let query = Query::start(world, desk, "pg_sleep(0.0001)")?;
    query.runs(world).await?;

    let way = close_the_lid(world, &desk.laptop).await?;
    tokio::time::sleep(CLOSED_FOR).await;
    app(&desk.laptop, "CONT").await?;
    match way {
        Some(way) => {
            is_reconnecting(narrator, desk).await?;
            drop(way);
        }
        None => {
            narrator.say("loopback has no way to lose: her processes stood still, and that was all")
        }
    }

    let since = Instant::now();
    desk.tray
        .find(&format!("{SERVICE}: connected"), LIMIT)
        .await?;
    narrator.say(format!(
        "the tray says connected {} ms after her network was back",
        since.elapsed().as_millis()
    ));
    let after = query.rows().await?;
    if after != in_peace {
        return Err(Trouble::new(format!(
            "her rows are `{after}`, and `{in_peace}` where nothing happened"
        )));
    }
    narrator.say(format!(
        "psql noticed nothing but a pause: {} from one backend, the same rows as in peace",
        after.replace('\n', " ")
    ));
    Ok(())
}

/// Nothing of hers runs, and nothing reaches her; what says so where there is a network to lose.
async fn close_the_lid(world: &World, laptop: &Laptop) -> Outcome<Option<Closed>> {
    let network = world.stage.ground().network();
    let way = network.map(|network| network.unplug(Site::Cafe));
    app(laptop, "STOP").await?;
    way.transpose()
}

async fn app(laptop: &Laptop, signal: &str) -> Outcome<()> {
    let line = format!("kill -{signal} $(\"$MINE\" {APP})");
    laptop.terminal("lid", "sh", &["-c", &line]).await.map(drop)
}

/// Never a stale `connected`: both say that it is not, and why.
async fn is_reconnecting(narrator: &Narrator, desk: &Desk) -> Outcome<()> {
    let woke = Instant::now();
    desk.tray
        .find(&format!("{SERVICE}: reconnecting"), SEEN)
        .await?;
    narrator.say(format!(
        "the tray says reconnecting {} ms after the lid was opened",
        woke.elapsed().as_millis()
    ));
    let state = format!("state-{SERVICE}");
    desk.window.says(&state, "Reconnecting").await?;
    let why = desk.window.read(&format!("reconnecting-{SERVICE}")).await?;
    if why.trim().is_empty() {
        return Err(Trouble::new("the window does not say what it waits for"));
    }
    narrator.say(format!("window: {}", why.trim()));
    desk.window
        .picture(&narrator.picture("window-8d-reconnecting"))
        .await?;
    desk.laptop
        .picture_of_tray(&narrator.picture("tray-2b-reconnecting"))
        .await
}

/// 30,000 flights in a fixed order, between two looks at who serves them.
struct Query(Process);

impl Query {
    /// `beside`: what is selected with each row, and costs time or none.
    fn start(world: &World, desk: &Desk, beside: &str) -> Outcome<Self> {
        let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
        let copy = format!(
            "\\copy (select f.*, {beside} from (select * from flights order by time_hour, carrier, flight, origin limit 30000) f) \
             to program 'sha256sum >&2'"
        );
        let psql = desk
            .laptop
            .program("lid-query", "psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1"])
            .args(["-c", BACKEND, "-c", &copy, "-c", BACKEND, &url])
            .start(&world.stage)?;
        Ok(Self(psql))
    }

    /// Waits until rows are on their way.
    async fn runs(&self, world: &World) -> Outcome<()> {
        let until = Instant::now() + SOON;
        while world.warehouse.running_queries().await? == 0 {
            if Instant::now() > until {
                let said = self.0.stderr();
                return Err(Trouble::new(format!("the query never ran: {said}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The checksum of its rows, once it has ended, and one backend served it from first to last.
    async fn rows(mut self) -> Outcome<String> {
        let status = self.0.ended(LIMIT).await.doing("end the query")?;
        let (said, beside) = (self.0.stdout(), self.0.stderr());
        let backends: Vec<_> = said.lines().collect();
        // What psql was told while it waited for its connection stands before the sum, and is no part of it.
        let sums = beside
            .lines()
            .filter(|line| !line.starts_with("NOTICE:  tidegate: waiting"));
        let sums: Vec<_> = sums.collect();
        match (&backends[..], &sums[..]) {
            ([first, last], [sum]) if status.success() && first == last => Ok((*sum).to_owned()),
            _ => Err(Trouble::new(format!("psql: {status}: {said} {beside}"))),
        }
    }
}
