//! Ten thousand strangers who begin and never go on, while somebody who is enrolled wants to work.
//! Times are printed and not asserted: they say something on a quiet machine only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::company::{Company, STRANGERS, within};
use crate::laptop::{Laptop, echoes, relay_link};

const CROWD: usize = 10_000;
/// Connects whose times are compared.
const SAMPLES: usize = 40;

/// How many strangers there can be: one descriptor each, those whom the hub still keeps, and some for everybody else.
fn room() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    let room = most.saturating_sub(STRANGERS + 1000).min(CROWD);
    if room < CROWD {
        println!("only {room} strangers: this machine allows a process {most} descriptors");
    }
    room
}

/// Somebody who begins in one of the ways there are, and leaves it at that.
async fn stranger(company: &Company, n: usize) -> TcpStream {
    let mut tcp = TcpStream::connect(company.address.to_string())
        .await
        .unwrap();
    let beginning: &[u8] = match n % 5 {
        0 => b"",
        1 => b"t",
        2 => b"tg1A",
        3 => b"tg1L",
        _ => b"tg1L\x01\x04\xc0half of a first message",
    };
    let _ = tcp.write_all(beginning).await;
    tcp
}

async fn gathered(company: &Company, room: usize) -> Vec<TcpStream> {
    let mut strangers = Vec::new();
    for n in 0..room {
        strangers.push(stranger(company, n).await);
    }
    strangers
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

async fn p99(company: &Company, laptop: &Laptop) -> Duration {
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        times.push(connect(company, laptop).await);
    }
    times.sort();
    times[SAMPLES * 99 / 100]
}

/// Resident memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_connections_do_not_keep_an_enrolled_agent_out() {
    let room = room();
    let company = Arc::new(Company::start().await);
    let ana = company.ana().await;
    let (idle, memory_idle) = (p99(&company, &ana).await, memory());

    // Twice: what the first crowd left behind is the allocator's, what the second adds would be a leak.
    drop(gathered(&company, room).await);
    let memory_before = memory();
    let strangers = gathered(&company, room).await;
    assert!(company.doorstep.crowd() <= STRANGERS);
    let memory_crowded = memory();
    // And they keep coming while she connects.
    let enough = Arc::new(Notify::new());
    let (more, stop) = (Arc::clone(&company), Arc::clone(&enough));
    let coming = tokio::spawn(async move {
        let mut latest = Vec::new();
        for n in 0.. {
            latest.push(stranger(&more, n).await);
            latest.truncate(512);
            let pause = tokio::time::sleep(Duration::from_millis(1));
            tokio::select! {
                () = stop.notified() => return n,
                () = pause => {}
            }
        }
        0
    });
    let crowded = p99(&company, &ana).await;
    enough.notify_one();
    let late = within(coming).await.unwrap();

    drop(strangers);
    within(async {
        while company.doorstep.crowd() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    println!(
        "{room} strangers and {late} more: p99 of connecting {crowded:?}, idle {idle:?}, ratio {:.2}; \
         memory {memory_idle} KiB idle, {memory_before} after one crowd, {memory_crowded} in the second, {} after it",
        crowded.as_secs_f64() / idle.as_secs_f64(),
        memory(),
    );
    ana.shutdown().await;
    Arc::into_inner(company).unwrap().end().await;
}
