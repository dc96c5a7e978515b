//! A server of plain bytes, and what is measured with it: bulk, round trips, and visits that come and go.
//! The client says how many bytes it wants, or with the highest bit how many it brings; none means that every byte comes back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::trouble::Outcome;

const BULK: u64 = 1 << 30;
const ROUNDS: usize = 5;
const TRIPS: usize = 2000;
const AT_A_TIME: usize = 8;
const LONG: Duration = Duration::from_secs(2);
/// In what the client says first: it brings so many bytes, and one comes back when all are here.
const BRINGS: u64 = 1 << 63;

/// Which way the many bytes go.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Down,
    Up,
}

pub(super) fn serve() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || drop(answer(stream)))
                .ok();
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wanted = [0; 8];
    stream.read_exact(&mut wanted)?;
    let left = u64::from_be_bytes(wanted);
    if left == 0 {
        return echo(stream);
    }
    if left & BRINGS != 0 {
        swallow(&mut stream, left & !BRINGS)?;
        return stream.write_all(b"x");
    }
    pour(&mut stream, left)
}

fn pour(stream: &mut TcpStream, mut left: u64) -> std::io::Result<()> {
    let zeros = vec![0_u8; 256 * 1024];
    while left > 0 {
        let size = left.min(zeros.len() as u64);
        stream.write_all(&zeros[..usize::try_from(size).unwrap_or(zeros.len())])?;
        left -= size;
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 256];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => stream.write_all(&bytes[..count])?,
        }
    }
}

fn swallow(stream: &mut TcpStream, mut left: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            size => left = left.saturating_sub(size as u64),
        }
    }
    Ok(())
}

/// A connection that has said what it wants.
pub(super) fn ask(road: SocketAddr, bytes: u64) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(road)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(&bytes.to_be_bytes())?;
    Ok(stream)
}

/// Gbit/s of one stream, by road, in turn.
pub(super) fn bulk(roads: &[SocketAddr; 3]) -> Outcome<[Vec<f64>; 3]> {
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (road, rates) in roads.iter().zip(&mut rates) {
            rates.push(moved(*road, Way::Down, 1)?);
        }
    }
    Ok(rates)
}

/// Gbit/s of 1 GiB over one road, in so many streams at the same time.
pub(super) fn moved(road: SocketAddr, way: Way, streams: u64) -> Outcome<f64> {
    let (share, started) = (BULK / streams, Instant::now());
    let movers: Vec<_> = (0..streams)
        .map(|_| std::thread::spawn(move || move_bytes(road, way, share)))
        .collect();
    for mover in movers {
        let end = mover.join();
        end.map_err(|_| std::io::Error::other("a stream broke"))??;
    }
    Ok(BULK as f64 * 8.0 / started.elapsed().as_secs_f64() / 1e9)
}

fn move_bytes(road: SocketAddr, way: Way, bytes: u64) -> std::io::Result<()> {
    match way {
        Way::Down => swallow(&mut ask(road, bytes)?, bytes),
        Way::Up => {
            let mut stream = ask(road, bytes | BRINGS)?;
            pour(&mut stream, bytes)?;
            stream.read_exact(&mut [0])
        }
    }
}

/// Microseconds of one byte there and back, by road, in turn.
pub(super) fn round_trips(roads: &[SocketAddr; 3]) -> Outcome<[Vec<f64>; 3]> {
    let mut streams = Vec::new();
    for road in roads {
        streams.push(ask(*road, 0)?);
    }
    let mut trips: [Vec<f64>; 3] = Default::default();
    for _ in 0..TRIPS {
        for (stream, trips) in streams.iter_mut().zip(&mut trips) {
            trips.push(trip(stream, &mut [0])?);
        }
    }
    Ok(trips)
}

/// Microseconds of a message there and back, the median of some on one connection.
pub(super) fn trip_of(road: SocketAddr, size: usize) -> Outcome<f64> {
    let (mut stream, mut message) = (ask(road, 0)?, vec![0; size]);
    let mut trips = Vec::new();
    for _ in 0..TRIPS {
        trips.push(trip(&mut stream, &mut message)?);
    }
    trips.sort_by(f64::total_cmp);
    Ok(trips[trips.len() / 2])
}

fn trip(stream: &mut TcpStream, message: &mut [u8]) -> std::io::Result<f64> {
    let sent = Instant::now();
    stream.write_all(message)?;
    stream.read_exact(message)?;
    Ok(sent.elapsed().as_secs_f64() * 1e6)
}

/// Visits per second of one byte there and back, some at a time, by road, in turn.
pub(super) fn visits(roads: &[SocketAddr; 3]) -> Outcome<[Vec<f64>; 3]> {
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (road, rates) in roads.iter().zip(&mut rates) {
            rates.push(visited(*road)?);
        }
    }
    Ok(rates)
}

/// Over one road, for two seconds.
pub(super) fn visited(road: SocketAddr) -> std::io::Result<f64> {
    let started = Instant::now();
    let visitors: Vec<_> = (0..AT_A_TIME)
        .map(|_| std::thread::spawn(move || visit_again_and_again(road, started)))
        .collect();
    let mut visits = 0;
    for visitor in visitors {
        let counted = visitor.join();
        visits += counted.map_err(|_| std::io::Error::other("a visitor broke"))??;
    }
    Ok(f64::from(visits) / started.elapsed().as_secs_f64())
}

fn visit_again_and_again(road: SocketAddr, started: Instant) -> std::io::Result<u32> {
    let mut visits = 0;
    while started.elapsed() < LONG {
        let mut stream = ask(road, 0)?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        visits += 1;
    }
    Ok(visits)
}
