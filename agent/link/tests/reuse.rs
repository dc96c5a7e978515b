//! One circuit, several portals: what is handed back, when, and that nothing of a former portal reaches the next one.
//! A stray byte here would be somebody else's answer in a query's result, so the wire is looked at frame by frame.
#![allow(clippy::unwrap_used)]

mod common;

use common::{pattern, secure_pair, tcp_pair};
use std::time::Duration;
use tidegate_link::{LinkError, Meter, PipeEnd, Portal, PortalError, Returned, Secure, pipe};
use tidegate_proto::{
    frame::{Frame, Open, Purpose},
    time::UnixTime,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot::{self, Receiver, error::TryRecvError},
    time::timeout,
};

/// A portal, and where its circuit goes.
fn lent(secure: Secure) -> (Portal, Receiver<Returned>) {
    let (home, returned) = oneshot::channel();
    let portal = Portal::lent(secure, |back| home.send(back).map_err(|b| b.circuit).err());
    (portal, returned)
}

/// OPEN and OPENED, as agent and outlet say them.
async fn open(agent: &mut Secure, outlet: &mut Secure, portal: u64) {
    let open = Frame::Open(Open {
        portal,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: &[],
    });
    agent.send(&open).await.unwrap();
    assert_eq!(outlet.recv().await.unwrap().frame(), open);
    outlet.send(&Frame::Opened { portal }).await.unwrap();
    let opened = agent.recv().await.unwrap();
    assert_eq!(opened.frame(), Frame::Opened { portal });
}

/// Sends `bytes` one way and half of them the other, and ends both directions.
async fn exchange(agent: &mut Portal, outlet: &mut Portal, bytes: &[u8]) {
    let half = &bytes[..bytes.len() / 2];
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let near = async {
        agent.write_all(bytes).await.unwrap();
        agent.shutdown().await.unwrap();
        agent.read_to_end(&mut back).await.unwrap();
    };
    let far = async {
        outlet.read_to_end(&mut there).await.unwrap();
        outlet.write_all(half).await.unwrap();
        outlet.shutdown().await.unwrap();
    };
    tokio::join!(near, far);
    assert!(there == bytes && back == half);
}

#[tokio::test]
async fn a_circuit_carries_one_portal_after_the_other_and_each_counts_from_zero() {
    let (mut agent, mut outlet) = secure_pair().await;
    let bytes = pattern(300_001);

    for number in 1..=5 {
        open(&mut agent, &mut outlet, number).await;
        let ((mut near, near_home), (mut far, far_home)) = (lent(agent), lent(outlet));
        let control = near.control();
        exchange(&mut near, &mut far, &bytes).await;
        assert_eq!(control.traffic().sent, 300_001);
        assert_eq!(control.ended(), Some(PortalError::Withdrawn(0)));
        (agent, outlet) = (
            near_home.await.unwrap().circuit,
            far_home.await.unwrap().circuit,
        );
    }

    // Nothing of five portals is left on the wire.
    outlet.send(&Frame::Ping(9)).await.unwrap();
    assert_eq!(agent.recv().await.unwrap().frame(), Frame::Ping(9));
    agent.send(&Frame::Pong(9)).await.unwrap();
    assert_eq!(outlet.recv().await.unwrap().frame(), Frame::Pong(9));
}

#[tokio::test]
async fn the_circuit_is_back_before_the_portal_says_that_it_ended() {
    let (agent, mut outlet) = secure_pair().await;
    let (mut near, mut home) = lent(agent);
    outlet.send(&Frame::Fin { offset: 0 }).await.unwrap();
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(home.try_recv().err(), Some(TryRecvError::Empty));

    near.shutdown().await.unwrap();

    assert!(home.try_recv().is_ok());
    // It stays ended, however often it is asked.
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    near.shutdown().await.unwrap();
    assert!(near.write(b"x").await.is_err());
}

#[tokio::test]
async fn what_is_left_of_a_portal_cannot_speak_on_the_next_one() {
    let (mut agent, mut outlet) = secure_pair().await;
    open(&mut agent, &mut outlet, 1).await;
    let ((mut near, near_home), (mut far, far_home)) = (lent(agent), lent(outlet));
    let (ours, theirs) = (near.control(), far.control());
    exchange(&mut near, &mut far, b"first").await;
    let (mut agent, mut outlet) = (
        near_home.await.unwrap().circuit,
        far_home.await.unwrap().circuit,
    );
    open(&mut agent, &mut outlet, 2).await;
    let (mut second, _home) = lent(agent);

    for control in [&ours, &theirs] {
        control.reset(7001);
        assert!(control.reauth(b"newer".to_vec()).await.is_err());
        assert!(control.admitted(UnixTime(9)).await.is_err());
        assert!(control.notice(7001, "for the one before").await.is_err());
    }
    drop((near, far));
    second.write_all(b"second").await.unwrap();
    second.flush().await.unwrap();

    // The very next record on the wire is the second portal's first one.
    let next = outlet.recv().await.unwrap();
    assert_eq!(
        next.frame(),
        Frame::Data {
            offset: 0,
            bytes: b"second"
        }
    );
    outlet
        .send(&Frame::Data {
            offset: 0,
            bytes: b"answer",
        })
        .await
        .unwrap();
    let mut answer = [0; 6];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"answer");
}

#[tokio::test]
async fn a_stray_frame_of_the_one_before_ends_the_circuit_and_delivers_nothing() {
    let strays = [
        Frame::Data {
            offset: 0,
            bytes: b"x",
        },
        Frame::Data {
            offset: 5,
            bytes: b"x",
        },
        Frame::Fin { offset: 5 },
    ];
    for stray in strays {
        let (agent, mut outlet) = secure_pair().await;
        let (mut near, home) = lent(agent);
        near.shutdown().await.unwrap();
        outlet.send(&Frame::Fin { offset: 0 }).await.unwrap();
        outlet.send(&stray).await.unwrap();

        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);

        // It is still on the circuit, in front of the next OPENED: whoever waits for that sees it and gives the circuit up.
        let mut agent = home.await.unwrap().circuit;
        assert_eq!(agent.recv().await.unwrap().frame(), stray);
    }
}

#[tokio::test]
async fn no_end_but_a_clean_one_gives_the_circuit_back() {
    type Act = fn(Portal, Secure) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let ends: [(&str, Act); 7] = [
        ("dropped", |portal, outlet| {
            Box::pin(async move { drop((portal, outlet)) })
        }),
        ("only our FIN", |mut portal, outlet| {
            Box::pin(async move {
                portal.shutdown().await.unwrap();
                drop((portal, outlet));
            })
        }),
        ("only their FIN", |mut portal, mut outlet| {
            Box::pin(async move {
                outlet.send(&Frame::Fin { offset: 0 }).await.unwrap();
                assert_eq!(portal.read(&mut [0; 8]).await.unwrap(), 0);
                drop((portal, outlet));
            })
        }),
        ("reset by them", |mut portal, mut outlet| {
            Box::pin(async move {
                portal.shutdown().await.unwrap();
                outlet.send(&Frame::Reset { code: 7002 }).await.unwrap();
                assert!(portal.read(&mut [0; 8]).await.is_err());
                drop((portal, outlet));
            })
        }),
        ("reset by us after our FIN", |mut portal, mut outlet| {
            Box::pin(async move {
                portal.shutdown().await.unwrap();
                portal.control().reset(7002);
                outlet.send(&Frame::Fin { offset: 0 }).await.unwrap();
                assert!(portal.read(&mut [0; 8]).await.is_err());
                drop((portal, outlet));
            })
        }),
        ("a FIN at the wrong place", |mut portal, mut outlet| {
            Box::pin(async move {
                portal.shutdown().await.unwrap();
                outlet.send(&Frame::Fin { offset: 3 }).await.unwrap();
                assert!(portal.read(&mut [0; 8]).await.is_err());
                drop((portal, outlet));
            })
        }),
        ("bytes that nobody took", |mut portal, mut outlet| {
            Box::pin(async move {
                let data = Frame::Data {
                    offset: 0,
                    bytes: b"unread",
                };
                outlet.send(&data).await.unwrap();
                outlet.send(&Frame::Fin { offset: 6 }).await.unwrap();
                portal.shutdown().await.unwrap();
                portal.read_exact(&mut [0; 3]).await.unwrap();
                drop((portal, outlet));
            })
        }),
    ];
    for (what, act) in ends {
        let (agent, outlet) = secure_pair().await;
        let (portal, home) = lent(agent);

        act(portal, outlet).await;

        assert!(home.await.is_err(), "{what}");
    }
}

#[tokio::test]
async fn a_circuit_that_nobody_wants_back_is_closed_and_loses_nothing() {
    let bytes = pattern(400_000);
    let (agent, outlet) = secure_pair().await;
    let (mut near, mut far) = (
        Portal::lent(agent, |back| Some(back.circuit)),
        Portal::new(outlet),
    );

    timeout(
        Duration::from_secs(4),
        exchange(&mut near, &mut far, &bytes),
    )
    .await
    .unwrap();

    drop(near);
    assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_renewal_during_a_portal_comes_back_with_its_circuit() {
    let (agent, mut outlet) = secure_pair().await;
    let (mut near, home) = lent(agent);
    let deadline = UnixTime(1_800_000_000);
    outlet.send(&Frame::Admitted { deadline }).await.unwrap();
    outlet.send(&Frame::Fin { offset: 0 }).await.unwrap();
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);

    near.shutdown().await.unwrap();

    assert_eq!(home.await.unwrap().admitted, Some(deadline));
}

#[tokio::test]
async fn a_pipe_over_a_lent_circuit_ends_without_waiting_for_the_transport() {
    let (agent, outlet) = secure_pair().await;
    let ((mut near, near_home), (mut far, far_home)) = (lent(agent), lent(outlet));
    let ((mut program, mut at_agent), (mut at_outlet, mut database)) =
        (tcp_pair().await, tcp_pair().await);
    let (meter, other) = (Meter::new(), Meter::new());
    let ends = async {
        tokio::join!(
            pipe(
                &mut at_agent,
                &mut near,
                &meter,
                std::future::pending::<()>()
            ),
            pipe(
                &mut at_outlet,
                &mut far,
                &other,
                std::future::pending::<()>()
            ),
        )
    };
    let talk = async {
        program.write_all(b"ping").await.unwrap();
        database.read_exact(&mut [0; 4]).await.unwrap();
        database.shutdown().await.unwrap();
        program.read_to_end(&mut Vec::new()).await.unwrap();
        program.shutdown().await.unwrap();
    };

    let ((near_end, far_end), ()) =
        timeout(Duration::from_secs(2), async { tokio::join!(ends, talk) })
            .await
            .unwrap();

    assert_eq!((near_end, far_end), (PipeEnd::Finished, PipeEnd::Finished));
    let (mut agent, outlet) = (
        near_home.await.unwrap().circuit,
        far_home.await.unwrap().circuit,
    );
    drop(outlet);
    assert_eq!(agent.recv().await.err(), Some(LinkError::Lost));
}
