//! The ground under everything: is the café far away, is the private network closed, is nothing left afterwards.
//! These need namespaces; where a machine forbids them they say so and prove nothing, unless it was demanded.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_tests::ground::{Network, OUTLET};
use tidegate_tests::{Ground, Program, Site, Stage, User};

const LIMIT: Duration = Duration::from_secs(5);
/// Whoever gets no answer for so long has been kept out: the way takes 40 ms, and a first packet is repeated after a second.
const CLOSED: Duration = Duration::from_millis(2500);
/// How often the café's way is measured on a machine that does other things too.
const TRIPS: usize = 200;

fn network(stage: &Stage) -> Option<&Network> {
    if let Ground::Loopback(why) = stage.ground() {
        eprintln!("no network namespaces, so nothing is proved here: {why}");
    }
    stage.ground().network()
}

/// An echo server at an address of a place.
fn echo(network: &Network, site: Site, address: SocketAddr) -> SocketAddr {
    let listener = network
        .inside(site, move || TcpListener::bind(address))
        .unwrap()
        .unwrap();
    let bound = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
    bound
}

/// Whether a datagram arrives: what leaks names and data where only TCP is watched.
fn asks(network: &Network, site: Site, to: SocketAddr) -> bool {
    let server = network
        .inside(Site::Internet, move || UdpSocket::bind(to))
        .unwrap()
        .unwrap();
    server.set_read_timeout(Some(CLOSED)).unwrap();
    let sent = network
        .inside(site, move || {
            UdpSocket::bind("0.0.0.0:0")?.send_to(b"who is it?", to)
        })
        .unwrap();
    sent.is_ok() && server.recv(&mut [0; 16]).is_ok()
}

fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// Set where this program runs a test of its own in another environment.
const ASKED: &str = "TIDEGATE_GROUND_ASKED";

#[test]
fn where_namespaces_are_demanded_nobody_plays_on_loopback() {
    if std::env::var_os(ASKED).is_some() {
        assert!(Stage::set().is_err());
        return;
    }
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "where_namespaces_are_demanded_nobody_plays_on_loopback",
        ])
        .env(ASKED, "1")
        .env("TIDEGATE_STAGE", "loopback")
        .env("TIDEGATE_REQUIRE_NETNS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
fn the_cafe_is_forty_milliseconds_away() {
    let stage = Stage::set().unwrap();
    let Some(network) = network(&stage) else {
        return;
    };
    let server = echo(network, Site::Internet, at(stage.ground().hub(), 7443));

    let mut stream = stage.ground().connect(Site::Cafe, server, LIMIT).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..TRIPS {
        let sent = Instant::now();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        best = best.min(sent.elapsed());
        if best < Duration::from_millis(60) {
            break;
        }
    }

    assert!(
        (Duration::from_millis(40)..Duration::from_millis(60)).contains(&best),
        "{best:?}"
    );
    drop(stream);
    stage.close().unwrap();
}

#[test]
fn a_cut_line_carries_nothing_and_heals() {
    let stage = Stage::set().unwrap();
    let Some(network) = network(&stage) else {
        return;
    };
    let server = echo(network, Site::Internet, at(stage.ground().hub(), 7443));
    let line = network.line().unwrap();
    let mut quality = line.quality();

    quality.cut = true;
    line.set(quality);
    assert!(stage.ground().connect(Site::Cafe, server, CLOSED).is_err());
    quality.cut = false;
    line.set(quality);

    assert!(stage.ground().connect(Site::Cafe, server, LIMIT).is_ok());
    stage.close().unwrap();
}

#[test]
fn nobody_gets_into_the_private_network_and_it_gets_out_to_the_hub_only() {
    let stage = Stage::set().unwrap();
    let Some(network) = network(&stage) else {
        return;
    };
    let ground = stage.ground();
    let hub = echo(network, Site::Internet, at(ground.hub(), 7443));
    let beside = echo(network, Site::Internet, at(ground.hub(), 7444));
    let second_hub = echo(network, Site::Internet, at(ground.beta_hub(), 7443));
    let provider = echo(network, Site::Internet, at(ground.provider(), 9443));
    let names = at(ground.hub(), 53);
    let database = echo(network, Site::Private, at(ground.database(), 5432));
    let outlet = echo(network, Site::Private, at(IpAddr::V4(OUTLET), 8080));

    assert!(
        ground.connect(Site::Private, hub, LIMIT).is_ok(),
        "the outlet reaches the hub"
    );
    assert!(
        ground.connect(Site::Private, database, LIMIT).is_ok(),
        "the outlet reaches the database"
    );
    assert!(
        ground.connect(Site::Private, beside, CLOSED).is_err(),
        "no other port of the hub"
    );
    assert!(
        ground.connect(Site::Private, provider, CLOSED).is_err(),
        "not the provider"
    );
    assert!(
        ground.connect(Site::Private, second_hub, CLOSED).is_err(),
        "not the hub of another company, before that has an outlet here"
    );
    assert!(asks(network, Site::Internet, names), "names are served");
    assert!(!asks(network, Site::Private, names), "but not to it");
    for (who, site) in [("the café", Site::Cafe), ("the internet", Site::Internet)] {
        assert!(
            ground.connect(site, database, CLOSED).is_err(),
            "{who} must not reach the database"
        );
        assert!(
            ground.connect(site, outlet, CLOSED).is_err(),
            "{who} must not reach the outlet"
        );
    }
    stage.close().unwrap();
}

#[tokio::test]
async fn a_program_runs_as_its_user_in_its_place_and_takes_its_children_along() {
    let stage = Stage::set().unwrap();
    if network(&stage).is_none() {
        return;
    }
    let shell = |name: &str, line: &str| {
        Program::new(name, Site::Cafe, User::Analyst, "sh").args(["-c", line])
    };

    let said = shell(
        "who",
        "id -un; echo $HOME; ls /root 2>&1 | tail -1; ip -o addr show dev cafe",
    )
    .output(&stage, Duration::from_secs(5))
    .await
    .unwrap();
    let mut daemon = shell(
        "daemon",
        "setsid sleep 600 & setsid sleep 600 & echo up; wait",
    )
    .start(&stage)
    .unwrap();
    daemon.says("up", LIMIT).await.unwrap();

    assert!(said.starts_with("ana\n"), "{said}");
    assert!(
        said.contains("Permission denied"),
        "root's home is closed: {said}"
    );
    assert!(
        said.contains(&Ipv4Addr::new(192, 0, 2, 10).to_string()),
        "{said}"
    );
    drop(daemon);
    stage.close().unwrap();
}

#[tokio::test]
async fn closing_the_stage_tells_what_still_runs() {
    let stage = Stage::set().unwrap();
    if network(&stage).is_none() {
        return;
    }
    let forgotten = Program::new("forgotten", Site::Private, User::Outlet, "sleep")
        .arg("600")
        .start(&stage)
        .unwrap();

    let closed = Arc::clone(&stage).close();

    assert!(closed.is_err());
    drop(forgotten);
    stage.close().unwrap();
}

#[test]
fn a_program_dies_with_a_stage_that_is_killed() {
    let stage = Stage::set().unwrap();
    if network(&stage).is_none() {
        return;
    }
    // The kernel ends a program with the thread that started it: here the thread stands for the whole stage.
    let starter = Arc::clone(&stage);
    let thread = std::thread::spawn(move || {
        let process = Program::new("orphan", Site::Cafe, User::Analyst, "sleep")
            .arg("600")
            .start(&starter)
            .unwrap();
        // Until it is itself, it has not yet asked to die with its starter.
        while !starter.programs().iter().any(|it| it.starts_with("sleep")) {
            std::thread::yield_now();
        }
        process
    });
    let process = thread.join().unwrap();

    let until = Instant::now() + Duration::from_secs(3);
    while !stage.programs().is_empty() {
        assert!(
            Instant::now() < until,
            "still there: {:?}",
            stage.programs()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(process);
    stage.close().unwrap();
}
