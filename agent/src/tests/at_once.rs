//! No is said at once: what outlet or relay refuse reaches the program and the snapshot within 250 ms.
//! The bar is on what the agent adds, on a machine that does other things too: the best of five tries counts.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::testing::hub::Outlet;
use crate::testing::{World, acme, failed, until};
use crate::{Code, Problem, Snapshot};

const AT_ONCE: Duration = Duration::from_millis(250);
const TRIES: usize = 5;

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
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..TRIES {
        let (program, snapshot) = refused(outlet, code).await;
        best = (best.0.min(program), best.1.min(snapshot));
        if best.0 < AT_ONCE && best.1 < AT_ONCE {
            return;
        }
    }
    panic!("{code} was known to program and snapshot after {best:?}");
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
