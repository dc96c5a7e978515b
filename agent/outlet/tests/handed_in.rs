//! What an outlet records is handed in at the authority: all of it, in order, once; also what the authority was away for.
//! The hub here keeps what it is given and says how far it has it, as a real one does.
#![allow(clippy::unwrap_used)]

mod support;

use support::{World, within};
use tidegate_proto::event::{Event, Verifier};

/// The lines of the newest chain that was handed in, once there are so many.
async fn handed_in(world: &World, least: usize) -> Vec<String> {
    let mut told = world.hub.inner.handed_in.subscribe();
    let chains = within(told.wait_for(|chains| chains.last().unwrap().len() >= least)).await;
    chains.unwrap().last().unwrap().clone()
}

fn on_disk(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.audit()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn everything_is_handed_in_in_order_and_once_over_a_restart() {
    let mut world = World::start().await;
    let before = handed_in(&world, on_disk(&world).len()).await.len();

    world.stop_outlet().await;
    world.start_outlet().await;
    let lines = on_disk(&world);
    assert!(lines.len() > before);
    let handed = handed_in(&world, lines.len()).await;

    assert_eq!(handed, lines);
    let mut verifier = Verifier::new(&support::org::org(), &world.keys.identity.verify_key());
    for line in &handed {
        verifier.line(line.as_bytes()).unwrap();
    }
    assert_eq!(world.hub.inner.handed_in.borrow().len(), 1, "one chain");
    world.end().await;
}

#[tokio::test]
async fn what_the_authority_was_away_for_is_handed_in_when_it_is_back() {
    let mut world = World::start().await;
    handed_in(&world, on_disk(&world).len()).await;
    let answer = world.hub.inner.answer.send_replace(None);
    world.stop_outlet().await;
    world.start_outlet().await;
    let lines = on_disk(&world);
    assert!(world.hub.inner.handed_in.borrow()[0].len() < lines.len());

    world.hub.inner.answer.send_replace(answer);

    assert_eq!(handed_in(&world, lines.len()).await[..lines.len()], lines);
    world.end().await;
}

#[tokio::test]
async fn an_audit_that_was_moved_away_begins_another_chain_there() {
    let mut world = World::start().await;
    let old = handed_in(&world, on_disk(&world).len()).await;
    world.stop_outlet().await;
    std::fs::remove_file(world.audit()).unwrap();
    std::fs::remove_file(world.audit().with_extension("tip")).unwrap();

    world.start_outlet().await;
    let mut told = world.hub.inner.handed_in.subscribe();
    drop(
        within(told.wait_for(|chains| chains.len() == 2))
            .await
            .unwrap(),
    );

    let new = handed_in(&world, 1).await;
    assert_eq!(Event::head_of(&new[0]).unwrap().seq, 1);
    assert!(
        world.hub.inner.handed_in.borrow()[0].starts_with(&old),
        "the old one stays"
    );
    world.end().await;
}

#[tokio::test]
async fn an_owner_who_keeps_records_here_hands_in_nothing() {
    let mut world = World::start().await;
    handed_in(&world, on_disk(&world).len()).await;
    world.stop_outlet().await;
    let handed = world.hub.inner.handed_in.borrow().clone();
    let answered = *world.hub.inner.answered.borrow();

    let text = format!("keep_records_here = true\n{}", world.config_text());
    world.start_outlet_by(&text).await;
    // Once for what it works by; handing in would ask as well.
    let mut asked = world.hub.inner.answered.subscribe();
    drop(within(asked.wait_for(|now| *now > answered)).await.unwrap());
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;

    assert_eq!(*world.hub.inner.handed_in.borrow(), handed);
    assert_eq!(*world.hub.inner.answered.borrow(), answered + 1);
    world.end().await;
}
