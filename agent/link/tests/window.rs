//! How much is under way on a portal that is kept: as much as both ends can keep, never more, and nobody waits for the other for ever.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LIMIT, pair, pattern, resumable, secure_pair};
use std::time::Duration;
use tidegate_link::{Budget, LinkError, Portal, PortalError, Secure};
use tidegate_proto::{
    frame::{Frame, MAX_DATA, MAX_WINDOW},
    problem::Code,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

#[tokio::test]
async fn an_upload_goes_on_while_nobody_takes_what_comes_down() {
    let (mut agent, mut outlet) = pair().await;
    let bytes = pattern(40_000_000);
    let down = pattern(200_000);

    // As a program that sends everything before it reads anything.
    let program = async {
        agent.write_all(&bytes).await.unwrap();
        agent.flush().await.unwrap();
        let mut got = vec![0; down.len()];
        agent.read_exact(&mut got).await.unwrap();
        got
    };
    let database = async {
        outlet.write_all(&down).await.unwrap();
        outlet.flush().await.unwrap();
        let mut got = vec![0; bytes.len()];
        outlet.read_exact(&mut got).await.unwrap();
        got
    };
    let (back, there) = timeout(LIMIT, async { tokio::join!(program, database) })
        .await
        .unwrap();

    assert!(there == bytes && back == down);
}

#[tokio::test]
async fn a_peer_that_acknowledges_nothing_is_sent_no_more_than_is_kept() {
    let (agent, mut mute) = secure_pair().await;
    let mut agent = resumable(agent);
    let control = agent.control();

    let writing = agent.write_all(&[7; 2_000_000]);
    let reading = async {
        let mut came = 0;
        while came < 250_000 {
            if let Frame::Data { bytes, .. } = mute.recv().await.unwrap().frame() {
                came += bytes.len();
            }
        }
        timeout(Duration::from_millis(300), mute.recv()).await
    };
    tokio::select! {
        written = writing => panic!("{written:?}"),
        more = reading => assert!(more.is_err(), "more came"),
    }

    assert!(control.traffic().sent <= 256 * 1024);
    drop(agent);
    assert_eq!(mute.recv().await.unwrap().frame(), Frame::Reset { code: 0 });
}

async fn pour(peer: &mut Secure, bytes: usize) -> Result<(), LinkError> {
    for offset in (0..bytes).step_by(MAX_DATA) {
        let piece = vec![7; MAX_DATA.min(bytes - offset)];
        let (offset, bytes) = (offset as u64, piece.as_slice());
        peer.send(&Frame::Data { offset, bytes }).await?;
    }
    Ok(())
}

/// How a write ends that the peer never acknowledges, while `peer` does something else.
async fn end_of_writing(mut portal: Portal, peer: impl Future) -> Option<PortalError> {
    // Dropped with its end: its peer hears nothing more.
    let writing = async move { portal.write_all(&vec![7; 4_000_000]).await };
    let all = async { tokio::join!(writing, peer).0 };
    let error = timeout(LIMIT, all).await.unwrap().unwrap_err();
    PortalError::of(&error)
}

#[tokio::test]
async fn a_peer_that_sends_more_than_it_said_that_it_keeps_is_not_listened_to() {
    for (said, sends, end) in [
        (None, 256 * 1024 + 1, LinkError::OutOfTurn),
        (Some(300_000), 300_001, LinkError::OutOfTurn),
    ] {
        let (mut liar, outlet) = secure_pair().await;
        let outlet = resumable(outlet);
        let end = Some(PortalError::Broken(end));

        let pouring = async {
            if let Some(bytes) = said {
                liar.send(&Frame::Window { bytes }).await.unwrap();
            }
            let _ = pour(&mut liar, sends).await;
            while liar.recv().await.is_ok() {}
        };

        assert_eq!(end_of_writing(outlet, pouring).await, end, "{said:?}");
    }
}

async fn fill_and_take(peer: &mut Secure, window: usize, total: u64) {
    let mut came = 0;
    if window > 256 * 1024 {
        let bytes = window as u64;
        peer.send(&Frame::Window { bytes }).await.unwrap();
    }
    while came < 250_000 {
        if let Frame::Data { bytes, .. } = peer.recv().await.unwrap().frame() {
            came += bytes.len() as u64;
        }
    }
    for offset in (0..window).step_by(8192) {
        let (offset, bytes) = (offset as u64, [7; 8192].as_slice());
        peer.send(&Frame::Data { offset, bytes }).await.unwrap();
    }
    peer.send(&Frame::Ack { offset: came }).await.unwrap();
    while came < total {
        if let Frame::Data { bytes, .. } = peer.recv().await.unwrap().frame() {
            came += bytes.len() as u64;
        }
        peer.send(&Frame::Ack { offset: came }).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_fills_its_window_to_the_last_byte_is_heard_also_when_others_hold_everything() {
    for (window, budget) in [(256 * 1024, 0), (MAX_WINDOW as usize, 64 << 20)] {
        let (mut peer, outlet) = secure_pair().await;
        let mut outlet = Portal::resumable(outlet, &Budget::new(budget), |back| Some(back.circuit));
        let writing = async {
            outlet.write_all(&vec![7; 600_000]).await?;
            outlet.flush().await
        };

        let all = async { tokio::join!(writing, fill_and_take(&mut peer, window, 600_000)).0 };
        timeout(LIMIT, all).await.unwrap().unwrap();

        let mut read = vec![0; window];
        timeout(LIMIT, outlet.read_exact(&mut read))
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn what_peers_send_and_nobody_takes_is_bounded_for_all_portals_together() {
    const MOST: usize = 4 << 20;
    let budget = Budget::new(MOST);
    let mut portals = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut liar, outlet) = secure_pair().await;
        let outlet = Portal::resumable(outlet, &budget, |back| Some(back.circuit));
        let (budget, control) = (budget.clone(), outlet.control());
        portals.spawn(async move {
            let pouring = async {
                let bytes = MAX_WINDOW;
                liar.send(&Frame::Window { bytes }).await.unwrap();
                let _ = pour(&mut liar, 2_000_000).await;
                assert!(budget.used() <= MOST);
                while liar.recv().await.is_ok() {}
            };
            let end = end_of_writing(outlet, pouring).await;
            assert_eq!(control.ended(), end);
            end
        });
        // Those that found room would wait for ever.
        if portals.len() == 8 {
            let end = timeout(LIMIT, portals.join_next()).await.unwrap();
            let full = PortalError::Withdrawn(Code::TooManyConnections.number());
            assert_eq!(end.unwrap().unwrap(), Some(full));
        }
    }

    assert!(budget.used() > MOST / 2 && budget.used() <= MOST);
    portals.shutdown().await;
    assert_eq!(budget.used(), 0, "everything was given back");
}
