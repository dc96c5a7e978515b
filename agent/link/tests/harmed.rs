//! Records that somebody on the way harms: a portal that is kept loses its line and no byte, one that nobody keeps ends and says why.
//! What a peer sealed itself is another thing: whoever lies ends its portal.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LIMIT, NowOrPending, go_on, handshake, lost, resumable, secure_pair, tcp_pair};
use tidegate_link::{Line, LinkError, Portal, PortalError, Secure};
use tidegate_proto::{
    channel::{ChannelError, Suite},
    frame::Frame,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// What somebody on the way does to the next record towards the outlet.
#[derive(Copy, Clone, Debug)]
enum Harm {
    Flip,
    /// Says that it is shorter than any record is.
    Length,
    /// What was sealed in the other direction, or by nobody.
    Invented,
}

/// Passes everything on, and harms the first record behind the word. Ends when both ends have closed.
async fn harming(near: TcpStream, far: TcpStream, mut word: oneshot::Receiver<Harm>) {
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
        (near.into_split(), far.into_split());
    let there = async {
        let mut buffer = [0_u8; 4096];
        while let Ok(n @ 1..) = near_in.read(&mut buffer).await {
            match word.try_recv() {
                Ok(Harm::Flip) => buffer[n - 1] ^= 1,
                Ok(Harm::Length) => buffer[..2].copy_from_slice(&[0, 3]),
                Ok(Harm::Invented) => buffer[2..n].fill(0x5a),
                Err(_) => {}
            }
            if far_out.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let _ = tokio::io::copy(&mut far_in, &mut near_out).await;
        let _ = near_out.shutdown().await;
    };
    tokio::join!(there, back);
}

/// Two handshaken ends with somebody between them who waits for the word.
async fn harmed_pair() -> (Secure, Secure, oneshot::Sender<Harm>, JoinHandle<()>) {
    let ((agent, near), (far, outlet)) = (tcp_pair().await, tcp_pair().await);
    let (harm, word) = oneshot::channel();
    let middle = tokio::spawn(harming(near, far, word));
    let (agent, outlet) = handshake(agent, outlet, Suite::Aes256Gcm).await;
    (agent, outlet, harm, middle)
}

#[tokio::test]
async fn a_record_that_was_harmed_on_its_way_costs_its_line_and_no_byte() {
    for harm in [Harm::Flip, Harm::Length, Harm::Invented] {
        let (agent, outlet, word, middle) = harmed_pair().await;
        let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
        let (ours, theirs) = (agent.control(), outlet.control());
        agent.write_all(b"before ").await.unwrap();
        agent.flush().await.unwrap();
        outlet.read_exact(&mut [0; 7]).await.unwrap();

        word.send(harm).unwrap();
        agent.write_all(b"harmed ").await.unwrap();
        agent.flush().await.unwrap();
        let reading = tokio::spawn(async move {
            let mut said = [0; 13];
            outlet.read_exact(&mut said).await.unwrap();
            (outlet, said)
        });
        lost(&theirs).await;
        // The other end learns it by the end of the line, and whoever is in between has nobody left to speak to.
        assert!(agent.read(&mut [0; 1]).now_or_pending().await, "{harm:?}");
        lost(&ours).await;
        timeout(LIMIT, middle).await.unwrap().unwrap();
        let (next_agent, next_outlet) = secure_pair().await;
        go_on(&ours, &theirs, next_agent, next_outlet);
        agent.write_all(b"after!").await.unwrap();
        agent.flush().await.unwrap();

        let (_outlet, said) = timeout(LIMIT, reading).await.unwrap().unwrap();
        assert_eq!(&said, b"harmed after!", "{harm:?}");
    }
}

#[tokio::test]
async fn a_record_that_was_harmed_on_its_way_ends_a_portal_that_nobody_keeps_and_says_why() {
    let (agent, outlet, word, middle) = harmed_pair().await;
    let (mut agent, mut outlet) = (Portal::new(agent), Portal::new(outlet));

    word.send(Harm::Flip).unwrap();
    agent.write_all(b"harmed").await.unwrap();
    agent.flush().await.unwrap();
    let error = timeout(LIMIT, outlet.read(&mut [0; 6])).await.unwrap();

    let end = PortalError::Broken(LinkError::Channel(ChannelError::Rejected));
    assert_eq!(PortalError::of(&error.unwrap_err()), Some(end));
    assert_eq!(outlet.control().ended(), Some(end));
    drop(outlet);
    let error = timeout(LIMIT, agent.read(&mut [0; 1])).await.unwrap();
    let end = PortalError::of(&error.unwrap_err());
    assert!(
        matches!(end, Some(PortalError::Reset(_) | PortalError::CircuitLost)),
        "{end:?}"
    );
    drop(agent);
    timeout(LIMIT, middle).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_peer_sealed_itself_and_may_not_say_ends_a_portal_that_is_kept() {
    let (mut liar, outlet) = secure_pair().await;
    let mut outlet = resumable(outlet);

    liar.send(&Frame::Opened { portal: 1 }).await.unwrap();
    let error = timeout(LIMIT, outlet.read(&mut [0; 1])).await.unwrap();

    let end = PortalError::Broken(LinkError::OutOfTurn);
    assert_eq!(PortalError::of(&error.unwrap_err()), Some(end));
    assert_eq!(*outlet.control().line().borrow(), Line::Over);
}
