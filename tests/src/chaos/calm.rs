//! Between the rounds no fault is played, and everybody must get on: whoever works takes a step, no session is left over.
//! What does not get on within its limit is a connection that hangs, and counts as wrong like a wrong byte.

use std::time::{Duration, Instant};

use super::base::Base;
use super::ledger::Ledger;
use crate::trouble::Outcome;

/// Within this everybody who works has taken a step: the longest pause between two tries of the agent, and room for a busy machine.
const GOES_ON: Duration = Duration::from_secs(60);
/// Within this the database has no more sessions than programs have connections: an outlet waits 45 s for an agent of which it
/// does not know whether it heard of its session (PROTOCOL section 10), and everybody else may have gone on in a second.
const GONE: Duration = Duration::from_secs(60);

/// Gives how long it took until everybody had taken a step.
pub(super) async fn after(round: usize, ledger: &Ledger, base: &Base) -> Outcome<Duration> {
    let before = ledger.book().moves.clone();
    let begun = Instant::now();
    loop {
        let stuck: Vec<String> = {
            let book = ledger.book();
            let pairs = before.iter().zip(&book.moves).enumerate();
            let stuck = pairs.filter(|(_, ((_, before), (_, now)))| before == now);
            stuck.map(|(worker, _)| book.what_keeps(worker)).collect()
        };
        if stuck.is_empty() {
            break;
        }
        if begun.elapsed() > GOES_ON {
            ledger.wrong(format!(
                "after round {round} these did not go on within {} s: {}",
                GOES_ON.as_secs(),
                stuck.join(", ")
            ));
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begun.elapsed();
    no_session_too_many(round, ledger, base).await?;
    Ok(took)
}

async fn no_session_too_many(round: usize, ledger: &Ledger, base: &Base) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        let sessions = base.sessions().await?;
        let live = ledger.book().live;
        if sessions <= live {
            return Ok(());
        }
        if begun.elapsed() > GONE {
            ledger.wrong(format!(
                "after round {round} the database has {sessions} sessions, and programs have {live} connections"
            ));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
