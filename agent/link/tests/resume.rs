//! Portals that outlive their lines: real sockets, real keys, and a middle that dies whenever it likes.
//! What decides who may go on is not here: both ends are simply given a new circuit, and say what they have.
#![allow(clippy::unwrap_used)]

mod common;

use common::{handshake, pattern, secure_pair, tcp_pair};
use std::{io, time::Duration};
use tidegate_link::{
    Budget, Line, LinkError, Meter, PipeEnd, Portal, PortalControl, PortalError, Secure, join, pipe,
};
use tidegate_proto::{
    channel::{ChannelError, Suite},
    frame::{Frame, MAX_DATA, MAX_WINDOW},
    problem::Code,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(60);

fn resumable(secure: Secure) -> Portal {
    Portal::resumable(secure, &Budget::new(64 << 20), |back| Some(back.circuit))
}

async fn pair() -> (Portal, Portal) {
    let (agent, outlet) = secure_pair().await;
    (resumable(agent), resumable(outlet))
}

/// Two ends whose middle dies when it is aborted, or after `life`.
async fn mortal_pair(life: Duration) -> (Secure, Secure, JoinHandle<()>) {
    let ((agent, mut near), (mut far, outlet)) = (tcp_pair().await, tcp_pair().await);
    let middle = tokio::spawn(async move {
        let meter = Meter::new();
        let _ = timeout(life, join(&mut near, &mut far, &meter)).await;
    });
    let (agent, outlet) = handshake(agent, outlet, Suite::Aes256Gcm).await;
    (agent, outlet, middle)
}

/// Both ends say what they have, and go on over `agent` and `outlet`.
fn go_on(ours: &PortalControl, theirs: &PortalControl, agent: Secure, outlet: Secure) {
    let (we_have, they_have) = (ours.detach().unwrap(), theirs.detach().unwrap());
    theirs.attach(outlet, we_have).unwrap();
    ours.attach(agent, they_have).unwrap();
}

async fn lost(control: &PortalControl) {
    let mut line = control.line();
    let gone = line.wait_for(|line| matches!(line, Line::Lost { .. }));
    timeout(LIMIT, gone).await.unwrap().unwrap();
}

async fn never() {
    std::future::pending().await
}

#[tokio::test]
async fn two_programs_notice_nothing_of_forty_lines_that_die_under_them() {
    let (up, down) = (pattern(30_000_001), pattern(20_000_003));
    let ((mut program, mut at_agent), (mut at_outlet, mut database)) =
        (tcp_pair().await, tcp_pair().await);
    let (agent, outlet, middle) = mortal_pair(LIMIT).await;
    let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
    let (ours, theirs) = (agent.control(), outlet.control());
    let (near, far) = (Meter::new(), Meter::new());

    let carrying = async {
        tokio::join!(
            pipe(&mut at_agent, &mut agent, &near, never()),
            pipe(&mut at_outlet, &mut outlet, &far, never())
        )
    };
    let talking = async {
        let (mut program_in, mut program_out) = program.split();
        let (mut database_in, mut database_out) = database.split();
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let results: io::Result<((), (), usize, usize)> = tokio::try_join!(
            async {
                program_out.write_all(&up).await?;
                program_out.shutdown().await
            },
            async {
                database_out.write_all(&down).await?;
                database_out.shutdown().await
            },
            database_in.read_to_end(&mut there),
            program_in.read_to_end(&mut back)
        );
        results.unwrap();
        (there, back)
    };
    let dying = async {
        let mut middle = middle;
        for death in 0..40u64 {
            tokio::time::sleep(Duration::from_millis(3 + death * 7 % 11)).await;
            middle.abort();
            if theirs.ended().is_some() || ours.ended().is_some() {
                return;
            }
            let (next_agent, next_outlet, next) = mortal_pair(LIMIT).await;
            // One side may not have noticed that the line is dead.
            if death % 2 == 0 {
                lost(&ours).await;
            }
            go_on(&ours, &theirs, next_agent, next_outlet);
            middle = next;
        }
        never().await;
    };
    let done = async { tokio::join!(carrying, talking) };
    let ((ends, (there, back)), ()) = timeout(LIMIT, async {
        tokio::select! {
            done = done => (done, ()),
            () = dying => panic!("the portals ended early: {:?} {:?}", ours.ended(), theirs.ended()),
        }
    })
    .await
    .unwrap();

    assert_eq!(ends, (PipeEnd::Finished, PipeEnd::Finished));
    assert!(there == up && back == down);
}

#[tokio::test]
async fn what_was_written_without_a_line_arrives_over_the_next_one() {
    let (agent, outlet, middle) = mortal_pair(LIMIT).await;
    let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
    let (ours, theirs) = (agent.control(), outlet.control());
    agent.write_all(b"before ").await.unwrap();
    agent.flush().await.unwrap();
    outlet.read_exact(&mut [0; 7]).await.unwrap();

    middle.abort();
    let reading = tokio::spawn(async move {
        let mut got = [0; 6];
        outlet.read_exact(&mut got).await.unwrap();
        (outlet, got)
    });
    lost(&theirs).await;
    assert!(agent.read(&mut [0; 1]).now_or_pending().await);
    lost(&ours).await;
    agent.write_all(b"during").await.unwrap();
    assert_eq!((ours.ended(), theirs.ended()), (None, None));
    assert_eq!(ours.reauth(vec![1]).await, Err(PortalError::CircuitLost));
    let (next_agent, next_outlet) = secure_pair().await;
    go_on(&ours, &theirs, next_agent, next_outlet);
    agent.flush().await.unwrap();

    let (outlet, got) = timeout(LIMIT, reading).await.unwrap().unwrap();
    assert_eq!(&got, b"during");
    assert_eq!(*ours.line().borrow(), Line::Up);
    drop((agent, outlet));
    assert_eq!(*theirs.line().borrow(), Line::Over);
}

trait NowOrPending: Future + Sized {
    /// Polls once; whether it has to wait.
    async fn now_or_pending(self) -> bool {
        timeout(Duration::from_millis(50), self).await.is_err()
    }
}

impl<F: Future> NowOrPending for F {}

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

#[tokio::test]
async fn a_line_that_was_replaced_is_not_heard_any_more() {
    let (mut stale, outlet) = secure_pair().await;
    let mut outlet = resumable(outlet);
    let theirs = outlet.control();
    let data = |bytes| Frame::Data { offset: 0, bytes };
    let has = theirs.detach().unwrap();
    assert_eq!(has, 0);
    let (mut fresh, next) = secure_pair().await;
    theirs.attach(next, 0).unwrap();

    let _ = stale.send(&data(b"stale")).await;
    fresh.send(&data(b"fresh")).await.unwrap();

    let mut got = [0; 5];
    outlet.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"fresh");
    assert!(stale.recv().await.is_err(), "the old circuit is closed");
}

#[tokio::test]
async fn whoever_says_what_cannot_be_ends_the_portal_and_gets_nothing() {
    for place in [3, u64::MAX] {
        let (_agent, outlet) = secure_pair().await;
        let mut outlet = resumable(outlet);
        let theirs = outlet.control();
        outlet.write_all(b"ab").await.unwrap();
        theirs.detach().unwrap();
        let (mut liar, next) = secure_pair().await;

        assert!(!theirs.can_go_on_from(place) && theirs.can_go_on_from(1));
        let end = PortalError::Broken(LinkError::OutOfTurn);
        assert_eq!(theirs.attach(next, place), Err(end));

        assert_eq!(theirs.ended(), Some(end));
        assert_eq!(liar.recv().await.err(), Some(LinkError::Lost));
    }
    for ack in [1, 3] {
        let (mut liar, outlet) = secure_pair().await;
        let mut outlet = resumable(outlet);
        outlet.write_all(&b"ab"[..ack - 1]).await.unwrap();
        let offset = ack as u64;
        liar.send(&Frame::Ack { offset }).await.unwrap();
        let error = outlet.read(&mut [0; 8]).await.unwrap_err();
        let end = PortalError::Broken(LinkError::OutOfTurn);
        assert_eq!(PortalError::of(&error), Some(end), "{ack}");
    }
}

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

#[tokio::test]
async fn an_answer_carries_the_acknowledgement_of_its_question() {
    let (mut agent, outlet) = secure_pair().await;
    let mut outlet = resumable(outlet);
    let question = Frame::Data {
        offset: 0,
        bytes: b"question",
    };
    agent.send(&question).await.unwrap();
    outlet.read_exact(&mut [0; 8]).await.unwrap();

    outlet.write_all(b"answer").await.unwrap();
    outlet.flush().await.unwrap();

    assert_eq!(
        agent.recv().await.unwrap().frame(),
        Frame::Ack { offset: 8 }
    );
    let answer = Frame::Data {
        offset: 0,
        bytes: b"answer",
    };
    assert_eq!(agent.recv().await.unwrap().frame(), answer);
    assert!(agent.recv().now_or_pending().await, "nothing else is said");
}

#[tokio::test]
async fn what_is_left_unsaid_is_said_before_long() {
    let (mut agent, outlet) = secure_pair().await;
    let mut outlet = resumable(outlet);
    let bytes = &[7; 20_000];
    let question = Frame::Data { offset: 0, bytes };
    agent.send(&question).await.unwrap();

    let reading = async {
        outlet.read_exact(&mut [0; 20_000]).await.unwrap();
        outlet.read(&mut [0; 1]).await
    };
    tokio::select! {
        read = reading => panic!("{read:?}"),
        said = agent.recv() => {
            assert_eq!(said.unwrap().frame(), Frame::Ack { offset: 20_000 });
        }
    }
}

#[tokio::test]
async fn the_circuit_goes_home_when_both_know_that_both_have_finished() {
    let (agent, outlet) = secure_pair().await;
    let ((near, home), (far, far_home)) = (oneshot::channel(), oneshot::channel());
    let budget = Budget::new(64 << 20);
    let mut agent = Portal::resumable(agent, &budget, |back| {
        near.send(back).map_err(|b| b.circuit).err()
    });
    let mut outlet = Portal::resumable(outlet, &budget, |back| {
        far.send(back).map_err(|b| b.circuit).err()
    });
    let bytes = pattern(700_001);
    let answer = bytes.clone();

    // Two tasks, as on two computers: what wakes one side wakes nobody on the other.
    let asking = tokio::spawn(async move {
        agent.write_all(b"question").await.unwrap();
        agent.shutdown().await.unwrap();
        let mut got = Vec::new();
        agent.read_to_end(&mut got).await.unwrap();
        got
    });
    let answering = tokio::spawn(async move {
        let mut question = Vec::new();
        outlet.read_to_end(&mut question).await.unwrap();
        outlet.write_all(&answer).await.unwrap();
        outlet.shutdown().await.unwrap();
    });
    let both = timeout(LIMIT, async { tokio::join!(asking, answering) });
    let (got, answered) = both.await.unwrap();
    answered.unwrap();
    assert!(got.unwrap() == bytes);

    let (mut agent, mut outlet) = (home.await.unwrap().circuit, far_home.await.unwrap().circuit);
    // Nothing of the portal is left on the wire.
    agent.send(&Frame::Ping(1)).await.unwrap();
    assert_eq!(outlet.recv().await.unwrap().frame(), Frame::Ping(1));
    outlet.send(&Frame::Pong(1)).await.unwrap();
    assert_eq!(agent.recv().await.unwrap().frame(), Frame::Pong(1));
}

#[tokio::test]
async fn last_bytes_that_died_with_their_line_are_said_again() {
    for cut in 0..6 {
        let (agent, outlet, middle) = mortal_pair(LIMIT).await;
        let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
        let (ours, theirs) = (agent.control(), outlet.control());
        let bytes = pattern(90_000 * cut + 1);

        let asking = async {
            agent.shutdown().await.unwrap();
            let mut got = Vec::new();
            agent.read_to_end(&mut got).await.unwrap();
            got
        };
        let answering = async {
            outlet.write_all(&bytes).await.unwrap();
            middle.abort();
            outlet.shutdown().await.unwrap();
            outlet.read_to_end(&mut Vec::new()).await.unwrap();
        };
        let reviving = async {
            lost(&ours).await;
            let (next_agent, next_outlet) = secure_pair().await;
            go_on(&ours, &theirs, next_agent, next_outlet);
        };
        let all = async { tokio::join!(asking, answering, reviving) };
        let (got, (), ()) = timeout(LIMIT, all).await.unwrap();

        assert!(got == bytes, "{cut}");
    }
}

#[tokio::test]
async fn a_portal_can_be_ended_while_nothing_carries_it() {
    let (agent, outlet, middle) = mortal_pair(LIMIT).await;
    let (mut agent, outlet) = (resumable(agent), resumable(outlet));
    let control = agent.control();
    middle.abort();
    let reading = tokio::spawn(async move { agent.read(&mut [0; 1]).await });
    lost(&control).await;

    control.reset(7003);

    let error = timeout(LIMIT, reading).await.unwrap().unwrap().unwrap_err();
    let end = PortalError::Withdrawn(7003);
    assert_eq!(PortalError::of(&error), Some(end));
    let (_, late) = secure_pair().await;
    assert_eq!(control.detach(), Err(end));
    assert_eq!(control.attach(late, 0), Err(end));
    drop(outlet);
}

#[tokio::test]
async fn a_reset_is_the_end_and_no_loss() {
    let (mut agent, outlet) = pair().await;
    outlet.control().reset(7002);
    let error = agent.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(PortalError::of(&error), Some(PortalError::Reset(7002)));
    assert_eq!(*agent.control().line().borrow(), Line::Over);
}

/// Sends so many bytes of a stream, or as many as the peer lets.
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

/// Keeps to a window of so many bytes and fills it before it takes anything; then takes all that comes, `total` bytes.
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
async fn what_was_said_to_the_end_is_not_finished_before_the_peer_has_taken_it() {
    let (mut agent, outlet) = secure_pair().await;
    let mut outlet = resumable(outlet);
    let control = outlet.control();
    outlet.write_all(b"answer").await.unwrap();
    outlet.shutdown().now_or_pending().await;
    agent.send(&Frame::Fin { offset: 0 }).await.unwrap();
    outlet.read(&mut [0; 1]).now_or_pending().await;

    assert!(!control.is_finishing(), "nobody has taken the answer");
    agent.send(&Frame::Ack { offset: 6 }).await.unwrap();
    outlet.read(&mut [0; 1]).now_or_pending().await;

    assert!(control.is_finishing());
}

#[tokio::test]
async fn whoever_waits_for_a_line_learns_when_only_last_acknowledgements_are_missing() {
    let (mut agent, mut outlet) = pair().await;
    let theirs = outlet.control();
    agent.shutdown().await.unwrap();
    outlet.read_to_end(&mut Vec::new()).await.unwrap();
    theirs.detach().unwrap();
    let mut line = theirs.line();
    line.borrow_and_update();
    assert!(!theirs.is_finishing());

    assert!(outlet.shutdown().now_or_pending().await);

    assert!(line.has_changed().unwrap() && theirs.is_finishing());
    assert!(matches!(*line.borrow(), Line::Lost { .. }));
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

#[tokio::test]
async fn an_end_that_no_line_carries_is_told_another_way() {
    let heard = |portal: &Portal| {
        let (tell, told) = oneshot::channel();
        let tell = |code, came| tell.send((code, came)).unwrap();
        portal.control().when_unheard(tell);
        told
    };
    let (agent, mut outlet) = secure_pair().await;
    let agent = resumable(agent);
    let told = heard(&agent);
    agent.control().reset(7003);
    let said = outlet.recv().await.unwrap();
    assert_eq!(said.frame(), Frame::Reset { code: 7003 });
    drop(agent);
    assert!(told.await.is_err(), "the peer knows");

    let (agent, mut outlet) = secure_pair().await;
    let mut agent = resumable(agent);
    let (offset, bytes) = (0, b"abc".as_slice());
    outlet.send(&Frame::Data { offset, bytes }).await.unwrap();
    agent.read_exact(&mut [0; 3]).await.unwrap();
    let told = heard(&agent);
    agent.control().detach().unwrap();
    agent.control().reset(7003);
    assert_eq!(told.await, Ok((7003, 3)));

    let (agent, _outlet) = secure_pair().await;
    let agent = resumable(agent);
    let told = heard(&agent);
    agent.control().detach().unwrap();
    drop(agent);
    assert_eq!(told.await, Ok((0, 0)), "who leaves ends it too");
}

#[tokio::test]
async fn a_peer_that_is_busy_answers_by_whatever_it_says() {
    let (agent, mut outlet) = secure_pair().await;
    let mut agent = resumable(agent);
    let control = agent.control();
    let reading = tokio::spawn(async move { agent.read(&mut [0; 8]).await });

    let answering = async {
        let ping = outlet.recv().await.unwrap();
        assert_eq!(ping.frame(), Frame::Ping(0));
        let (offset, bytes) = (0, b"data".as_slice());
        outlet.send(&Frame::Data { offset, bytes }).await.unwrap();
    };
    let (answered, ()) = tokio::join!(control.answers(LIMIT), answering);

    assert!(answered);
    assert_eq!(reading.await.unwrap().unwrap(), 4);
    assert!(!control.answers(Duration::from_millis(20)).await);
}
