//! Portals of which the outlet does not know whether their agent ever heard: nobody comes back for what they know nothing of,
//! so such a portal must not hold the target for the whole grace. An agent that only has nothing to say loses nothing.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::{HangingDisk, Said, World, ana, berthed, hear, with_one_disk, within};
use tidegate_proto::event::{EventKind, PortalClosed};
use tidegate_proto::frame::{Frame, Open, Purpose};
use tidegate_proto::problem::Code;

/// Longer than an outlet waits for a sign that its word was heard, and far less than its grace.
const LONG: Duration = Duration::from_secs(46);

async fn passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

fn closed(event: &EventKind) -> Option<PortalClosed> {
    match event {
        EventKind::PortalClosed(closed) => Some(closed.clone()),
        _ => None,
    }
}

fn suspended(event: &EventKind) -> Option<()> {
    matches!(event, EventKind::PortalSuspended { .. }).then_some(())
}

#[tokio::test]
async fn a_portal_whose_agent_may_never_have_heard_of_it_does_not_wait_for_its_whole_grace() {
    let world = World::start().await;
    let (mut secure, _) = berthed(&world, &ana(), 1).await;
    // Whoever waits for the answer to OPEN asks whether anybody is there: that is no sign that the answer came.
    secure.send(&Frame::Ping(7)).await.unwrap();
    assert_eq!(hear(&mut secure).await, Said::Pong(7));
    drop(secure);
    world.event(suspended).await;

    passes(LONG).await;

    assert_eq!(world.event(closed).await.reason, Code::NeverTakenUp);
    within(world.target.idle()).await;
    world.end().await;
}

#[tokio::test]
async fn an_agent_that_is_there_and_gives_no_sign_is_not_waited_for_either() {
    let world = World::start().await;
    let (mut secure, _) = berthed(&world, &ana(), 1).await;
    passes(Duration::from_secs(1)).await;
    let asked = within(secure.recv()).await.unwrap();
    assert!(matches!(asked.frame(), Frame::Ping(_)));

    passes(LONG).await;

    let code = Code::NeverTakenUp;
    assert_eq!(hear(&mut secure).await, Said::Reset(code.number()));
    assert_eq!(world.event(closed).await.reason, code);
    within(world.target.idle()).await;
    world.end().await;
}

#[tokio::test]
async fn one_that_has_nothing_to_say_gives_its_sign_when_it_is_asked_and_is_waited_for() {
    let world = World::start().await;
    let person = ana();
    let (mut secure, resume) = berthed(&world, &person, 1).await;
    passes(Duration::from_secs(1)).await;
    let asked = within(secure.recv()).await.unwrap();
    let Frame::Ping(number) = asked.frame() else {
        panic!("it was not asked")
    };
    secure.send(&Frame::Pong(number)).await.unwrap();
    // An answer behind the sign shows that the outlet has read it.
    secure.send(&Frame::Ping(7)).await.unwrap();
    assert_eq!(hear(&mut secure).await, Said::Pong(7));
    let mut comer = world.warm(&person).await;
    drop(secure);
    world.event(suspended).await;

    passes(LONG).await;

    comer.send(&Frame::Resume(resume)).await.unwrap();
    assert_eq!(hear(&mut comer).await, Said::Resumed(0));
    world.end().await;
}

/// An agent that has gone while its right was written down gets no connection to the target.
async fn gone_before_the_target_was_reached() {
    let world = World::start().await;
    let mut secure = world.warm(&ana()).await;
    let disk = HangingDisk::new();
    let wish = Open {
        portal: 1,
        process: 9,
        purpose: Purpose::Resumable,
        grant: None,
        first: &[],
    };
    secure.send(&Frame::Open(wish)).await.unwrap();
    secure.send(&Frame::Ping(7)).await.unwrap();
    assert_eq!(hear(&mut secure).await, Said::Pong(7), "it is at work");
    drop(secure);
    // Nothing shows that the outlet has noticed.
    tokio::time::sleep(Duration::from_millis(200)).await;

    drop(disk);

    assert_eq!(world.event(closed).await.reason, Code::CircuitLost);
    assert_eq!(world.target.came(), 0);
    world.end().await;
}

#[test]
fn nothing_is_dialled_for_an_agent_that_has_gone() {
    with_one_disk(gone_before_the_target_was_reached());
}
