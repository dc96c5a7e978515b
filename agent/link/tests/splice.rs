//! Two connections joined in the kernel: every byte arrives once and in order, whatever the sizes and whoever is slow.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::time::Duration;
use tidegate_link::{Meter, Traffic, join_in_kernel};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(near, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// The ends of two connections, and what a relay does between them.
async fn joined() -> (
    TcpStream,
    TcpStream,
    tokio::task::JoinHandle<(std::io::Result<()>, Traffic)>,
) {
    let ((left, mut a), (mut b, right)) = (tcp_pair().await, tcp_pair().await);
    let relay = tokio::spawn(async move {
        let meter = Meter::new();
        let end = join_in_kernel(&mut a, &mut b, &meter).await;
        (end, meter.read())
    });
    (left, right, relay)
}

/// Sizes from one byte to more than a pipe holds, in an order that nobody chose; the same for the same seed.
fn sizes(seed: u32) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let most = [7, 300, 4_096, 5_000, 70_000, 600_000][(state >> 8) as usize % 6];
        1 + (state >> 3) as usize % most
    })
}

/// What stands at a place of what is said with this seed: no two places near one another hold the same run.
fn byte(seed: u32, place: usize) -> u8 {
    let mixed = (place as u32).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503);
    (mixed >> 13) as u8
}

/// Says `total` bytes in pieces, and ends.
async fn says(stream: &mut (impl AsyncWriteExt + Unpin), seed: u32, total: usize) {
    let mut said = 0;
    for size in sizes(seed) {
        let end = total.min(said + size);
        let piece: Vec<u8> = (said..end).map(|place| byte(seed, place)).collect();
        stream.write_all(&piece).await.unwrap();
        said = end;
        if said == total {
            break;
        }
    }
    stream.shutdown().await.unwrap();
}

/// Hears what was said with this seed to its end, resting now and then if it is slow; gives how much it was.
async fn hears(stream: &mut (impl AsyncReadExt + Unpin), seed: u32, is_slow: bool) -> usize {
    let mut heard = 0;
    let mut buffer = vec![0; 50_000];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            return heard;
        }
        let wrong = (0..count).find(|n| buffer[*n] != byte(seed, heard + n));
        assert_eq!(wrong.map(|n| heard + n), None, "seed {seed}: a wrong byte");
        let before = heard / 100_000;
        heard += count;
        if is_slow && heard / 100_000 > before {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn both_directions_carry_every_byte_in_order_also_to_slow_readers() {
    const TOTAL: usize = 8_000_000;
    for (seed, is_slow) in [(1, false), (2, true), (3, false), (4, true)] {
        let (left, right, relay) = joined().await;
        let (mut from_left, mut to_left) = left.into_split();
        let (mut from_right, mut to_right) = right.into_split();

        let all = async {
            tokio::join!(
                says(&mut to_left, seed, TOTAL),
                hears(&mut from_right, seed, is_slow),
                says(&mut to_right, seed + 100, TOTAL),
                hears(&mut from_left, seed + 100, false),
            )
        };
        let ((), there, (), back) = timeout(PATIENCE, all).await.unwrap();

        assert_eq!((there, back), (TOTAL, TOTAL), "seed {seed}");
        let (end, traffic) = relay.await.unwrap();
        end.unwrap();
        let total = TOTAL as u64;
        assert_eq!((traffic.sent, traffic.received), (total, total));
    }
}

#[tokio::test]
async fn a_side_that_has_ended_still_hears_what_the_other_has_to_say() {
    let (mut left, mut right, relay) = joined().await;

    let asked = says(&mut left, 9, 1_000_000);
    let ((), heard) = tokio::join!(asked, hears(&mut right, 9, false));
    assert_eq!(heard, 1_000_000);
    let answered = says(&mut right, 10, 3_000_000);
    let ((), heard) = tokio::join!(answered, hears(&mut left, 10, true));

    assert_eq!(heard, 3_000_000);
    relay.await.unwrap().0.unwrap();
}

#[tokio::test]
async fn what_is_small_goes_there_and_back_many_times() {
    let (mut left, mut right, relay) = joined().await;
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 100];
        while right.read_exact(&mut buffer).await.is_ok() {
            right.write_all(&buffer).await.unwrap();
        }
    });
    for round in 0..1_000_u32 {
        let asked = [round.to_le_bytes()[0]; 100];
        left.write_all(&asked).await.unwrap();
        let mut heard = [0; 100];
        left.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, asked);
    }
    drop(left);
    answering.await.unwrap();
    relay.await.unwrap().0.unwrap();
}

#[tokio::test]
async fn a_reader_that_breaks_off_in_the_middle_ends_both_sides() {
    let (mut left, mut right, relay) = joined().await;
    let pouring = tokio::spawn(async move {
        let bytes = vec![7; 1 << 20];
        while left.write_all(&bytes).await.is_ok() {}
    });
    right.read_exact(&mut vec![0; 5_000_000]).await.unwrap();
    tidegate_link::abort(right);

    let (end, _) = timeout(PATIENCE, relay).await.unwrap().unwrap();
    assert!(end.is_err());
    timeout(PATIENCE, pouring).await.unwrap().unwrap();
}

/// Some three hundred directions that all flow at once, and pipes for less than half of them.
#[tokio::test]
async fn who_gets_no_pipe_is_served_all_the_same_and_nobody_gets_what_was_meant_for_another() {
    let crowd = (0..150_u32).map(|seed| async move {
        let (left, right, relay) = joined().await;
        let (mut from_left, mut to_left) = left.into_split();
        let (mut from_right, mut to_right) = right.into_split();
        let ((), there, (), back) = tokio::join!(
            says(&mut to_left, seed, 300_000),
            hears(&mut from_right, seed, seed % 3 == 0),
            says(&mut to_right, seed + 1_000, 300_000),
            hears(&mut from_left, seed + 1_000, seed % 5 == 0),
        );
        assert_eq!((there, back), (300_000, 300_000), "seed {seed}");
        relay.await.unwrap().0.unwrap();
    });
    let crowd = futures_util::future::join_all(crowd);
    timeout(PATIENCE, crowd).await.unwrap();
}

/// The pipes of this program, by their ends.
fn pipe_ends() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("pipe:"))
        .count()
}

/// Two hundred that nobody reads hold all pipes there are; they get no more than those, and whoever comes then is served.
#[tokio::test]
async fn stalled_readers_can_hold_all_pipes_and_keep_nobody_from_being_served() {
    let mut stalled = Vec::new();
    for _ in 0..200 {
        let ((mut left, mut a), (mut b, right)) = (tcp_pair().await, tcp_pair().await);
        for socket in [&left, &a, &b, &right] {
            let socket = socket2::SockRef::from(socket);
            socket.set_recv_buffer_size(16 * 1024).unwrap();
            socket.set_send_buffer_size(16 * 1024).unwrap();
        }
        let relay = tokio::spawn(async move {
            let _ = join_in_kernel(&mut a, &mut b, &Meter::new()).await;
        });
        let pouring = tokio::spawn(async move {
            let bytes = vec![7; 1 << 20];
            while left.write_all(&bytes).await.is_ok() {}
        });
        stalled.push((right, relay, pouring));
    }
    let all_are_held = async {
        while pipe_ends() < 2 * 128 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all_are_held).await.unwrap();

    let (mut left, mut right, relay) = joined().await;
    let asking = says(&mut left, 11, 3_000_000);
    let ((), heard) = timeout(PATIENCE, async {
        tokio::join!(asking, hears(&mut right, 11, false))
    })
    .await
    .unwrap();
    assert_eq!(heard, 3_000_000);
    drop(right);
    relay.await.unwrap().0.unwrap();
    assert!(pipe_ends() <= 2 * 128 + 8, "{}", pipe_ends());

    for (right, relay, pouring) in stalled {
        // Given up in the middle of what its pipe holds, as at a relay's end.
        relay.abort();
        drop(right);
        pouring.await.unwrap();
    }
    let few_are_kept = async {
        while pipe_ends() > 2 * 64 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, few_are_kept).await.unwrap();
}
