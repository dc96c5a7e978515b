//! Portals that lost their circuit: who may go on with one, who may not, and what ends one that nobody comes back for.
//! The target behind the portal must notice nothing, and the audit must hold everything.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::org::Person;
use support::{HangingDisk, Said, World, ana, berthed, hear, open, with_one_disk, within};
use tidegate_link::{Budget, Line, Portal, PortalControl, PortalError, Secure};
use tidegate_proto::event::{EventKind, PortalClosed, PortalResumed};
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::problem::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A portal that can be resumed, and what it is named by.
async fn portal(world: &World, person: &Person, number: u64) -> (Portal, Resume) {
    let (secure, resume) = berthed(world, person, number).await;
    (resumable(secure), resume)
}

fn resumable(secure: Secure) -> Portal {
    Portal::resumable(secure, &Budget::new(64 << 20), |back| Some(back.circuit))
}

async fn echoes(portal: &mut Portal) {
    portal.write_all(b"hello").await.unwrap();
    portal.flush().await.unwrap();
    let mut answer = [0; 5];
    within(portal.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"hello");
}

/// Asks to go on, on a circuit of this person's own.
async fn ask(world: &World, person: &Person, resume: Resume) -> (Secure, Said) {
    let mut secure = world.warm(person).await;
    secure.send(&Frame::Resume(resume)).await.unwrap();
    let said = hear(&mut secure).await;
    (secure, said)
}

/// Cuts the circuit and goes on over another one.
async fn go_on(world: &World, person: &Person, control: &PortalControl, resume: Resume) {
    let received = control.detach().unwrap();
    let resume = Resume { received, ..resume };
    let (secure, said) = ask(world, person, resume).await;
    let Said::Resumed(theirs) = said else {
        panic!("{said:?}")
    };
    control.attach(secure, theirs).unwrap();
}

fn closed(event: &EventKind) -> Option<PortalClosed> {
    match event {
        EventKind::PortalClosed(closed) => Some(closed.clone()),
        _ => None,
    }
}

fn suspended(event: &EventKind) -> Option<String> {
    match event {
        EventKind::PortalSuspended { channel, .. } => Some(channel.clone()),
        _ => None,
    }
}

fn resumed(event: &EventKind) -> Option<PortalResumed> {
    match event {
        EventKind::PortalResumed(resumed) => Some(resumed.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn the_same_device_goes_on_and_the_target_notices_nothing() {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    let control = portal.control();
    echoes(&mut portal).await;

    for generation in 1..=5 {
        let resume = Resume {
            generation,
            ..resume
        };
        go_on(&world, &person, &control, resume).await;
        echoes(&mut portal).await;
    }
    portal.shutdown().await.unwrap();
    let mut rest = String::new();
    within(portal.read_to_string(&mut rest)).await.unwrap();

    assert_eq!((rest.as_str(), world.target.came()), ("goodbye", 1));
    let record = world.event(closed).await;
    assert_eq!(
        (record.sent, record.received, record.reason),
        (30, 37, Code::ClosedByProgram)
    );
    let events = world.events();
    let resumed: Vec<_> = events.iter().filter_map(resumed).collect();
    assert_eq!(resumed.len(), 5);
    for (generation, resumed) in (1..).zip(&resumed) {
        assert_eq!(
            (resumed.generation, &resumed.channel),
            (generation, &record.channel)
        );
    }
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn nobody_else_goes_on_and_all_hear_the_same() {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    let control = portal.control();
    echoes(&mut portal).await;
    // Another device of the same person, with everything that a thief could read on the wire or in memory but the key.
    let other = ana();

    let refused = [
        ("a stolen number", &other, resume),
        (
            "another process",
            &person,
            Resume {
                instance: [0; 16],
                ..resume
            },
        ),
        (
            "another portal",
            &person,
            Resume {
                portal: 2,
                ..resume
            },
        ),
        (
            "a place beyond",
            &person,
            Resume {
                received: 6,
                ..resume
            },
        ),
        ("the same again", &person, resume),
        (
            "no generation",
            &person,
            Resume {
                generation: 0,
                ..resume
            },
        ),
    ];
    let mut texts = Vec::new();
    for (what, who, resume) in refused {
        let (_, said) = ask(&world, who, resume).await;
        let Said::Refused(code, text) = said else {
            panic!("{what}: {said:?}")
        };
        assert_eq!(code, Code::CircuitLost.number(), "{what}");
        texts.push(text);
    }
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));

    // The portal itself has noticed none of them.
    assert_eq!(*control.line().borrow(), Line::Up);
    echoes(&mut portal).await;
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_revocation_ends_a_portal_that_waits_for_its_agent() {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    let control = portal.control();
    echoes(&mut portal).await;
    control.detach().unwrap();
    let channel = world.event(suspended).await;

    world.revoke("00uana", 1);

    let record = world.event(closed).await;
    assert_eq!(
        (record.reason, record.channel),
        (Code::RevokedByAdmin, channel)
    );
    within(world.target.idle()).await;
    let (_, said) = world.auth(&person).await;
    assert!(matches!(said, Said::Refused(..)));
    let anew = Person { epoch: 1, ..ana() };
    let (_, said) = ask(&world, &anew, resume).await;
    assert!(matches!(said, Said::Refused(code, _) if code == Code::CircuitLost.number()));
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_portal_that_nobody_comes_back_for_ends_after_its_grace() {
    let mut world = World::start().await;
    world.stop_outlet().await;
    world.start_outlet_with("resume_within_seconds = 1").await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    echoes(&mut portal).await;
    portal.control().detach().unwrap();

    let record = world.event(closed).await;

    assert_eq!(record.reason, Code::CircuitLost);
    within(world.target.idle()).await;
    let (_, said) = ask(&world, &person, resume).await;
    assert!(matches!(said, Said::Refused(..)));
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn an_outlet_that_stops_ends_what_waits_and_leaves_no_open_record() {
    let mut world = World::start().await;
    let (mut portal, _) = portal(&world, &ana(), 1).await;
    echoes(&mut portal).await;
    portal.control().detach().unwrap();
    world.event(suspended).await;

    world.stop_outlet().await;

    assert_eq!(world.event(closed).await.reason, Code::OutletStopping);
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_higher_generation_closes_the_circuit_before_it() {
    let world = World::start().await;
    let person = ana();
    let mut first = world.warm(&person).await;
    let Said::Berth(portal, instance) = open(&mut first, 1, Purpose::Resumable).await else {
        panic!()
    };
    let resume = Resume {
        instance,
        portal,
        generation: 7,
        received: 0,
    };

    let (second, said) = ask(&world, &person, resume).await;

    assert_eq!(said, Said::Resumed(0));
    assert_eq!(hear(&mut first).await, Said::Nothing);
    let mut portal = resumable(second);
    echoes(&mut portal).await;
    let control = portal.control();
    control.reset(Code::DisconnectedByYou.number());
    drop(portal);
    assert_eq!(
        control.ended(),
        Some(PortalError::Withdrawn(Code::DisconnectedByYou.number()))
    );
    assert_eq!(world.event(closed).await.reason, Code::DisconnectedByYou);
    world.end().await;
}

#[tokio::test]
async fn the_same_key_in_another_name_or_proved_weaker_does_not_go_on() {
    let world = World::start().await;
    let mut person = ana();
    // The rules let her in either way.
    person.claims["groups"] = ["data-science", "field"].as_slice().into();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    let control = portal.control();
    echoes(&mut portal).await;
    let (sub, claims) = (person.sub.clone(), person.claims.clone());

    person.sub = "00uben".into();
    person.claims["sub"] = "00uben".into();
    let (_, other) = ask(&world, &person, resume).await;
    (person.sub, person.claims) = (sub, claims.clone());
    let mut person = person.by_device_code();
    let resume = Resume {
        generation: 2,
        ..resume
    };
    let (_, weaker) = ask(&world, &person, resume).await;

    for said in [other, weaker] {
        assert!(matches!(said, Said::Refused(1005, _)), "{said:?}");
    }
    assert_eq!(*control.line().borrow(), Line::Up);
    echoes(&mut portal).await;
    person.claims = claims;
    let resume = Resume {
        generation: 3,
        ..resume
    };
    go_on(&world, &person, &control, resume).await;
    echoes(&mut portal).await;
    let opened = |event: &EventKind| match event {
        EventKind::PortalOpened(opened) => Some(opened.peer.clone()),
        _ => None,
    };
    let by = world.event(resumed).await;
    assert_eq!(by.peer, world.event(opened).await, "the audit says who");
    assert_eq!(by.grant, None);
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn what_a_process_left_behind_ends_when_another_one_of_its_device_comes() {
    let world = World::start().await;
    let person = ana();
    let (mut lost, _) = portal(&world, &person, 1).await;
    echoes(&mut lost).await;
    let (mut other, _) = portal(&world, &ana(), 1).await;
    echoes(&mut other).await;
    other.control().detach().unwrap();
    world.event(suspended).await;
    let (mut stays, _) = portal(&world, &person, 2).await;
    lost.control().detach().unwrap();
    echoes(&mut stays).await;

    let mut secure = world.warm(&person).await;
    let probe = Open {
        portal: 3,
        process: 10,
        purpose: Purpose::Probe,
        grant: None,
        first: &[],
    };
    secure.send(&Frame::Open(probe)).await.unwrap();
    assert_eq!(hear(&mut secure).await, Said::Opened(3));

    let record = world.event(closed).await;
    assert_eq!((record.portal, record.reason), (1, Code::CircuitLost));
    // Neither what still has its circuit, nor what lies there for another device.
    echoes(&mut stays).await;
    let ends =
        |event: &EventKind| matches!(event, EventKind::PortalClosed(closed) if closed.sent > 0);
    assert_eq!(world.events().iter().filter(|event| ends(event)).count(), 1);
    drop((lost, other, stays, secure));
    world.end().await;
}

#[tokio::test]
async fn one_that_only_says_farewell_ends_what_waited_for_it() {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    echoes(&mut portal).await;
    let received = portal.control().detach().unwrap();
    world.event(suspended).await;

    let resume = Resume { received, ..resume };
    let (mut secure, said) = ask(&world, &person, resume).await;
    assert_eq!(said, Said::Resumed(5));
    let code = Code::DisconnectedByYou.number();
    secure.send(&Frame::Reset { code }).await.unwrap();

    assert_eq!(world.event(closed).await.reason, Code::DisconnectedByYou);
    within(world.target.idle()).await;
    drop((portal, secure));
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_has_taken_is_kept_as_long_as_anything_else() {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    let control = portal.control();
    // A program that says everything and then listens; it has taken nothing when its circuit dies.
    portal.write_all(b"hello").await.unwrap();
    portal.shutdown().await.unwrap();
    within(world.target.idle()).await;
    let received = control.detach().unwrap();
    world.event(suspended).await;
    let mut secure = world.warm(&person).await;

    // Nobody waits a minute for last acknowledgements.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    let resume = Resume { received, ..resume };
    secure.send(&Frame::Resume(resume)).await.unwrap();

    let Said::Resumed(theirs) = hear(&mut secure).await else {
        panic!("it was not kept")
    };
    control.attach(secure, theirs).unwrap();
    let mut answer = String::new();
    within(portal.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "hellogoodbye");
    drop(portal);
    assert_eq!(world.event(closed).await.reason, Code::ClosedByProgram);
    world.end().await;
}

#[tokio::test]
async fn a_portal_that_lacks_only_its_last_acknowledgement_leaves_no_record_open_when_its_circuit_dies()
 {
    let world = World::start().await;
    let person = ana();
    let mut secure = world.warm(&person).await;
    let Said::Berth(portal, instance) = open(&mut secure, 1, Purpose::Resumable).await else {
        panic!()
    };
    let (offset, bytes) = (0, b"hello".as_slice());
    secure.send(&Frame::Data { offset, bytes }).await.unwrap();
    secure.send(&Frame::Fin { offset: 5 }).await.unwrap();
    // Everything was said and taken but for the end itself, of which the outlet never hears that it arrived.
    loop {
        if let Frame::Fin { offset } = within(secure.recv()).await.unwrap().frame() {
            assert_eq!(offset, 12);
            break;
        }
    }
    secure.send(&Frame::Ack { offset: 12 }).await.unwrap();
    secure.send(&Frame::Ping(1)).await.unwrap();
    while within(secure.recv()).await.unwrap().frame() != Frame::Pong(1) {}
    within(world.target.idle()).await;

    drop(secure);

    let record = world.event(closed).await;
    assert_eq!(
        (record.sent, record.received, record.reason),
        (5, 12, Code::ClosedByProgram)
    );
    // The berth is there for an agent that comes back, and what it hears is the end.
    let resume = Resume {
        instance,
        portal,
        generation: 1,
        received: 12,
    };
    let (mut secure, said) = ask(&world, &person, resume).await;
    assert_eq!(said, Said::Resumed(6));
    while !matches!(
        within(secure.recv()).await.unwrap().frame(),
        Frame::Fin { offset: 12 }
    ) {}
    secure.send(&Frame::Ack { offset: 13 }).await.unwrap();
    drop(secure);
    let events = world.events();
    assert_eq!(events.iter().filter_map(closed).count(), 1);
    assert!(
        events
            .iter()
            .all(|event| suspended(event).is_none() && resumed(event).is_none())
    );
    world.end().await;
}

#[tokio::test]
async fn where_the_owner_says_nothing_no_portal_is_kept_and_nobody_comes_back() {
    let mut world = World::start().await;
    world.stop_outlet().await;
    world.start_outlet_that_keeps_no_portal().await;
    let person = ana();
    let mut secure = world.warm(&person).await;
    let opened = open(&mut secure, 1, Purpose::Resumable).await;
    assert_eq!(opened, Said::Opened(1), "as whoever asks for no more");
    let (offset, bytes) = (0, b"hello".as_slice());
    secure.send(&Frame::Data { offset, bytes }).await.unwrap();
    let echo = within(secure.recv()).await.unwrap();
    assert_eq!(echo.frame(), Frame::Data { offset, bytes });

    let (lost, begun) = (secure, std::time::Instant::now());
    drop(lost);

    let record = world.event(closed).await;
    within(world.target.idle()).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(record.reason, Code::CircuitLost);
    assert!(
        !world
            .events()
            .iter()
            .any(|event| suspended(event).is_some())
    );
    let resume = Resume {
        instance: [0; 16],
        portal: 1,
        generation: 1,
        received: 5,
    };
    let (_, said) = ask(&world, &person, resume).await;
    assert!(matches!(said, Said::Refused(1005, _)), "{said:?}");
    world.end().await;
}

/// A revocation must end a portal while something about it waits for a disk that hangs.
async fn is_ended_while_the_disk_hangs(comes_back: bool) {
    let world = World::start().await;
    let person = ana();
    let (mut portal, resume) = portal(&world, &person, 1).await;
    echoes(&mut portal).await;
    let mut comer = world.warm(&person).await;
    if comes_back {
        let received = portal.control().detach().unwrap();
        world.event(suspended).await;
        let disk = HangingDisk::new();
        let resume = Resume { received, ..resume };
        comer.send(&Frame::Resume(resume)).await.unwrap();
        is_ended(&world, disk).await;
    } else {
        let disk = HangingDisk::new();
        portal.control().detach().unwrap();
        is_ended(&world, disk).await;
    }
    assert_eq!(world.event(closed).await.reason, Code::RevokedByAdmin);
    drop((portal, comer));
    world.end().await;
}

async fn is_ended(world: &World, disk: HangingDisk) {
    // Nothing shows that the outlet is waiting: it cannot write it down.
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.revoke("00uana", 1);
    let ended = tokio::time::timeout(Duration::from_secs(1), world.target.idle());
    ended.await.expect("nobody looked meanwhile");
    drop(disk);
}

#[test]
fn a_suspension_that_cannot_be_written_down_keeps_no_revocation_waiting() {
    with_one_disk(is_ended_while_the_disk_hangs(false));
}

#[test]
fn a_return_that_cannot_be_written_down_keeps_no_revocation_waiting() {
    with_one_disk(is_ended_while_the_disk_hangs(true));
}
