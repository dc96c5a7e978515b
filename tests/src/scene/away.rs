//! Between two queries something is away for a moment: the database, the outlet, her right to come in.
//! How soon her program is told, and how soon her window says it too. The page itself notes when the sentence is in it,
//! by the machine's clock: asking it through the driver would measure the driver.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Desk, World, s3_connect};
use crate::company::{SERVICE, SERVICE_PORT};
use crate::ground::Site;
use crate::narrator::{Hands, Narrator};
use crate::process::Signal;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::DATABASE;

/// What a person takes for at once, on a machine that does other things too: for the median of the tries.
const AT_ONCE: Duration = Duration::from_millis(250);
const TRIES: usize = 5;
const LIMIT: Duration = Duration::from_secs(10);

/// What is away, the code of the sentence about it, and the name of the window's picture with it.
struct Away {
    what: &'static str,
    code: &'static str,
    picture: &'static str,
}

const THE_DATABASE: Away = Away {
    what: "the database is away",
    code: "TG-5001",
    picture: "window-8a-database-away",
};
const THE_OUTLET: Away = Away {
    what: "the outlet has ended",
    code: "TG-1004",
    picture: "window-8b-outlet-ended",
};
const HER_RIGHT: Away = Away {
    what: "the owner's rules say no",
    code: "TG-2001",
    picture: "window-8c-not-allowed",
};

/// When her program was told, and when the window said it, from the program's first move on.
struct Told {
    program: Duration,
    window: Duration,
}

pub(super) async fn play(narrator: &Narrator, world: &mut World, desk: &Desk) -> Outcome<()> {
    if narrator.hands == Hands::Person {
        narrator.say("nothing to click now: the play takes things away for a moment, and clicks for itself in the window; look at what it says");
    }
    world.warehouse.pause().await?;
    let told = one_after_the_other(narrator, world, desk, &THE_DATABASE).await;
    world.warehouse.resume().await?;
    at_once(narrator, &THE_DATABASE, told?)?;

    world.company.outlet.process.kill();
    let told = one_after_the_other(narrator, world, desk, &THE_OUTLET).await;
    world.company.outlet.start_again().await?;
    at_once(narrator, &THE_OUTLET, told?)?;

    let told = without_her_right(narrator, world, desk).await?;
    at_once(narrator, &HER_RIGHT, told)
}

/// Her door stays open meanwhile, and each word about it is taken off before the next.
async fn one_after_the_other(
    narrator: &Narrator,
    world: &World,
    desk: &Desk,
    away: &Away,
) -> Outcome<Vec<Told>> {
    let mut told = Vec::new();
    for _ in 0..TRIES {
        told.push(once(narrator, world, desk, away).await?);
        desk.window
            .click(&format!("problem-dismiss-{}", away.code))
            .await?;
        desk.window.lacks(&problem(away)).await?;
    }
    Ok(told)
}

/// The owner's rules are others while she is connected, and nobody tells her before she asks. Then her door closes, so that
/// each time she connects anew, under the old rules.
async fn without_her_right(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<Vec<Told>> {
    let rules = world.company.outlet.read("owner.cedar")?;
    let others = rules.replace("Data Science", "Finance");
    let mut told = Vec::new();
    for _ in 0..TRIES {
        rules_are(world, &others).await?;
        let refused = once(narrator, world, desk, &HER_RIGHT).await;
        rules_are(world, &rules).await?;
        told.push(refused?);
        s3_connect::connect_again(desk).await?;
        desk.window.lacks(&problem(&HER_RIGHT)).await?;
    }
    Ok(told)
}

/// The outlet is told to read them again, and goes by them once that stands in its record.
async fn rules_are(world: &World, rules: &str) -> Outcome<()> {
    let outlet = &world.company.outlet;
    let changes = || -> Outcome<usize> {
        let events = outlet.events()?;
        let changes = events
            .iter()
            .filter(|event| event["what"]["kind"] == "standing-changed");
        Ok(changes.count())
    };
    let before = changes()?;
    outlet.write("owner.cedar", rules)?;
    outlet.process.signal(Signal::HUP)?;
    let until = Instant::now() + LIMIT;
    while changes()? == before {
        if Instant::now() > until {
            return Err(Trouble::new("the outlet did not read its rules again"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn once(narrator: &Narrator, world: &World, desk: &Desk, away: &Away) -> Outcome<Told> {
    watch(desk, away).await?;
    let asked = since_epoch()?;
    let program = refused(world, away).await?;
    desk.window.says(&problem(away), SERVICE).await?;
    let window = noted(desk, away).await?.saturating_sub(asked);
    desk.window.picture(&narrator.picture(away.picture)).await?;
    Ok(Told { program, window })
}

fn at_once(narrator: &Narrator, away: &Away, told: Vec<Told>) -> Outcome<()> {
    let (program, window) = told
        .into_iter()
        .map(|one| (one.program, one.window))
        .unzip();
    let both: [(_, Vec<Duration>); 2] = [("program", program), ("window", window)];
    for (who, mut took) in both {
        took.sort();
        let millis: Vec<_> = took.iter().map(Duration::as_millis).collect();
        narrator.say(format!("{}: {who} told after {millis:?} ms", away.what));
        if took[TRIES / 2] > AT_ONCE {
            return Err(Trouble::new(format!(
                "the {who} was told {} after {millis:?} ms",
                away.code
            )));
        }
    }
    Ok(())
}

fn problem(away: &Away) -> String {
    format!("problem-{}", away.code)
}

/// From now on the page keeps the first moment at which the problem stands in it.
async fn watch(desk: &Desk, away: &Away) -> Outcome<()> {
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
        problem(away)
    );
    desk.window.run(&script).await.map(drop)
}

async fn noted(desk: &Desk, away: &Away) -> Outcome<Duration> {
    let saw = desk.window.run("return window.stageSaw").await?;
    match saw.as_f64() {
        Some(millis) if millis > 0.0 => Ok(Duration::from_secs_f64(millis / 1000.0)),
        _ => Err(Trouble::new(format!(
            "the page did not note when it said {}: {saw}",
            away.code
        ))),
    }
}

fn since_epoch() -> Outcome<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .doing("read the clock")
}

/// A program of hers that begins a session, until it has read the refusal.
async fn refused(world: &World, away: &Away) -> Outcome<Duration> {
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
        .doing(format!("be refused while {}", away.what))??;
    let said = String::from_utf8_lossy(&said);
    if said.contains("FATAL") && said.contains(away.code) {
        return Ok(asked.elapsed());
    }
    Err(Trouble::new(format!("no {} in: {said}", away.code)))
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
