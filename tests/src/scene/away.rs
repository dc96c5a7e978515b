//! Between two queries the database goes away for a moment: what her program is told, and how soon her window says it too.
//! The page itself notes when the sentence is in it, by the machine's clock: asking it through the driver would measure the driver.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Desk, World};
use crate::company::{SERVICE, SERVICE_PORT};
use crate::ground::Site;
use crate::narrator::Narrator;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::DATABASE;

const CLOSED: &str = "TG-5001";
/// What a person takes for at once, on a machine that does other things too: for the median of the tries.
const AT_ONCE: Duration = Duration::from_millis(250);
const TRIES: usize = 5;
const LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn play(narrator: &Narrator, world: &mut World, desk: &Desk) -> Outcome<()> {
    world.warehouse.pause().await?;
    let told = tell_times(narrator, world, desk).await;
    world.warehouse.resume().await?;
    told
}

async fn tell_times(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let (mut program, mut window) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        watch(desk).await?;
        let asked = since_epoch()?;
        program.push(refused(world).await?);
        desk.window.says(&problem(), SERVICE).await?;
        window.push(noted(desk).await?.saturating_sub(asked));
        desk.window
            .click(&format!("problem-dismiss-{CLOSED}"))
            .await?;
        desk.window.lacks(&problem()).await?;
    }
    for (who, mut took) in [("program", program), ("window", window)] {
        took.sort();
        let millis: Vec<_> = took.iter().map(Duration::as_millis).collect();
        narrator.say(format!(
            "the database is away: {who} told after {millis:?} ms"
        ));
        if took[TRIES / 2] > AT_ONCE {
            return Err(Trouble::new(format!(
                "the {who} was told {CLOSED} after {millis:?} ms"
            )));
        }
    }
    Ok(())
}

fn problem() -> String {
    format!("problem-{CLOSED}")
}

/// From now on the page keeps the first moment at which the problem stands in it.
async fn watch(desk: &Desk) -> Outcome<()> {
    let script = format!(
        "window.stageSaw = 0;
         const look = () => {{
           if (!document.querySelector('[data-testid=\"{}\"]')) return;
           window.stageSaw = Date.now();
           eyes.disconnect();
         }};
         const eyes = new MutationObserver(look);
         eyes.observe(document.body, {{ childList: true, subtree: true, attributes: true }});
         return true;",
        problem()
    );
    desk.window.run(&script).await.map(drop)
}

async fn noted(desk: &Desk) -> Outcome<Duration> {
    let saw = desk.window.run("return window.stageSaw").await?;
    match saw.as_f64() {
        Some(millis) if millis > 0.0 => Ok(Duration::from_secs_f64(millis / 1000.0)),
        _ => Err(Trouble::new(format!(
            "the page did not note when it said {CLOSED}: {saw}"
        ))),
    }
}

fn since_epoch() -> Outcome<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .doing("read the clock")
}

/// A program of hers that begins a session, until it has read the refusal.
async fn refused(world: &World) -> Outcome<Duration> {
    let inlet = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_PORT);
    let ana = world.stage.run().real_uid(User::Analyst);
    let asked = Instant::now();
    let ground = world.stage.ground();
    let stream = ground.connect_as(ana, Site::Cafe, inlet, LIMIT)?;
    stream.set_nonblocking(true)?;
    let mut stream = tokio::net::TcpStream::from_std(stream)?;
    stream.write_all(&startup()).await?;
    let mut said = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut said))
        .await
        .doing("be refused while the database is away")??;
    let said = String::from_utf8_lossy(&said);
    if said.contains("FATAL") && said.contains(CLOSED) {
        return Ok(asked.elapsed());
    }
    Err(Trouble::new(format!("no {CLOSED} in: {said}")))
}

/// PostgreSQL's first message, version 3.0.
fn startup() -> Vec<u8> {
    let words = format!("user\0ana\0database\0{DATABASE}\0\0");
    let length = u32::try_from(words.len() + 8).unwrap_or(u32::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend(196_608_u32.to_be_bytes());
    message.extend(words.as_bytes());
    message
}
