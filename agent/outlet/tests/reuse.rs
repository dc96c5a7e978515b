//! One circuit, several portals, at an outlet at work: each is judged, permitted and recorded as if it were the first.
//! What a circuit carried before gives no right to anything.
#![allow(clippy::unwrap_used)]

mod support;

use support::org::{OWNER_POLICY, Org};
use support::{Said, World, ana, hear, open, within};
use tidegate_link::{Portal, Secure};
use tidegate_proto::event::{EventKind, PortalClosed, PortalOpened};
use tidegate_proto::frame::{Frame, Open, Purpose};
use tidegate_proto::problem::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

/// A portal from OPEN to its clean end; gives the circuit back.
async fn visit(mut secure: Secure, number: u64) -> Secure {
    let opened = open(&mut secure, number, Purpose::Connect).await;
    assert_eq!(opened, Said::Opened(number));
    let (home, returned) = oneshot::channel();
    let mut portal = Portal::lent(secure, |back| home.send(back.circuit).err());
    portal.write_all(b"hello").await.unwrap();
    portal.shutdown().await.unwrap();
    let mut said = String::new();
    within(portal.read_to_string(&mut said)).await.unwrap();
    assert_eq!(said, "hellogoodbye");
    returned.await.unwrap()
}

fn opened(events: &[EventKind]) -> Vec<&PortalOpened> {
    let of = events.iter().filter_map(|event| match event {
        EventKind::PortalOpened(opened) => Some(opened),
        _ => None,
    });
    of.collect()
}

fn closed(events: &[EventKind]) -> Vec<&PortalClosed> {
    let of = events.iter().filter_map(|event| match event {
        EventKind::PortalClosed(closed) => Some(closed),
        _ => None,
    });
    of.collect()
}

#[tokio::test]
async fn every_portal_of_a_circuit_has_a_record_and_a_connection_of_its_own() {
    let world = World::start().await;
    let mut secure = world.warm(&ana()).await;

    for number in 1..=20 {
        secure = visit(secure, number).await;
    }

    // More portals than circuits a person may have: circuits are counted, and this is one.
    assert_eq!(world.target.came(), 20);
    drop(secure);
    // The last record is closed behind the last FIN.
    let last = |event: &EventKind| match event {
        EventKind::PortalClosed(closed) if closed.portal == 20 => Some(()),
        _ => None,
    };
    world.event(last).await;
    let events = world.events();
    let (opened, closed) = (opened(&events), closed(&events));
    assert_eq!((opened.len(), closed.len()), (20, 20));
    for (number, (opened, closed)) in (1..).zip(opened.iter().zip(closed)) {
        assert_eq!((opened.portal, closed.portal), (number, number));
        assert_eq!(
            (closed.sent, closed.received, closed.reason),
            (5, 12, Code::ClosedByProgram)
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_policy_change_between_two_portals_refuses_the_second() {
    let world = World::start().await;
    let secure = world.warm(&ana()).await;
    let mut secure = visit(secure, 1).await;

    std::fs::write(world.owner_policy(), "").unwrap();
    world.outlet().reload_policy().await.unwrap();
    let said = open(&mut secure, 2, Purpose::Connect).await;

    assert!(matches!(said, Said::Refused(code, _) if code == Code::NotAvailable.number()));
    assert_eq!(world.target.came(), 1);
    std::fs::write(world.owner_policy(), OWNER_POLICY).unwrap();
    world.outlet().reload_policy().await.unwrap();
    drop(visit(secure, 3).await);
    world.end().await;
}

#[tokio::test]
async fn a_revocation_between_two_portals_ends_the_circuit() {
    let world = World::start().await;
    let secure = world.warm(&ana()).await;
    let mut secure = visit(secure, 1).await;

    world.revoke("00uana", 1);

    assert_eq!(
        hear(&mut secure).await,
        Said::Reset(Code::RevokedByAdmin.number())
    );
    assert_eq!(hear(&mut secure).await, Said::Nothing);
    world.end().await;
}

#[tokio::test]
async fn an_idle_circuit_can_be_renewed_between_two_portals() {
    let world = World::start().await;
    let mut person = ana();
    let secure = world.warm(&person).await;
    let mut secure = visit(secure, 1).await;

    person.credential_ends = support::soon(550);
    let newer = person.auth(&world.org, &secure.hash).encode().unwrap();
    secure.send(&Frame::Reauth(&newer)).await.unwrap();

    assert!(
        matches!(hear(&mut secure).await, Said::Admitted(deadline) if deadline > support::soon(800))
    );
    drop(visit(secure, 2).await);
    world.end().await;
}

#[tokio::test]
async fn a_stray_frame_of_the_former_portal_ends_the_circuit_before_anything_is_opened() {
    let strays = [
        Frame::Data {
            offset: 5,
            bytes: b"late",
        },
        Frame::Fin { offset: 5 },
        Frame::Opened { portal: 2 },
    ];
    let world = World::start().await;
    for stray in strays {
        let secure = world.warm(&ana()).await;
        let mut secure = visit(secure, 1).await;
        let came = world.target.came();

        secure.send(&stray).await.unwrap();
        let said = open(&mut secure, 2, Purpose::Connect).await;

        assert_eq!(said, Said::Nothing, "{stray:?}");
        assert_eq!(world.target.came(), came);
    }
    world.end().await;
}

#[tokio::test]
async fn a_second_open_while_one_portal_is_carried_ends_both() {
    let world = World::start().await;
    let mut secure = world.warm(&ana()).await;
    assert_eq!(
        open(&mut secure, 1, Purpose::Connect).await,
        Said::Opened(1)
    );

    let said = open(&mut secure, 2, Purpose::Connect).await;

    assert!(matches!(said, Said::Reset(_) | Said::Nothing), "{said:?}");
    assert_eq!(world.target.came(), 1);
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn the_kill_switch_ends_a_circuit_that_carried_a_portal_before() {
    let world = World::start().await;
    let secure = world.warm(&ana()).await;
    let mut secure = visit(secure, 1).await;

    let order = tidegate_outlet::kill::Order::Kill(None);
    tidegate_outlet::control::send(&world.data(), &order)
        .await
        .unwrap();

    assert_eq!(
        hear(&mut secure).await,
        Said::Reset(Code::KillSwitch.number())
    );
    drop(secure);
    world.end().await;
}

/// Somewhere that takes no connection and refuses none: its queue is full.
fn stuck() -> (std::net::SocketAddr, impl Sized) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let limit = std::time::Duration::from_millis(100);
    let queued: Vec<_> =
        std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, limit).ok()).collect();
    (address, (listener, queued))
}

#[tokio::test]
async fn an_outlet_says_that_it_is_there_while_its_target_does_not_answer() {
    let mut world = World::without_outlet(Org::new()).await;
    let (address, _full) = stuck();
    world.target.address = address.to_string().parse().unwrap();
    world.start_outlet().await;
    let mut secure = world.warm(&ana()).await;

    for number in [1, 2] {
        secure
            .send(&Frame::Open(Open {
                portal: number,
                process: 9,
                purpose: Purpose::Connect,
                grant: None,
                first: &[],
            }))
            .await
            .unwrap();
        for question in [7, 8] {
            secure.send(&Frame::Ping(question)).await.unwrap();
            assert_eq!(hear(&mut secure).await, Said::Pong(question));
        }
        let Said::Refused(code, _) = hear(&mut secure).await else {
            panic!("it is not refused")
        };
        assert_eq!(code, Code::TargetSilent.number());
    }

    // What only a portal may say ends the circuit, and the record with it.
    let opening = Open {
        portal: 3,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: &[],
    };
    secure.send(&Frame::Open(opening)).await.unwrap();
    secure.send(&Frame::Fin { offset: 0 }).await.unwrap();
    assert_eq!(hear(&mut secure).await, Said::Nothing);
    drop(secure);
    world.end().await;
}
