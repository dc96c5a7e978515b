//! What people and their programs do meanwhile: copies, transactions, sessions at a prompt.
//! Each works for itself until it is told to stop, opens a new connection when one ended, and tells the ledger.

mod copying;
mod counting;
mod door;
mod ear;
mod rows;
mod talking;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ledger::Ledger;
use crate::chance::Chance;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use copying::Copying;
use counting::Counter;
use door::{Broken, Door, PATIENCE, Session};
use talking::Talk;

/// Before somebody who was refused tries again, in milliseconds at least and at most.
const AGAIN: [u64; 2] = [300, 2_000];
/// People do not come all at once: so much later comes each.
const APART: Duration = Duration::from_millis(40);

/// How many of each kind work at once.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub copies_out: usize,
    pub copies_in: usize,
    pub counters: usize,
    pub sessions: usize,
    /// Rows of one copy, of some 270 bytes each.
    pub rows: u64,
}

impl Crowd {
    /// What the database's administrator prepares for it.
    #[must_use]
    pub(super) fn tables(&self) -> String {
        counting::tables(self.counters)
    }
}

pub(super) struct Load {
    stop: watch::Sender<bool>,
    workers: JoinSet<Option<Counted>>,
}

/// What a counter of the database must say in the end.
pub(super) struct Counted {
    pub(super) who: i32,
    pub(super) known: i64,
    pub(super) in_doubt: bool,
}

#[derive(Debug, Clone, Copy)]
enum Trade {
    Out,
    In,
    Count(i32),
    Talk,
}

impl Trade {
    fn in_words(self) -> &'static str {
        match self {
            Self::Out => "a copy out",
            Self::In => "a copy in",
            Self::Count(_) => "a counter",
            Self::Talk => "a session",
        }
    }
}

impl Load {
    pub(super) fn begin(stage: &Arc<Stage>, ledger: &Arc<Ledger>, crowd: Crowd, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        let counters = (1..).take(crowd.counters).map(Trade::Count);
        let trades = std::iter::repeat_n(Trade::Out, crowd.copies_out)
            .chain(std::iter::repeat_n(Trade::In, crowd.copies_in))
            .chain(counters)
            .chain(std::iter::repeat_n(Trade::Talk, crowd.sessions));
        for (number, trade) in trades.enumerate() {
            let worker = Worker {
                number: ledger.worker(&format!("{trade:?} {number}")),
                who: trade.in_words(),
                rows: crowd.rows,
                door: Door {
                    stage: Arc::clone(stage),
                    ledger: Arc::clone(ledger),
                },
                stopped: stopped.clone(),
                chance: Chance::of(seed ^ ((number as u64) << 32)),
            };
            workers.spawn(worker.work(trade));
        }
        Self { stop, workers }
    }

    /// Everybody finishes what they are at, and leaves.
    ///
    /// # Errors
    /// When one of them does not, or fell over.
    pub(super) async fn end(mut self) -> Outcome<Vec<Counted>> {
        self.stop.send_replace(true);
        let mut counted = Vec::new();
        let all = async {
            while let Some(worker) = self.workers.join_next().await {
                counted.extend(worker.doing("work to the end")?);
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE * 2, all).await {
            Ok(ended) => ended.map(|()| counted),
            Err(_) => Err(Trouble::new("a program did not come to its end")),
        }
    }
}

struct Worker {
    number: usize,
    who: &'static str,
    rows: u64,
    door: Door,
    stopped: watch::Receiver<bool>,
    chance: Chance,
}

impl Worker {
    async fn work(mut self, trade: Trade) -> Option<Counted> {
        let mut counter = match trade {
            Trade::Count(who) => Some(Counter {
                who,
                known: 0,
                in_doubt: false,
            }),
            _ => None,
        };
        tokio::time::sleep(APART * u32::try_from(self.number).unwrap_or(1)).await;
        while !*self.stopped.borrow() {
            self.is_at("enters");
            let Some(session) = self.door.enter(self.who).await else {
                self.is_at("was refused");
                let [least, most] = AGAIN;
                let again = self.chance.between(least, most);
                tokio::time::sleep(Duration::from_millis(again)).await;
                continue;
            };
            self.is_at("works");
            let done = match &mut counter {
                Some(counter) => self.counts(counter, &session).await,
                None => self.serves(trade, &session).await,
            };
            self.is_at("leaves");
            match done {
                Ok(()) => self.door.leave(self.who, session).await,
                Err(Broken::Ended(told)) => self.door.lost(self.who, session, told).await,
                Err(Broken::Wrong(what)) => {
                    self.door.ledger.wrong(format!("{}: {what}", self.who));
                    self.door.leave(self.who, session).await;
                }
            }
        }
        counter.map(|counter| Counted {
            who: counter.who,
            known: counter.known,
            in_doubt: counter.in_doubt,
        })
    }

    fn is_at(&self, what: &'static str) {
        self.door.ledger.is_at(self.number, what);
    }

    /// Some pieces of work over one connection.
    async fn serves(&mut self, trade: Trade, session: &Session) -> Result<(), Broken> {
        let questions = self.chance.between(1, 40);
        for _ in 0..self.chance.between(1, 4) {
            let copying = Copying {
                door: &self.door,
                worker: self.number,
                seed: self.chance.number() >> 1,
                rows: self.rows,
            };
            match trade {
                Trade::Out => copying.out(session).await?,
                Trade::In => copying.load(session).await?,
                Trade::Talk | Trade::Count(_) => {
                    let talk = Talk {
                        door: &self.door,
                        worker: self.number,
                        questions,
                        stopped: &self.stopped,
                    };
                    return talk.go_on(session, &mut self.chance).await;
                }
            }
            self.door.ledger.moved(self.number);
            if *self.stopped.borrow() {
                break;
            }
        }
        Ok(())
    }

    async fn counts(&mut self, counter: &mut Counter, session: &Session) -> Result<(), Broken> {
        for _ in 0..self.chance.between(1, 100) {
            counter.count(&self.door, session).await?;
            self.door.ledger.moved(self.number);
            tokio::time::sleep(Duration::from_millis(self.chance.below(40))).await;
            if *self.stopped.borrow() {
                break;
            }
        }
        Ok(())
    }
}
