//! How long a portal waits for its agent: shorter for as long as it holds locks for it.
//! What is asked is how it is now: a statement that ends while its portal waits lets that wait longer.

use crate::config::Limits;
use std::time::Duration;
use tidegate_postgres::Rest;
use tokio::time::{Instant, sleep_until};

/// Of one portal.
#[derive(Clone)]
pub(super) struct Grace {
    idle: Duration,
    /// In a transaction, or while a statement runs, where that can be told.
    busy: Option<(Duration, Rest)>,
}

impl Grace {
    /// For a service of whose bytes nothing is known.
    pub(super) fn plain(limits: &Limits) -> Self {
        Self {
            idle: limits.grace,
            busy: None,
        }
    }

    pub(super) fn postgres(limits: &Limits, rest: Rest) -> Self {
        Self {
            idle: limits.grace,
            busy: Some((limits.grace_in_transaction, rest)),
        }
    }

    /// The longest it may be: as the agent is told. Zero where nothing is kept.
    pub(super) fn longest(&self) -> Duration {
        let busy = self.busy.as_ref().map_or(Duration::ZERO, |(busy, _)| *busy);
        self.idle.max(busy)
    }

    fn now(&self) -> Duration {
        match &self.busy {
            Some((busy, rest)) if !rest.is_at_rest() => *busy,
            _ => self.idle,
        }
    }

    /// Resolves when whoever was lost then is waited for no more; `at_most` for whatever reason besides.
    pub(super) async fn over(&self, since: Instant, at_most: Duration) {
        let shorter = since + self.shorter();
        loop {
            let now = Instant::now();
            let until = since + self.now().min(at_most);
            if now >= until {
                return;
            }
            // By then it may hold locks: what the agent had said before it was lost is heard by the target after that.
            sleep_until(if now < shorter {
                until.min(shorter)
            } else {
                until
            })
            .await;
        }
    }

    fn shorter(&self) -> Duration {
        let busy = self.busy.as_ref().map_or(Duration::MAX, |(busy, _)| *busy);
        self.idle.min(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_postgres::{Inflow, Outflow};

    const IDLE: Duration = Duration::from_secs(600);
    const BUSY: Duration = Duration::from_secs(60);
    const READY: &[u8] = b"Z\0\0\0\x05I";

    fn grace(rest: &Rest) -> Grace {
        let limits = Limits {
            grace: IDLE,
            grace_in_transaction: BUSY,
            ..Limits::default()
        };
        Grace::postgres(&limits, rest.clone())
    }

    /// The server's side of a session that has been asked nothing, before it has said anything.
    fn session(rest: &Rest) -> Outflow {
        Inflow::starting_with(Vec::new()).tell(rest.clone());
        let mut outflow = Outflow::starting_with(READY.to_vec());
        outflow.tell(rest.clone());
        outflow
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_at_rest_is_waited_for_longer_than_one_that_holds_locks() {
        let rest = Rest::default();
        let mut outflow = session(&rest);
        let begun = Instant::now();

        grace(&rest).over(begun, Duration::MAX).await;
        assert_eq!(begun.elapsed().as_secs(), BUSY.as_secs());

        outflow.written(READY.len());
        grace(&rest).over(begun, Duration::MAX).await;
        assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_that_ends_while_nobody_is_there_lets_its_session_wait_longer() {
        let rest = Rest::default();
        let mut outflow = session(&rest);
        let begun = Instant::now();
        let ends = async {
            sleep_until(begun + BUSY / 2).await;
            outflow.written(READY.len());
        };

        let grace = grace(&rest);
        tokio::join!(grace.over(begun, Duration::MAX), ends);

        assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_comes_through_after_its_agent_was_lost_lets_its_session_wait_shorter() {
        let rest = Rest::default();
        session(&rest).written(READY.len());
        let begun = Instant::now();
        let asks = async {
            sleep_until(begun + Duration::from_millis(5)).await;
            let mut inflow = Inflow::starting_with(b"Q\0\0\0\x04".to_vec());
            inflow.tell(rest.clone());
            inflow.written(5);
        };

        let grace = grace(&rest);
        tokio::join!(grace.over(begun, Duration::MAX), asks);

        assert_eq!(begun.elapsed().as_secs(), BUSY.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_finishing_is_not_waited_for_beyond_that() {
        let rest = Rest::default();
        session(&rest).written(READY.len());
        let begun = Instant::now();

        grace(&rest).over(begun, Duration::from_secs(7)).await;

        assert_eq!(begun.elapsed().as_secs(), 7);
    }
}
