//! What it costs that a portal can be resumed: the same bytes through portals of both kinds, in turn, in one process.
//! Both ends and a plain middle share this computer, so only the ratio means anything.

use std::time::{Duration, Instant};
use tidegate_link::{Budget, Meter, Portal, Secure, initiate, join, respond, tune};
use tidegate_proto::{
    channel::{CircuitToken, Prologue, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const ROUNDS: usize = 9;
const BULK: usize = 1 << 30;
const EXCHANGES: u32 = 20_000;

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialled = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    tune(&dialled)?;
    tune(&accepted)?;
    Ok((dialled, accepted))
}

async fn pair(resumable: bool) -> Result<(Portal, Portal)> {
    let prologue = |suite| {
        let name = "acme".parse().expect("a name");
        let service = "warehouse".parse().expect("a name");
        Prologue::portal(suite, name, service, CircuitToken([7; 16]))
    };
    let ((near, mut a), (mut b, far)) = (tcp_pair().await?, tcp_pair().await?);
    tokio::spawn(async move { join(&mut a, &mut b, &Meter::new()).await });
    let (ours, theirs) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let believed = prologue(Suite::Aes256Gcm);
    let (near, far) = tokio::join!(
        initiate(near, &believed, &ours, theirs.public()),
        respond(far, prologue, &theirs)
    );
    let portal = |secure: Secure| match resumable {
        true => Portal::resumable(secure, &Budget::new(64 << 20), |back| Some(back.circuit)),
        false => Portal::lent(secure, |back| Some(back.circuit)),
    };
    Ok((portal(near?), portal(far?)))
}

/// Gbit/s of one stream.
async fn bulk(resumable: bool) -> Result<f64> {
    let (mut agent, mut outlet) = pair(resumable).await?;
    let began = Instant::now();
    let sink = tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 18];
        let mut came = 0;
        while came < BULK {
            came += agent.read(&mut buffer).await?;
        }
        std::io::Result::Ok(agent)
    });
    let buffer = vec![7; 1 << 18];
    for _ in 0..BULK / buffer.len() {
        outlet.write_all(&buffer).await?;
    }
    outlet.flush().await?;
    // The last word must be heard before the portal goes.
    drop((sink.await??, outlet));
    Ok(BULK as f64 * 8e-9 / began.elapsed().as_secs_f64())
}

/// Time of one question and its answer, 100 bytes each.
async fn exchange(resumable: bool) -> Result<Duration> {
    let (mut agent, mut outlet) = pair(resumable).await?;
    let echo = tokio::spawn(async move {
        let mut buffer = [0; 100];
        while outlet.read_exact(&mut buffer).await.is_ok() {
            outlet.write_all(&buffer).await?;
            outlet.flush().await?;
        }
        std::io::Result::Ok(())
    });
    let mut buffer = [0; 100];
    let began = Instant::now();
    for _ in 0..EXCHANGES {
        agent.write_all(&buffer).await?;
        agent.flush().await?;
        agent.read_exact(&mut buffer).await?;
    }
    let took = began.elapsed() / EXCHANGES;
    drop(agent);
    echo.await??;
    Ok(took)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() -> Result<()> {
    let (mut plain, mut kept, mut ratio) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        plain.push(bulk(false).await?);
        kept.push(bulk(true).await?);
        ratio.push(kept[kept.len() - 1] / plain[plain.len() - 1]);
    }
    println!("ratios {ratio:.2?}");
    println!(
        "1 GiB, one stream: {:.1} Gbit/s as it was, {:.1} resumable, paired {:.2}",
        median(plain),
        median(kept),
        median(ratio)
    );
    let (mut plain, mut kept, mut ratio) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        plain.push(exchange(false).await?.as_secs_f64() * 1e6);
        kept.push(exchange(true).await?.as_secs_f64() * 1e6);
        ratio.push(kept[kept.len() - 1] / plain[plain.len() - 1]);
    }
    println!("ratios {ratio:.2?}");
    println!(
        "100 bytes and back: {:.1} us as it was, {:.1} resumable, paired {:.2}",
        median(plain),
        median(kept),
        median(ratio)
    );
    Ok(())
}
