//! What the server still has to answer, in order, and what an answer means for the first of it.
//! The one place that knows how PostgreSQL answers: what it skips after an error, what it swallows while it takes a copy's data.

use std::collections::VecDeque;
use std::mem;

use super::answer::Answer;
use super::names::{Names, Portal};
use super::op::{Kind, Op};
use super::{End, Ended, Event};
use crate::report::SqlState;

/// Most messages without an answer. A server that owes more is not followed any further.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Op>,
    /// As they are: changed by what the server has confirmed.
    sure: Names,
    /// After an error the server passes over everything up to a Sync that was not sent yet.
    skipping: bool,
    /// Answers do not fit what was asked.
    lost: bool,
    /// Something failed, so names may not be as was hoped.
    erred: bool,
    /// A Sync failed.
    failed_end: Option<SqlState>,
    /// When the last one ended.
    last: u64,
}

impl Queue {
    /// Whether what is sent now will be looked at.
    pub(super) fn will_run(&self) -> bool {
        !self.skipping && !self.lost
    }

    pub(super) fn push(&mut self, op: Op, now: u64, events: &mut Vec<Event>) {
        if self.lost {
            return self.end(op, End::Unknown, now, events);
        }
        match op.kind {
            Kind::Sync => self.skipping = false,
            _ if self.skipping => return self.end(op, End::Skipped, now, events),
            Kind::CopyEnd(_) if self.counts_as_one() => return,
            _ => {}
        }
        self.waiting.push_back(op);
        self.swallow(now, events);
        if self.waiting.len() > MOST {
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
            self.waiting.pop_front();
        }
        let fits = match answer {
            Answer::Row => self.row(),
            Answer::Complete(rows) => self.complete(rows, now, events),
            Answer::Error(code) => self.error(code, now, events),
            Answer::Other(tag) => self.other(tag, now, events),
        };
        if !fits {
            self.give_up(now, events);
        }
    }

    /// The code with which the end of a batch failed, once.
    pub(super) fn failed_end(&mut self) -> Option<SqlState> {
        self.failed_end.take()
    }

    /// What names stand for, when an error has made that uncertain and everything is answered.
    pub(super) fn names_after_an_error(&mut self) -> Option<Names> {
        let settled = self.erred && self.waiting.is_empty();
        settled.then(|| {
            self.erred = false;
            self.sure.clone()
        })
    }

    /// From now on nobody knows what becomes of anything.
    pub(super) fn give_up(&mut self, now: u64, events: &mut Vec<Event>) {
        if mem::replace(&mut self.lost, true) {
            return;
        }
        for op in mem::take(&mut self.waiting) {
            self.end(op, End::Unknown, now, events);
        }
    }

    pub(super) fn over(&mut self, now: u64, events: &mut Vec<Event>) {
        for op in mem::take(&mut self.waiting) {
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
        }
    }

    fn row(&mut self) -> bool {
        // A walk through a cursor, or rows nobody asked for: not worth losing the thread.
        if let Some(op) = self.waiting.front_mut() {
            op.seen += 1;
        }
        true
    }

    fn complete(&mut self, rows: Option<u64>, now: u64, events: &mut Vec<Event>) -> bool {
        let Some(op) = self.waiting.front_mut() else {
            return false;
        };
        op.copying = false;
        op.answered = true;
        match op.kind {
            Kind::Query => {
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
        self.erred = true;
        op.copying = false;
        op.answered = true;
        match op.kind {
            Kind::Query | Kind::Function => op.error = Some(code),
            Kind::Sync => self.failed_end = Some(code),
            _ => {
                self.finish(End::Failed(code), now, events);
                self.skip(now, events);
            }
        }
        true
    }

    fn skip(&mut self, now: u64, events: &mut Vec<Event>) {
        self.skipping = true;
        while let Some(op) = self.waiting.pop_front() {
            if matches!(op.kind, Kind::Sync) {
                self.waiting.push_front(op);
                self.skipping = false;
                return;
            }
            self.end(op, End::Skipped, now, events);
        }
    }

    fn other(&mut self, tag: u8, now: u64, events: &mut Vec<Event>) -> bool {
        let answers = matches!(tag, b'1' | b'2' | b'3' | b's' | b'Z');
        let Some(op) = self.waiting.front_mut() else {
            return !answers;
        };
        match (tag, &mut op.kind) {
            (b'1', Kind::Parse(name, prepared)) => {
                self.sure.prepare(mem::take(name), mem::take(prepared));
            }
            (b'2', Kind::Bind { .. }) => return self.bound(now, events),
            (b'3', Kind::Close(kind, name)) => self.sure.close(*kind, name),
            (b'T' | b'n', Kind::Describe) | (b'I', Kind::Execute(_)) | (b'Z', Kind::Sync) => {}
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
            (b'Z', Kind::Query | Kind::Function) if op.answered => {
                let end = op.error.map_or(End::Done, End::Failed);
                return self.finish(end, now, events);
            }
            // What describes or carries rows, what comes by itself, and what only goes on with something.
            _ => return !answers,
        }
        self.finish(End::Done, now, events)
    }

    fn bound(&mut self, now: u64, events: &mut Vec<Event>) -> bool {
        let Some(Op {
            kind:
                Kind::Bind {
                    portal,
                    statement,
                    parameters,
                },
            n,
            ..
        }) = self.waiting.front_mut()
        else {
            return false;
        };
        let of = self.sure.prepared(statement).of;
        let parameters = parameters.take();
        let bound = Portal {
            of: n.or(of),
            parameters,
        };
        self.sure.bind(mem::take(portal), bound);
        if let Some(op) = self.waiting.front_mut() {
            op.runs(of);
        }
        self.finish(End::Done, now, events)
    }

    /// Whether the end of a copy is one more behind the last, or of no copy at all: a program may send many.
    fn counts_as_one(&mut self) -> bool {
        match self.waiting.back_mut().map(|last| &mut last.kind) {
            Some(Kind::CopyEnd(ends)) => {
                *ends += 1;
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    /// While the server takes a copy's data it drops Syncs. Anything else but the end of the copy breaks the copy, unless
    /// its data did so before: then it runs. Nobody can tell from here, so nobody does.
    fn swallow(&mut self, now: u64, events: &mut Vec<Event>) {
        while self.waiting.front().is_some_and(|op| op.copying) {
            match self.waiting.get_mut(1).map(|next| &mut next.kind) {
                None => return,
                Some(Kind::Sync) => drop(self.waiting.remove(1)),
                Some(Kind::CopyEnd(ends)) => {
                    *ends -= 1;
                    if *ends == 0 {
                        self.waiting.remove(1);
                    }
                    self.waiting[0].copying = false;
                }
                Some(_) => return self.give_up(now, events),
            }
        }
    }

    fn finish(&mut self, end: End, now: u64, events: &mut Vec<Event>) -> bool {
        if let Some(mut op) = self.waiting.pop_front() {
            if let Kind::Execute(portal) = &op.kind {
                let of = self.sure.portal(portal).of;
                op.runs(of);
            }
            self.end(op, end, now, events);
        }
        true
    }

    fn end(&mut self, op: Op, end: End, now: u64, events: &mut Vec<Event>) {
        let Some(n) = op.n else { return };
        let from = op.at.max(self.last);
        self.last = now;
        events.push(Event::Ended(Ended {
            n,
            took: now.saturating_sub(from),
            rows: op.rows,
            end,
            of: op.really,
        }));
    }
}
