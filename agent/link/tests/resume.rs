//! Portals that outlive their lines: real sockets, real keys, and a middle that dies whenever it likes.
//! What decides who may go on is not here: both ends are simply given a new circuit, and say what they have.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    LIMIT, NowOrPending, go_on, lost, mortal_pair, pair, pattern, resumable, secure_pair, tcp_pair,
};
use std::{io, time::Duration};
use tidegate_link::{
    Budget, Line, LinkError, Meter, PipeEnd, Portal, PortalControl, PortalError, pipe,
};
use tidegate_proto::frame::Frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::timeout,
};

/// Whoever knows that both are done looks at its line no more: what it said last may have died with that.
async fn lost_or_finishing(control: &PortalControl) {
    let mut line = control.line();
    while *line.borrow_and_update() == Line::Up && !control.is_finishing() {
        let _ = timeout(Duration::from_millis(20), line.changed()).await;
    }
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
                lost_or_finishing(&ours).await;
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
    .unwrap_or_else(|_| {
        let stand = |one: &PortalControl| (*one.line().borrow(), one.is_finishing(), one.traffic());
        panic!("it stands still: {:?}, {:?}", stand(&ours), stand(&theirs))
    });

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

#[tokio::test]
async fn whoever_finishes_last_finds_the_end_of_its_line_though_nobody_reads() {
    let (agent, outlet, middle) = mortal_pair(LIMIT).await;
    let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
    let (ours, theirs) = (agent.control(), outlet.control());
    outlet.shutdown().await.unwrap();
    assert_eq!(agent.read(&mut [0; 1]).await.unwrap(), 0);

    middle.abort();
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        outlet.read_to_end(&mut got).await.unwrap();
        outlet.shutdown().await.unwrap();
        got
    });
    lost(&theirs).await;
    // The kernel takes these bytes, and learns only from the answer to them that nobody is there.
    agent.write_all(b"the last word").await.unwrap();
    agent.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let finishing = tokio::spawn(async move { agent.shutdown().await });
    lost(&ours).await;
    let (next_agent, next_outlet) = secure_pair().await;
    go_on(&ours, &theirs, next_agent, next_outlet);

    let done = async { tokio::join!(finishing, reading) };
    let (finished, got) = timeout(LIMIT, done).await.unwrap();
    finished.unwrap().unwrap();
    assert_eq!(got.unwrap(), b"the last word");
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
/// Keeps to a window of so many bytes and fills it before it takes anything; then takes all that comes, `total` bytes.
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

#[tokio::test]
async fn who_asks_is_told_when_something_was_said_be_it_before() {
    let (agent, mut outlet) = secure_pair().await;
    let mut agent = resumable(agent);
    let control = agent.control();
    let asking = control.clone();
    let asked = tokio::spawn(async move { asking.speaks(0).await });
    tokio::task::yield_now().await;

    agent.write_all(b"hello").await.unwrap();

    timeout(LIMIT, asked).await.unwrap().unwrap();
    timeout(LIMIT, control.speaks(4)).await.unwrap();
    let more = timeout(Duration::from_millis(20), control.speaks(5)).await;
    assert!(more.is_err(), "nothing was said since");
    drop(outlet.recv().await);
}

#[tokio::test]
async fn what_our_own_reader_has_not_taken_is_no_silence() {
    let (agent, mut outlet) = secure_pair().await;
    let agent = resumable(agent);
    let control = agent.control();
    assert!(!control.has_unheard());

    outlet.send(&Frame::Pong(0)).await.unwrap();

    let came = async {
        while !control.has_unheard() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, came).await.unwrap();
    assert!(
        !control.answers(Duration::from_millis(20)).await,
        "nobody reads"
    );
    control.detach().unwrap();
    assert!(!control.has_unheard(), "nothing carries it");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_has_a_backlog_until_it_takes_it() {
    let (agent, outlet) = secure_pair().await;
    let (mut agent, mut outlet) = (resumable(agent), resumable(outlet));
    let control = agent.control();
    agent.write_all(b"select 1").await.unwrap();
    assert!(!control.has_backlog(), "a question is no backlog");

    agent.write_all(&[0; 40_000]).await.unwrap();
    agent.flush().await.unwrap();

    assert!(control.has_backlog());
    let hearing = tokio::spawn(async move { agent.read(&mut [0; 8]).await });
    let mut taken = vec![0; 40_008];
    outlet.read_exact(&mut taken).await.unwrap();
    let reading = tokio::spawn(async move { outlet.read(&mut [0; 8]).await });
    let none_left = async {
        while control.has_backlog() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, none_left).await.unwrap();
    hearing.abort();
    reading.abort();
}
