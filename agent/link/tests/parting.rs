//! A portal that is ended while its peer pours into it: the peer hears the reason, however much was on its way.
//! One that did not hear it would keep the portal for somebody who never comes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LIMIT, handshake, resumable, secure_pair, tcp_pair};
use std::{io, time::Duration};
use tidegate_link::{Portal, PortalError};
use tidegate_proto::{
    channel::Suite,
    frame::{Frame, MAX_DATA},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};

/// Often enough: whether bytes lie unread at the moment of the end is chance.
const ROUNDS: usize = 25;

/// Says more than anybody takes until the portal ends, as a database in the middle of a copy.
async fn pour(mut outlet: Portal) -> Option<PortalError> {
    let control = outlet.control();
    let (mut from, mut to) = tokio::io::split(&mut outlet);
    let pouring = async { while to.write_all(&[7; 60_000]).await.is_ok() {} };
    let hearing = async { while matches!(from.read(&mut [0; 64]).await, Ok(1..)) {} };
    tokio::join!(pouring, hearing);
    control.ended()
}

/// A way that takes a moment, and forgets what it holds as soon as one side is broken.
async fn forgetful(near: TcpStream, far: TcpStream) -> io::Result<()> {
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    tokio::try_join!(slowly(from_near, to_far), slowly(from_far, to_near))?;
    Ok(())
}

async fn slowly(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut bytes = [0; 16_000];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        // The sleep is the way's length, and waits for nothing.
        let broken = from.ready(Interest::ERROR);
        tokio::select! {
            _ = broken => return Err(io::ErrorKind::ConnectionReset.into()),
            () = sleep(Duration::from_millis(3)) => {}
        }
        to.write_all(&bytes[..count]).await?;
    }
}

#[tokio::test]
async fn who_pours_hears_why_nobody_listens_any_more() {
    for round in 0..ROUNDS {
        let ((agent, near), (far, outlet)) = (tcp_pair().await, tcp_pair().await);
        tokio::spawn(forgetful(near, far));
        let (agent, outlet) = handshake(agent, outlet, Suite::Aes256Gcm).await;
        let pouring = tokio::spawn(pour(resumable(outlet)));
        let mut agent = resumable(agent);
        agent.read_exact(&mut vec![0; 50_000]).await.unwrap();

        agent.control().reset(7005);
        agent.part().await;

        let end = timeout(LIMIT, pouring).await;
        assert!(end.is_ok(), "{round}: the outlet keeps it");
        assert_eq!(
            end.unwrap().unwrap(),
            Some(PortalError::Reset(7005)),
            "{round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_stops_pouring_is_left_after_a_moment() {
    let (agent, mut deaf) = secure_pair().await;
    let pouring = tokio::spawn(async move {
        let bytes = &[7; MAX_DATA];
        for offset in (0_u64..).step_by(MAX_DATA) {
            let sent = deaf.send(&Frame::Data { offset, bytes }).await;
            if sent.is_err() {
                return;
            }
        }
    });
    let agent = resumable(agent);

    let parted = timeout(LIMIT, agent.part()).await;

    assert!(parted.is_ok(), "it is listened to for as long as it likes");
    timeout(LIMIT, pouring).await.unwrap().unwrap();
}
