//! What the server still has to answer, in order, and what an answer means for the first of it.
//! The one place that knows how PostgreSQL answers: what it skips after an error, what it swallows while it takes a copy's data.

mod copy;

use std::collections::VecDeque;
use std::mem;

use super::answer::{Answer, Command};
use super::names::{Names, Portal};
use super::op::{Kind, Op};
use super::{End, Ended, Event};
use crate::report::SqlState;

/// Most that messages without an answer take, in bytes. A server that owes more is not followed any further.
pub(super) const MOST: usize = 8 << 20;
/// Most that the values of their parameters take besides; of more only their number is kept.
pub(super) const VALUES: usize = 1 << 20;

/// Whether what a program sends is passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Passing {
    #[default]
    No,
    /// After an error, up to a Sync that was not sent yet.
    Surely,
    /// A copy failed, and a Sync that came amid it may have been taken for the end of it.
    Perhaps,
}

/// A Sync that failed.
#[derive(Debug)]
pub(super) struct FailedEnd {
    pub(super) code: SqlState,
    /// The first of its batch that was told.
    pub(super) batch: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Op>,
    /// As they are: changed by what the server has confirmed.
    sure: Names,
    passing: Passing,
    /// What waits, in bytes, and its values.
    weight: usize,
    values: usize,
    /// Answers do not fit what was asked.
    lost: bool,
    /// Something failed, or SQL changed what names stand for: they may not be as was hoped.
    unsettled: bool,
    /// A transaction is over.
    portals_ended: bool,
    /// SQL has made names of prepared statements free.
    freed: bool,
    /// The first since the last Sync.
    batch: Option<u64>,
    failed_end: Option<FailedEnd>,
    /// When the last one ended.
    last: u64,
}

impl Queue {
    /// Whether what is sent now will be looked at.
    pub(super) fn will_run(&self) -> bool {
        self.passing == Passing::No && !self.lost
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(super) fn push(&mut self, mut op: Op, now: u64, events: &mut Vec<Event>) {
        match (&op.kind, self.passing) {
            _ if self.lost => {}
            (Kind::Sync, _) => self.passing = Passing::No,
            (_, Passing::Surely) => return self.end(op, End::Skipped, now, events),
            (Kind::CopyEnd(_), Passing::Perhaps) => return,
            (_, Passing::Perhaps) => self.give_up(now, events),
            (Kind::CopyEnd(_), _) if self.counts_as_one() => return,
            _ => {}
        }
        if self.lost {
            return self.end(op, End::Unknown, now, events);
        }
        op.keep_values(VALUES.saturating_sub(self.values));
        self.weight += op.weight;
        self.values += op.values;
        self.waiting.push_back(op);
        self.swallow(now, events);
        if self.weight > MOST {
            self.give_up(now, events);
        }
    }

    pub(super) fn answer(&mut self, answer: Answer, now: u64, events: &mut Vec<Event>) {
        if self.lost {
            return;
        }
        while self
            .waiting
            .front()
            .is_some_and(|op| matches!(op.kind, Kind::CopyEnd(_)))
        {
            self.take(0);
        }
        let fits = match answer {
            Answer::Row => self.row(),
            Answer::Complete(rows, command) => {
                let fits = self.complete((rows, command), now, events);
                self.names_after(command);
                fits
            }
            Answer::Ready { idle } => self.ready(idle, now, events),
            Answer::Error(code) => self.error(code, now, events),
            Answer::Other(tag) => self.other(tag, now, events),
        };
        if !fits {
            self.give_up(now, events);
        }
    }

    /// The code with which the end of a batch failed, once.
    pub(super) fn failed_end(&mut self) -> Option<FailedEnd> {
        self.failed_end.take()
    }

    /// What names stand for, when that had become uncertain and everything is answered.
    pub(super) fn settled_names(&mut self) -> Option<Names> {
        let settled = self.unsettled && self.waiting.is_empty();
        settled.then(|| {
            self.unsettled = false;
            self.sure.clone()
        })
    }

    /// Which portals are left after a transaction's end, once, when everything is answered.
    pub(super) fn settled_portals(&mut self) -> Option<&Names> {
        let settled = self.waiting.is_empty() && mem::take(&mut self.portals_ended);
        settled.then_some(&self.sure)
    }

    /// From now on nobody knows what becomes of anything.
    pub(super) fn give_up(&mut self, now: u64, events: &mut Vec<Event>) {
        if mem::replace(&mut self.lost, true) {
            return;
        }
        self.sure = Names::default();
        while let Some(mut op) = self.take(0) {
            op.runs(None);
            self.end(op, End::Unknown, now, events);
        }
        self.waiting = VecDeque::new();
    }

    pub(super) fn over(&mut self, now: u64, events: &mut Vec<Event>) {
        while let Some(op) = self.take(0) {
            let end = op.error.map_or(End::Cut, End::Failed);
            self.end(op, end, now, events);
        }
    }

    pub(super) fn ended(&mut self, n: u64, end: End, now: u64) -> Ended {
        self.last = now;
        Ended {
            n,
            took: 0,
            rows: None,
            end,
            of: None,
            parameters: None,
            completed: 0,
            rolled_back: false,
        }
    }

    /// What waits, in bytes, and its values.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.weight, self.values)
    }

    fn take(&mut self, at: usize) -> Option<Op> {
        let op = self.waiting.remove(at)?;
        self.weight -= op.weight;
        self.values -= op.values;
        Some(op)
    }

    fn row(&mut self) -> bool {
        // A walk through a cursor, or rows nobody asked for: not worth losing the thread.
        if let Some(op) = self.waiting.front_mut() {
            op.seen += 1;
        }
        true
    }

    fn complete(
        &mut self,
        (rows, command): (Option<u64>, Command),
        now: u64,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(op) = self.waiting.front_mut() else {
            return false;
        };
        op.copying = false;
        op.answered = true;
        op.rolled_back = command == Command::Rollback;
        match op.kind {
            Kind::Query => {
                op.completed += 1;
                op.rows = op.rows.map_or(rows, |so_far| {
                    Some(so_far.saturating_add(rows.unwrap_or(0)))
                });
                true
            }
            Kind::Execute(_) => {
                op.rows = rows;
                self.finish(End::Done, now, events)
            }
            _ => false,
        }
    }

    /// An error of what comes first; PostgreSQL then passes over the rest of a batch, whatever is in it.
    fn error(&mut self, code: SqlState, now: u64, events: &mut Vec<Event>) -> bool {
        // Nothing was asked: the server says why it ends the session.
        let Some(op) = self.waiting.front_mut() else {
            return true;
        };
        self.unsettled = true;
        op.copying = false;
        op.answered = true;
        match op.kind {
            Kind::Query | Kind::Function => op.error = Some(code),
            Kind::Sync => {
                let batch = self.batch.take();
                self.failed_end = Some(FailedEnd { code, batch });
            }
            _ => {
                let passing = match op.swallowed {
                    true => Passing::Perhaps,
                    false => Passing::Surely,
                };
                self.finish(End::Failed(code), now, events);
                return self.skip(passing, now, events);
            }
        }
        true
    }

    /// Passes over what waits up to a Sync; false where it may be that the server did not.
    fn skip(&mut self, passing: Passing, now: u64, events: &mut Vec<Event>) -> bool {
        self.passing = passing;
        while let Some(op) = self.waiting.front() {
            match op.kind {
                Kind::Sync => {
                    self.passing = Passing::No;
                    return true;
                }
                Kind::CopyEnd(_) => {}
                _ if passing == Passing::Perhaps => return false,
                _ => {}
            }
            if let Some(op) = self.take(0) {
                self.end(op, End::Skipped, now, events);
            }
        }
        true
    }

    fn other(&mut self, tag: u8, now: u64, events: &mut Vec<Event>) -> bool {
        let answers = matches!(tag, b'1' | b'2' | b'3' | b's');
        let Some(op) = self.waiting.front_mut() else {
            return !answers;
        };
        match (tag, &mut op.kind) {
            (b'1', Kind::Parse(name, prepared)) => {
                self.sure.prepare(mem::take(name), mem::take(prepared));
            }
            (b'2', Kind::Bind { .. }) => return self.bound(now, events),
            (b'3', Kind::Close(kind, name)) => self.sure.close(*kind, name),
            (b'T' | b'n', Kind::Describe) | (b'I', Kind::Execute(_)) => {}
            (b's', Kind::Execute(_)) => {
                op.rows = Some(op.seen);
                return self.finish(End::Suspended, now, events);
            }
            (b'I' | b'V', Kind::Query | Kind::Function) => {
                op.answered = true;
                return true;
            }
            (b'G', Kind::Query | Kind::Execute(_)) => {
                op.copying = true;
                self.swallow(now, events);
                return true;
            }
            // What describes or carries rows, what comes by itself, and what only goes on with something.
            _ => return !answers,
        }
        self.finish(End::Done, now, events)
    }

    /// A query, or a batch, is over; outside of a transaction no portal outlives it.
    fn ready(&mut self, idle: bool, now: u64, events: &mut Vec<Event>) -> bool {
        let Some(op) = self.waiting.front() else {
            return false;
        };
        let end = match op.kind {
            Kind::Sync => End::Done,
            Kind::Query | Kind::Function if op.answered => op.error.map_or(End::Done, End::Failed),
            _ => return false,
        };
        self.finish(end, now, events);
        self.batch = None;
        if idle {
            self.sure.forget_portals();
            self.portals_ended = true;
        }
        true
    }

    /// What SQL may have put under the names of the protocol. A name that is in use it cannot put anything under.
    fn names_after(&mut self, command: Command) {
        match command {
            Command::Deallocate => self.freed = true,
            Command::Prepare if self.freed => self.sure.forget_statements(),
            Command::Declare => self.sure.forget_cursors(),
            _ => return,
        }
        self.unsettled = true;
    }

    fn bound(&mut self, now: u64, events: &mut Vec<Event>) -> bool {
        let Some(Op {
            kind:
                Kind::Bind {
                    portal,
                    statement,
                    bound,
                },
            n,
            ..
        }) = self.waiting.front_mut()
        else {
            return false;
        };
        let of = self.sure.prepared(statement).of;
        let bound = Portal {
            of: n.or(of),
            bound: mem::take(bound),
        };
        self.sure.bind(mem::take(portal), bound);
        if let Some(op) = self.waiting.front_mut() {
            op.runs(of);
        }
        self.finish(End::Done, now, events)
    }

    fn finish(&mut self, end: End, now: u64, events: &mut Vec<Event>) -> bool {
        if let Some(mut op) = self.take(0) {
            if let Kind::Execute(portal) = &op.kind {
                let Portal { of, bound } = self.sure.portal(portal);
                op.runs(of);
                op.has(bound);
            }
            self.end(op, end, now, events);
        }
        true
    }

    fn end(&mut self, op: Op, end: End, now: u64, events: &mut Vec<Event>) {
        let Some(n) = op.n else { return };
        self.batch.get_or_insert(n);
        let from = op.at.max(self.last);
        self.last = now;
        events.push(Event::Ended(Ended {
            n,
            took: now.saturating_sub(from),
            rows: op.rows,
            end,
            of: op.really,
            parameters: op.parameters,
            completed: match end {
                End::Failed(_) => op.completed,
                _ => 0,
            },
            rolled_back: op.rolled_back,
        }));
    }
}
