//! Ten thousand strangers who begin and never go on, while somebody who is enrolled wants to work.
//! The hub is its own program here, and each crowd is compared with the quiet before and after it: a busy machine slows both.
#![allow(clippy::unwrap_used, dead_code)] // of what the attacks' supports offer, only a part is used

#[path = "../../agent/authority/tests/api/support/client.rs"]
mod client;
#[path = "attacks/company.rs"]
mod company;
#[path = "attacks/hub.rs"]
mod hub;
#[path = "attacks/laptop.rs"]
mod laptop;
#[path = "../../agent/authority/tests/api/support/org.rs"]
mod org;
#[path = "attacks/papers.rs"]
mod papers;
#[path = "../../agent/authority/tests/api/support/provider.rs"]
mod provider;
#[path = "attacks/target.rs"]
mod target;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate_proto::channel::{Initiator, Prologue, Suite};
use tidegate_proto::entropy::SystemEntropy;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use company::{Company, acme, within};
use hub::HubProgram;
use laptop::{Laptop, echoes, link_key, relay_link};

const CROWD: usize = 10_000;
/// Those whom the hub lets wait at its door; the others it has sent away, oldest first.
const WAITING: usize = 800;
/// One more stranger each time: twice as many as have to leave a full door because their time is up.
const PACE: Duration = Duration::from_millis(4);
/// So many of those who come later are kept: more than find room at the hub's doors.
const LATEST: usize = 2000;
/// Connects of one kind in one round: p99 of them is the slowest but one.
const SAMPLES: usize = 100;
/// The median of so many rounds counts.
const ROUNDS: usize = 5;
/// From the last stranger's arrival to the answer, for whoever comes right behind all of them: once a round, so p99 never sees it.
const BEHIND_THE_BURST: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_connections_do_not_keep_an_enrolled_agent_out() {
    let room = room();
    let company = Arc::new(Company::with_hub_program().await);
    let ana = company.ana().await;
    let hub = company.hub.program();
    let quiet = hub.descriptors();
    // Cold but for its code, of which a page is only loaded when it is first used.
    connects(&company, &ana, SAMPLES / 10).await;
    until_quiet(hub, quiet).await;
    let before = hub.memory();
    let mut crowded = before;

    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let mut idle = connects(&company, &ana, SAMPLES / 2).await;
        let crowd = Crowd::gather(&company, room).await;
        assert!(
            hub.descriptors() >= quiet + WAITING.min(room) / 2,
            "the crowd is not there"
        );
        let attacked = connects(&company, &ana, SAMPLES).await;
        let (first, slowest) = (attacked[0], *attacked.iter().max().unwrap());
        crowded = crowded.max(hub.memory());
        let came = crowd.leave().await;
        until_quiet(hub, quiet).await;
        idle.append(&mut connects(&company, &ana, SAMPLES / 2).await);
        let (attacked, idle) = (p99(attacked), p99(idle));
        let ratio = attacked.as_secs_f64() / idle.as_secs_f64();
        println!(
            "round {round}: {came} strangers, p99 {attacked:?}, without them {idle:?}, ratio {ratio:.2}; right behind the burst {first:?}, slowest {slowest:?}"
        );
        assert!(
            slowest < BEHIND_THE_BURST,
            "one connect of {SAMPLES} took {slowest:?}; the one right behind the burst {first:?}"
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let after = settled(hub, before).await;
    println!(
        "median ratio {:.2}; memory of the hub {before} KiB before, {crowded} with a crowd, {after} after the last",
        ratios[ROUNDS / 2]
    );

    assert!(
        ratios[ROUNDS / 2] < 2.0,
        "connecting takes too long in a crowd: {ratios:.2?}"
    );
    assert!(
        after <= before + before / 10,
        "the hub keeps memory: {before} KiB, then {after}"
    );
    ana.shutdown().await;
    Arc::into_inner(company).unwrap().end().await;
}

/// How many strangers there can be: one descriptor each, and some for everybody else.
fn room() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    let room = most.saturating_sub(LATEST + 1000).min(CROWD);
    if room < CROWD {
        assert!(
            std::env::var_os("CI").is_none(),
            "{CROWD} strangers need more descriptors than the {most} of this machine"
        );
        println!("only {room} strangers: this machine allows a process {most} descriptors");
    }
    room
}

/// From nothing to the first answer of the target.
async fn connect(company: &Company, laptop: &Laptop) -> Duration {
    let begun = Instant::now();
    let link = within(relay_link(company, laptop.answer.pass.clone()))
        .await
        .unwrap();
    let token = link.open(laptop.handle()).await.unwrap();
    let mut portal = within(laptop.portal_with(token, &company.address))
        .await
        .unwrap();
    echoes(&mut portal).await;
    let took = begun.elapsed();
    drop(portal);
    within(link.shutdown()).await;
    took
}

async fn connects(company: &Company, laptop: &Laptop, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(connect(company, laptop).await);
    }
    times
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[(times.len() * 99).div_ceil(100) - 1]
}

/// Strangers who are there, and more who keep coming.
struct Crowd {
    there: Vec<TcpStream>,
    enough: CancellationToken,
    coming: JoinSet<usize>,
}

impl Crowd {
    async fn gather(company: &Arc<Company>, room: usize) -> Self {
        let beginnings = Arc::new(beginnings());
        let mut there = Vec::new();
        for n in 0..room {
            there.push(stranger(company, &beginnings, n).await);
        }
        let (enough, mut coming) = (CancellationToken::new(), JoinSet::new());
        coming.spawn(keep_coming(Arc::clone(company), beginnings, enough.clone()));
        Self {
            there,
            enough,
            coming,
        }
    }

    /// How many there were in all.
    async fn leave(mut self) -> usize {
        self.enough.cancel();
        let later = self.coming.join_next().await.unwrap().unwrap();
        self.there.len() + later
    }
}

async fn keep_coming(
    company: Arc<Company>,
    beginnings: Arc<Vec<Vec<u8>>>,
    enough: CancellationToken,
) -> usize {
    let (mut latest, mut count) = (VecDeque::new(), 0);
    let mut pace = interval(PACE);
    // They are made on the machine that they trouble. Where it is slow, ticks that were missed would come all at once, and the
    // crowd would be the larger the less there is left to bear it.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while enough.run_until_cancelled(pace.tick()).await.is_some() {
        latest.push_back(stranger(&company, &beginnings, count).await);
        if latest.len() > LATEST {
            latest.pop_front();
        }
        count += 1;
    }
    count
}

/// All the ways to begin and leave it at that.
fn beginnings() -> Vec<Vec<u8>> {
    let prologue = Prologue::link(Suite::Aes256Gcm, acme());
    let relay = tidegate_proto::identity::NoiseSecret::from_bytes(&company::RELAY_KEY).public();
    let (_, message) = Initiator::start(&prologue, &link_key(), relay, &SystemEntropy).unwrap();
    let mut first = b"tg1L".to_vec();
    first.push(prologue.suite.byte());
    first.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
    first.extend_from_slice(&message);
    vec![
        b"".to_vec(),
        b"t".to_vec(),
        b"tg1A".to_vec(),
        b"tg1L".to_vec(),
        b"tg1Chalf a token".to_vec(),
        first[..600].to_vec(),
        // The relay answers this one, and waits for the third message for nothing.
        first,
    ]
}

async fn stranger(company: &Company, beginnings: &[Vec<u8>], n: usize) -> TcpStream {
    let mut tcp = TcpStream::connect(company.address.to_string())
        .await
        .unwrap();
    // The hub may have sent this one away already.
    let _ = tcp.write_all(&beginnings[n % beginnings.len()]).await;
    tcp
}

/// Another process tells us nothing, so it is looked at.
async fn until_quiet(hub: &HubProgram, quiet: usize) {
    within(async {
        while hub.descriptors() > quiet + 10 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Its memory once it is back, or after it had time enough: it is given back when nobody has come for ten seconds.
async fn settled(hub: &HubProgram, before: u64) -> u64 {
    let until = Instant::now() + Duration::from_secs(40);
    while hub.memory() > before + before / 10 && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
    hub.memory()
}
