//! Two roads to the hub's relay, one of which breaks, or both: what is well is left alone, and what is dead is found out.
//! A road that is frozen closes nothing: that is what a laptop sees when its network has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_link::{LinkError, read_preface, respond};
use tidegate_proto::channel::Prologue;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::HubAddress;
use tidegate_proto::problem::Code;
use tidegate_proto::statement::Relay;
use tidegate_proto::wire::link::{FromRelay, RelayRefusal, ToRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::circuit::Links;
use crate::testing::hub::{Inner, Outlet};
use crate::testing::{World, state, until};
use crate::{Action, Agent};

const PATIENCE: Duration = Duration::from_secs(25);

/// A road to the hub.
struct Road {
    address: HubAddress,
    /// Connections so far.
    made: watch::Sender<usize>,
    /// The first so many carry nothing any more, and do not end.
    frozen: watch::Sender<usize>,
    _carrying: JoinSet<()>,
}

impl Road {
    /// Each connection ends after `life`.
    async fn to(hub: &HubAddress, life: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (made, frozen) = (watch::Sender::default(), watch::Sender::default());
        let (count, freezes) = (made.clone(), frozen.clone());
        let hub = hub.to_string();
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(&hub).await.unwrap();
                let number = *count.borrow() + 1;
                count.send_replace(number);
                let frozen = freezes.subscribe();
                connections.spawn(timeout(life, carry(near, far, number, frozen)));
            }
        });
        Self {
            address: address.parse().unwrap(),
            made,
            frozen,
            _carrying: carrying,
        }
    }

    fn made(&self) -> usize {
        *self.made.borrow()
    }

    fn freeze(&self) {
        self.frozen.send_replace(self.made());
    }
}

async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    number: usize,
    mut frozen: watch::Receiver<usize>,
) {
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        _ = frozen.wait_for(|frozen| *frozen >= number) => {}
    }
    std::future::pending().await
}

/// A relay that has just come back: it takes everybody in, and no outlet is there yet.
async fn empty(world: &World) -> (HubAddress, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let hub = Arc::clone(&world.hub.inner);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut links = JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            links.spawn(has_nobody(tcp, Arc::clone(&hub)));
        }
    });
    (address.parse().unwrap(), serving)
}

async fn has_nobody(mut tcp: TcpStream, hub: Arc<Inner>) -> Result<(), LinkError> {
    read_preface(&mut tcp).await?;
    let prologue = |suite| Prologue::link(suite, hub.org.name.clone());
    let mut secure = respond(tcp, prologue, &hub.org.relay_noise).await?;
    secure.recv_record().await?;
    secure.send_record(&FromRelay::Welcome.encode()).await?;
    loop {
        let said = ToRelay::decode(&secure.recv_record().await?)?;
        let code = RelayRefusal::Absent.code();
        let answer = match said {
            ToRelay::Open { request, .. } => FromRelay::Refused { request, code },
            ToRelay::Ping(number) => FromRelay::Pong(number),
            _ => continue,
        };
        secure.send_record(&answer.encode()).await?;
    }
}

/// An agent whose service is reached over these.
async fn connected(world: &World, roads: &[&Road]) -> Agent {
    let roads: Vec<_> = roads.iter().map(|road| road.address.clone()).collect();
    world.hub.lists_behind(&world.service, world.port, &roads);
    world.connected().await
}

async fn talks(program: &mut TcpStream) {
    program.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    program.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

#[tokio::test]
async fn the_first_program_after_a_silent_change_of_network_gets_through() {
    let world = World::new().await;
    let forever = Duration::from_secs(3600);
    let (one, other) = (
        Road::to(&world.hub.address, forever).await,
        Road::to(&world.hub.address, forever).await,
    );
    let agent = connected(&world, &[&one, &other]).await;

    one.freeze();
    other.freeze();
    let mut program = world.call().await.unwrap();
    timeout(PATIENCE, talks(&mut program)).await.unwrap();

    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_way_that_goes_silent_is_given_up_in_seconds_while_somebody_stands_on_it() {
    let world = World::new().await;
    let forever = Duration::from_secs(3600);
    let (stood_on, idle) = (
        Road::to(&world.hub.address, forever).await,
        Road::to(&world.hub.address, forever).await,
    );
    let agent = connected(&world, &[&stood_on, &idle]).await;
    let links = &agent.circuits(&world.org()).links;
    let begun = Instant::now();

    stood_on.freeze();
    idle.freeze();
    let mut broken = links.broken(&stood_on.address).unwrap();
    timeout(PATIENCE, broken.changed()).await.unwrap().unwrap();

    // Two seconds until it is asked, one for the answer; a link that nobody stands on is given 25.
    assert!(begun.elapsed() < Duration::from_secs(15));
    let standing = links.standing();
    assert!(standing.iter().any(|(relay, _)| *relay == idle.address));
    agent.shutdown().await;
}

#[tokio::test]
async fn a_relay_that_has_no_outlet_yet_hides_no_other_that_has() {
    let world = World::new().await;
    let road = Road::to(&world.hub.address, Duration::from_secs(3600)).await;
    let (empty, _serving) = empty(&world).await;
    let both = [empty.clone(), road.address.clone()];
    world.hub.lists_behind(&world.service, world.port, &both);
    let agent = world.connected().await;

    let mut program = world.call().await.unwrap();
    timeout(PATIENCE, talks(&mut program)).await.unwrap();
    drop(program);
    agent.shutdown().await;

    world.hub.lists_behind(&world.service, world.port, &[empty]);
    let agent = world.agent().await;
    let asked = agent.open(&world.echo()).await;
    assert_eq!(asked.err().unwrap().code, Code::OutletAbsent);
    agent.shutdown().await;
}

#[tokio::test]
async fn an_outlet_that_hangs_does_not_cost_the_ways_to_others() {
    let world = World::new().await;
    let road = Road::to(&world.hub.address, Duration::from_secs(3600)).await;
    let agent = connected(&world, &[&road]).await;
    let circuits = agent.circuits(&world.org());
    let broken = circuits.links.broken(&road.address).unwrap();
    let mut program = world.call().await.unwrap();
    talks(&mut program).await;

    world.hub.inner.outlet.send_replace(Outlet::Silent);
    let mut turned_away = world.call().await.unwrap();
    let end = timeout(PATIENCE, turned_away.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "{end:?}");

    assert!(!broken.has_changed().unwrap(), "the link was made anew");
    talks(&mut program).await;
    drop(program);
    let service = world.echo();
    agent.act(Action::Disconnect { service }).await.unwrap();
    until(&agent, |snapshot| !state(snapshot).is_connected()).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn a_relay_that_drops_every_link_is_asked_less_and_less_and_costs_the_other_nothing() {
    let world = World::new().await;
    let life = Duration::from_millis(300);
    let flaps = Road::to(&world.hub.address, life).await;
    let stands = Road::to(&world.hub.address, Duration::from_secs(3600)).await;
    let noise = NoiseSecret::generate(&SystemEntropy);
    let links = Links::new(world.org(), Arc::new(noise));
    let relays = [&flaps, &stands].map(|road| Relay {
        address: road.address.clone(),
        noise: world.hub.org().relay_noise.public(),
    });
    links.admit("pass".into(), relays.clone());
    let steady = timeout(PATIENCE, links.up(&relays[1..], PATIENCE)).await;
    let (_, steady) = steady.unwrap().unwrap();
    let broken = links.broken(&stands.address).unwrap();
    let begun = Instant::now();

    let fourth = async {
        let mut made = flaps.made.subscribe();
        made.wait_for(|made| *made == 4).await.unwrap();
    };
    timeout(PATIENCE, fourth).await.unwrap();

    // Three lives, and three waits that double: 0.3, 0.6 and 1.2 s, a quarter less at most.
    assert!(begun.elapsed() > Duration::from_millis(2000));
    assert!(!broken.has_changed().unwrap());
    assert!(steady.answers(Duration::from_secs(1)).await);
    drop(steady);
    links.end().await;
}
