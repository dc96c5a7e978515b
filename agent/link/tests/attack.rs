//! Somebody hostile on the wire, between two honest ends or instead of one of them.
//! The only acceptable outcomes are the right bytes or an error; a test that waits for ever has failed as well.
#![allow(clippy::unwrap_used)]

mod common;

use common::{handshake, pattern, prologue, tcp_pair};
use std::time::Duration;
use tidegate_link::{LinkError, Portal, PortalError, Secure, initiate, respond};
use tidegate_proto::{
    channel::{ChannelError, MESSAGE_1, MESSAGE_2, MESSAGE_3, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};

fn secret() -> NoiseSecret {
    NoiseSecret::generate(&SystemEntropy)
}

/// The honest beginning of a first message, one byte short of its end.
fn beginning() -> Vec<u8> {
    let mut bytes = vec![Suite::Aes256Gcm.byte()];
    bytes.extend_from_slice(&u16::try_from(MESSAGE_1).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[7; MESSAGE_1 - 1]);
    bytes
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_holds_a_responder_for_ten_seconds() {
    let (mut slow, accepted) = tcp_pair().await;
    let started = tokio::time::Instant::now();
    let trickle = async {
        for byte in beginning() {
            if slow.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };

    let key = secret();
    let end = tokio::select! {
        end = respond(accepted, prologue, &key) => end.err(),
        () = trickle => panic!("the responder gives up first"),
    };

    assert_eq!(end, Some(LinkError::TimedOut));
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stops_anywhere_ends_after_ten_seconds() {
    let beginning = beginning();
    for length in [0, 1, 2, 3, beginning.len()] {
        let (mut silent, accepted) = tcp_pair().await;
        silent.write_all(&beginning[..length]).await.unwrap();
        assert_eq!(
            respond(accepted, prologue, &secret()).await.err(),
            Some(LinkError::TimedOut),
            "{length}"
        );
    }

    let (dialled, _silent) = tcp_pair().await;
    let end = initiate(
        dialled,
        &prologue(Suite::Aes256Gcm),
        &secret(),
        secret().public(),
    )
    .await;
    assert_eq!(end.err(), Some(LinkError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_without_its_third_message_makes_no_channel() {
    let (mut half, accepted) = tcp_pair().await;
    let (ours, theirs) = (secret(), secret());
    let believed = prologue(Suite::Aes256Gcm);
    let (_, message_1) = tidegate_proto::channel::Initiator::start(
        &believed,
        &ours,
        theirs.public(),
        &SystemEntropy,
    )
    .unwrap();
    half.write_u8(1).await.unwrap();
    half.write_u16(u16::try_from(MESSAGE_1).unwrap())
        .await
        .unwrap();
    half.write_all(&message_1).await.unwrap();

    let end = respond(accepted, prologue, &theirs).await;

    assert_eq!(end.err(), Some(LinkError::TimedOut));
}

#[tokio::test]
async fn a_message_of_any_other_length_is_refused_before_it_is_read() {
    for length in [0, 1, MESSAGE_1 - 1, MESSAGE_1 + 1, 65_535] {
        let (mut liar, accepted) = tcp_pair().await;
        liar.write_u8(Suite::Aes256Gcm.byte()).await.unwrap();
        liar.write_u16(u16::try_from(length).unwrap())
            .await
            .unwrap();
        let end = respond(accepted, prologue, &secret()).await;
        assert_eq!(
            end.err(),
            Some(LinkError::Channel(ChannelError::Size)),
            "{length}"
        );
    }
    for suite in [0, 3, 255] {
        let (mut liar, accepted) = tcp_pair().await;
        liar.write_u8(suite).await.unwrap();
        assert_eq!(
            respond(accepted, prologue, &secret()).await.err(),
            Some(LinkError::Preface)
        );
    }
}

#[tokio::test]
async fn a_record_of_an_impossible_length_ends_the_channel() {
    for length in [0u16, 1, 15, 16, 65_535] {
        let (mut outlet, mut middle) = secure_with_open_wire().await;
        middle.write_u16(length).await.unwrap();
        middle
            .write_all(&vec![0; usize::from(length)])
            .await
            .unwrap();

        assert_eq!(
            outlet.recv_record().await.err(),
            Some(LinkError::Channel(ChannelError::Rejected)),
            "{length}"
        );
        assert_eq!(
            outlet.recv_record().await.err(),
            Some(LinkError::Channel(ChannelError::Rejected))
        );
    }
    let (mut outlet, mut middle) = secure_with_open_wire().await;
    middle.write_u16(100).await.unwrap();
    middle.write_all(&[0; 99]).await.unwrap();
    drop(middle);
    assert_eq!(outlet.recv_record().await.err(), Some(LinkError::Lost));
}

/// An outlet's channel whose wire is ours from here on; the agent is gone.
async fn secure_with_open_wire() -> (Secure, TcpStream) {
    let ((agent, near), (mut far, outlet)) = (tcp_pair().await, tcp_pair().await);
    let (mut near_in, mut near_out) = near.into_split();
    let (_, outlet) = {
        let carry = async {
            let mut first = vec![0; 1 + 2 + MESSAGE_1];
            near_in.read_exact(&mut first).await.unwrap();
            far.write_all(&first).await.unwrap();
            let mut second = vec![0; 2 + MESSAGE_2];
            far.read_exact(&mut second).await.unwrap();
            near_out.write_all(&second).await.unwrap();
            let mut third = vec![0; 2 + MESSAGE_3];
            near_in.read_exact(&mut third).await.unwrap();
            far.write_all(&third).await.unwrap();
        };
        tokio::join!(handshake(agent, outlet, Suite::Aes256Gcm), carry).0
    };
    (outlet, far)
}

#[tokio::test]
async fn rejects_a_flip_of_any_byte_on_the_wire() {
    let text = b"select * from flights";
    let to_outlet =
        1 + (2 + MESSAGE_1) + (2 + MESSAGE_3) + (2 + 9 + text.len() + 16) + (2 + 9 + 16);
    for at in 0..to_outlet {
        assert_eq!(
            talk_through(text, Some(at), None).await,
            None,
            "byte {at} towards the outlet"
        );
    }
    for at in 0..2 + MESSAGE_2 {
        assert_eq!(
            talk_through(text, None, Some(at)).await,
            None,
            "byte {at} towards the agent"
        );
    }
    assert_eq!(
        talk_through(text, None, None).await.as_deref(),
        Some(&text[..])
    );
}

/// An agent says `text` and finishes; somebody flips one byte on the way. What the outlet takes for a whole stream.
async fn talk_through(text: &[u8], there: Option<usize>, back: Option<usize>) -> Option<Vec<u8>> {
    let ((agent, near), (far, outlet)) = (tcp_pair().await, tcp_pair().await);
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let (ours, theirs) = (secret(), secret());
    let believed = prologue(Suite::Aes256Gcm);
    let speak = async {
        let Ok(secure) = initiate(agent, &believed, &ours, theirs.public()).await else {
            return;
        };
        let mut portal = Portal::new(secure);
        let said = async {
            portal.write_all(text).await?;
            portal.shutdown().await
        };
        let _ = said.await;
    };
    let hear = async {
        let mut portal = Portal::new(respond(outlet, prologue, &theirs).await.ok()?);
        let mut got = Vec::new();
        let end = portal.read_to_end(&mut got).await;
        assert!(text.starts_with(&got), "a wrong byte was delivered");
        end.ok().map(|_| got)
    };
    let (there, back) = (flip(near_in, far_out, there), flip(far_in, near_out, back));
    let ((), heard, (), ()) = tokio::join!(speak, hear, there, back);
    heard
}

/// Passes bytes on, one of them changed.
async fn flip(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, at: Option<usize>) {
    let (mut passed, mut buffer) = (0, [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if let Some(at) = at.filter(|at| (passed..passed + n).contains(at)) {
            buffer[at - passed] ^= 1 << (at % 8);
        }
        passed += n;
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// What a hostile relay does with the records it carries.
#[derive(Copy, Clone, Debug)]
enum Trick {
    Drop(usize),
    Repeat(usize),
    Swap(usize),
    Truncate(usize),
}

#[tokio::test]
async fn a_relay_that_drops_repeats_swaps_or_truncates_is_always_noticed() {
    for trick in [
        Trick::Drop(0),
        Trick::Drop(3),
        Trick::Drop(9),
        Trick::Repeat(0),
        Trick::Repeat(8),
        Trick::Swap(0),
        Trick::Swap(8),
        Trick::Truncate(1),
        Trick::Truncate(9),
    ] {
        let ((agent, near), (mut far, outlet)) = (tcp_pair().await, tcp_pair().await);
        let (mut near_in, mut near_out) = near.into_split();
        let (ours, theirs) = (secret(), secret());
        let believed = prologue(Suite::ChaCha20Poly1305);
        let text = pattern(9_000);

        let speak = async {
            let mut portal = Portal::new(
                initiate(agent, &believed, &ours, theirs.public())
                    .await
                    .unwrap(),
            );
            for part in text.chunks(1_000) {
                portal.write_all(part).await.unwrap();
                portal.flush().await.unwrap();
            }
            let _ = portal.shutdown().await;
        };
        let hear = async {
            let mut portal = Portal::new(respond(outlet, prologue, &theirs).await.unwrap());
            let mut got = Vec::new();
            let end = portal.read_to_end(&mut got).await;
            assert!(
                text.starts_with(&got),
                "{trick:?}: a wrong byte was delivered"
            );
            PortalError::of(&end.unwrap_err()).unwrap()
        };
        let carry = async {
            let mut first = vec![0; 1 + 2 + MESSAGE_1];
            near_in.read_exact(&mut first).await.unwrap();
            far.write_all(&first).await.unwrap();
            let mut second = vec![0; 2 + MESSAGE_2];
            far.read_exact(&mut second).await.unwrap();
            near_out.write_all(&second).await.unwrap();
            let mut third = vec![0; 2 + MESSAGE_3];
            near_in.read_exact(&mut third).await.unwrap();
            far.write_all(&third).await.unwrap();

            // Nine of data, then FIN.
            let mut records = Vec::new();
            for _ in 0..10 {
                let length = near_in.read_u16().await.unwrap();
                let mut record = length.to_be_bytes().to_vec();
                record.resize(2 + usize::from(length), 0);
                near_in.read_exact(&mut record[2..]).await.unwrap();
                records.push(record);
            }
            match trick {
                Trick::Drop(i) => drop(records.remove(i)),
                Trick::Repeat(i) => records.insert(i, records[i].clone()),
                Trick::Swap(i) => records.swap(i, i + 1),
                Trick::Truncate(i) => records.truncate(i),
            }
            let _ = far.write_all(&records.concat()).await;
            let _ = far.shutdown().await;
        };
        let ((), end, ()) = tokio::join!(speak, hear, carry);

        let expected = match trick {
            // Without its FIN the stream just stops.
            Trick::Drop(9) | Trick::Truncate(_) => PortalError::CircuitLost,
            _ => PortalError::Broken(LinkError::Channel(ChannelError::Rejected)),
        };
        assert_eq!(end, expected, "{trick:?}");
    }
}
