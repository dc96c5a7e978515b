//! The outlet's links to its relays: one that died without a word is left in seconds, and none is waited for longer than needed.
//! Nobody is let in over a link that is dead, so each second of it is one in which the service is offline.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::hub::Manner;
use support::{World, within};
use tidegate_proto::api::event;

/// Asked every two seconds, and given three to answer; without being asked it would be given 25.
const IN_SECONDS: Duration = Duration::from_secs(15);

async fn linked(world: &World, is: bool) {
    let mut links = world.hub.inner.links.subscribe();
    links.wait_for(|links| (*links > 0) == is).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_fell_silent_is_left_and_asked_anew() {
    let world = World::start().await;
    within(linked(&world, true)).await;
    let knocks = *world.hub.inner.knocks.borrow();

    world.hub.inner.manner.send_replace(Manner::Silent);

    let mut knocked = world.hub.inner.knocks.subscribe();
    let again = knocked.wait_for(|now| *now > knocks);
    let again = tokio::time::timeout(IN_SECONDS, again).await;
    assert!(again.is_ok(), "it holds on to a dead link");
    drop(again);
    world.hub.inner.manner.send_replace(Manner::Answers);
    world.end().await;
}

#[tokio::test]
async fn an_authority_that_answers_ends_the_wait_for_a_relay() {
    let world = World::start().await;
    within(linked(&world, true)).await;
    world.hub.inner.manner.send_replace(Manner::Closed);
    // The waits double: after the fifth it is two seconds at least.
    let before = *world.hub.inner.knocks.borrow();
    let mut knocked = world.hub.inner.knocks.subscribe();
    let fifth = knocked.wait_for(|now| *now >= before + 5);
    drop(tokio::time::timeout(IN_SECONDS, fifth).await.unwrap());

    world.hub.inner.manner.send_replace(Manner::Answers);
    let begun = Instant::now();
    world.hub.say(event::CHANGED, "");
    within(linked(&world, true)).await;

    assert!(begun.elapsed() < Duration::from_millis(1500));
    world.end().await;
}
