//! No is said at once: what outlet or relay refuse reaches the program and the snapshot within 250 ms.
//! The bar is on what the agent adds, on a machine that does other things too: all five tries must be refused with the code,
//! and the median of each way counts.
//! What is not said at all has a bound too.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::testing::hub::Outlet;
use crate::testing::{World, acme, failed, until};
use crate::{Code, Problem, Snapshot};

const AT_ONCE: Duration = Duration::from_millis(250);
const TRIES: usize = 5;
/// The slowest of them: a machine may be busy, and nothing may hang.
const NEVER_HANGS: Duration = Duration::from_secs(2);

/// What the snapshot says: beside an open door, or instead of it where the refusal closes it.
fn said(snapshot: &Snapshot, code: Code) -> Option<&Problem> {
    let mut problems = acme(snapshot).problems.iter().chain(failed(snapshot));
    problems.find(|problem| problem.code == code)
}

/// How long it took until a program, and the snapshot, knew that the outlet says no.
async fn refused(outlet: Outlet, code: Code) -> (Duration, Duration) {
    let world = World::new().await;
    let agent = world.connected().await;
    world.hub.inner.outlet.send_replace(outlet);

    let begun = Instant::now();
    let mut program = world.call().await.unwrap();
    assert!(program.read(&mut [0; 1]).await.is_err());
    let program = begun.elapsed();
    let snapshot = until(&agent, |snapshot| said(snapshot, code).is_some()).await;
    let took = (program, begun.elapsed());

    let problem = said(&snapshot, code).unwrap();
    assert_eq!(problem.facts.service.as_ref(), Some(&world.service));
    agent.shutdown().await;
    took
}

async fn is_known_at_once(outlet: Outlet, code: Code) {
    let (mut program, mut snapshot) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        let took = refused(outlet, code).await;
        program.push(took.0);
        snapshot.push(took.1);
    }
    for (way, mut took) in [("program", program), ("snapshot", snapshot)] {
        took.sort();
        let median = took[took.len() / 2];
        assert!(median < AT_ONCE, "{code} reached the {way} after {took:?}");
        let slowest = took.last().unwrap();
        assert!(*slowest < NEVER_HANGS, "{code}: {way} after {took:?}");
    }
}

#[tokio::test]
async fn a_refusal_by_policy_reaches_program_and_snapshot_at_once() {
    is_known_at_once(Outlet::Refuses(Code::NotAvailable), Code::NotAvailable).await;
}

#[tokio::test]
async fn a_closed_target_reaches_program_and_snapshot_at_once() {
    is_known_at_once(Outlet::Refuses(Code::TargetClosed), Code::TargetClosed).await;
}

#[tokio::test]
async fn a_dead_outlet_reaches_program_and_snapshot_at_once() {
    is_known_at_once(Outlet::Dead, Code::OutletAbsent).await;
}

/// An outlet whose process hangs, or whose machine is gone and whose relay has not noticed.
#[tokio::test]
async fn an_outlet_that_says_nothing_is_given_up_after_some_seconds() {
    let world = World::new().await;
    let agent = world.connected().await;
    world.hub.inner.outlet.send_replace(Outlet::Silent);
    let begun = Instant::now();

    let refused = agent.open(&world.echo()).await.err().unwrap();

    assert_eq!(refused.code, Code::TimedOut);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    agent.shutdown().await;
}

#[tokio::test]
async fn an_outlet_that_says_that_it_is_there_is_waited_for() {
    let world = World::new().await;
    let agent = world.connected().await;
    world.hub.inner.outlet.send_replace(Outlet::Works);
    let echo = world.echo();
    let open = agent.open(&echo);
    let asked = world.hub.count().asked;

    let answers = async {
        world.hub.counts(|count| count.pings >= 4).await;
        world.hub.inner.outlet.send_replace(Outlet::Echoes);
    };
    let (portal, ()) = tokio::join!(open, answers);

    assert!(portal.is_ok());
    let of_spares = world.hub.count().asked - asked;
    assert!(of_spares <= 1, "it went another way {of_spares} times");
    drop(portal);
    agent.shutdown().await;
}
