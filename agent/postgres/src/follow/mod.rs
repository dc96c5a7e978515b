//! Follows a session from outside, both directions, and says which statements began and how they ended.
//! It changes nothing and holds nothing up; what a program sends is told whether or not the server's answers can be understood.
//!
//! Whoever reads the events must know: a text is told once, by the message that brought it (a query or a Parse), and what
//! runs it refers to that message by its number. SQL may name prepared statements and portals too (`EXECUTE`, `FETCH`), so a
//! Parse and a named Bind are told even when nothing of the protocol runs them.

mod answer;
mod body;
mod names;
mod op;
mod parameters;
mod pieces;
mod queue;

use std::sync::Arc;

use answer::Answers;
use body::Body;
pub use body::{Keep, Text};
use names::{Bound, Names, Portal, Prepared};
use op::{Kind, Op};
pub use parameters::{Parameter, Parameters};
use pieces::{Piece, Pieces};
use queue::{FailedEnd, Queue};

use crate::report::SqlState;

/// Stands for a statement of which it is not known which one it was.
pub const NOT_KNOWN: u64 = 0;

/// How a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Told by whoever logged in, before anything that is followed; as 0.
    Startup,
    /// A simple query: all statements of its text.
    Query,
    /// A text that is kept by the server to be run later, or never.
    Parse,
    /// A named portal: a prepared statement with its parameters.
    Bind,
    Execute,
    /// A function by its OID, as its only argument is told.
    Function(u32),
    /// The end of a batch, told only when it fails: what ran before it did not come to stay.
    Sync,
}

/// A statement on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Began {
    /// Counts a session's events of this sort from 1.
    pub n: u64,
    pub how: How,
    /// What is run, by the number under which it was told; of a `Sync`, where its batch began.
    pub of: Option<u64>,
    /// Of a prepared statement or a portal; empty where it has none.
    pub name: Vec<u8>,
    pub text: Option<Text>,
    pub parameters: Option<Arc<Parameters>>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub n: u64,
    /// From when the server could turn to it, in microseconds.
    pub took: u64,
    pub rows: Option<u64>,
    pub end: End,
    /// What was run after all, where it is not what was expected when it began; or `NOT_KNOWN`.
    pub of: Option<u64>,
    /// With which parameters, where they are not those that were told.
    pub parameters: Option<Arc<Parameters>>,
    /// So many statements of a query were done before it failed; what they did may have come to stay.
    pub completed: u64,
    /// The last that was done was a ROLLBACK, by name or because a COMMIT was not possible.
    pub rolled_back: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    /// So many rows as were asked for; there may be more.
    Suspended,
    Failed(SqlState),
    /// The server passed over it after an error.
    Skipped,
    /// The session ended first.
    Cut,
    /// The server's answers could not be told apart any more.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Began(Began),
    Ended(Ended),
}

/// Follows one session from the moment it is logged in. Times are microseconds from any beginning.
pub struct Follower {
    keep: Keep,
    asking: Pieces,
    body: Option<Body>,
    answers: Answers,
    queue: Queue,
    /// As they will be if the server takes everything that was sent.
    hoped: Names,
    n: u64,
    /// Of Binds that are not told by themselves.
    serial: u64,
}

impl Follower {
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            asking: Pieces::default(),
            body: None,
            answers: Answers::default(),
            queue: Queue::default(),
            hoped: Names::default(),
            n: 0,
            serial: 0,
        }
    }

    /// These bytes were sent to the server.
    pub fn asked(&mut self, mut bytes: &[u8], now: u64, events: &mut Vec<Event>) {
        while let Some(piece) = self.asking.next(&mut bytes) {
            match piece {
                Piece::Begin { tag, length } => {
                    self.body = Some(Body::begin(tag, length, self.keep))
                }
                Piece::Part(part) => {
                    if let Some(body) = &mut self.body {
                        body.add(part);
                    }
                }
                Piece::End => {
                    if let Some(body) = self.body.take() {
                        self.message(body, now, events);
                    }
                }
            }
        }
    }

    /// These bytes came from the server.
    pub fn answered(&mut self, mut bytes: &[u8], now: u64, events: &mut Vec<Event>) {
        while let Some(answer) = self.answers.next(&mut bytes) {
            self.queue.answer(answer, now, events);
            if let Some(failed) = self.queue.failed_end() {
                self.failed_sync(failed, now, events);
            }
            if let Some(names) = self.queue.settled_names() {
                self.hoped = names;
            }
            if let Some(names) = self.queue.settled_portals() {
                self.hoped.take_portals(names);
            }
        }
        if self.answers.is_lost() {
            self.queue.give_up(now, events);
        }
    }

    /// The session is over: what has no answer gets none.
    pub fn over(&mut self, now: u64, events: &mut Vec<Event>) {
        self.queue.over(now, events);
    }

    fn message(&mut self, mut body: Body, now: u64, events: &mut Vec<Event>) {
        let (tag, one) = (body.tag, body.take_name(0));
        // PostgreSQL refuses these with a body, and then passes over what follows, though nothing is owed for a Flush.
        if matches!(tag, b'H' | b'S') && body.length > 0 {
            self.queue.give_up(now, events);
        }
        if self.queue.is_lost() {
            self.hoped = Names::default();
        }
        match tag {
            b'Q' => self.query(body, now, events),
            b'P' => self.parse((one, body), now, events),
            b'B' => self.bind((one, body), now, events),
            b'E' => self.execute(one, now, events),
            b'F' => self.function(&body, now, events),
            b'C' => self.close((body.kind, one), now, events),
            b'D' => self.push(Kind::Describe, now, events),
            b'S' => self.push(Kind::Sync, now, events),
            b'c' | b'f' => self.push(Kind::CopyEnd(1), now, events),
            // Data of a copy, Flush, goodbye; and what PostgreSQL hangs up at.
            _ => {}
        }
    }

    fn query(&mut self, body: Body, now: u64, events: &mut Vec<Event>) {
        let began = Began {
            text: Some(body.into_text()),
            ..self.began(How::Query)
        };
        self.tell(began, Kind::Query, now, events);
    }

    fn parse(&mut self, (name, body): (Vec<u8>, Body), now: u64, events: &mut Vec<Event>) {
        let types = parameters::types(&body.rest).into();
        let began = Began {
            name: name.clone(),
            text: Some(body.into_text()),
            ..self.began(How::Parse)
        };
        let prepared = Prepared {
            of: Some(began.n),
            types,
        };
        if self.queue.will_run() {
            self.hoped.prepare(name.clone(), prepared.clone());
        }
        self.tell(began, Kind::Parse(name, prepared), now, events);
    }

    fn bind(&mut self, (portal, mut body): (Vec<u8>, Body), now: u64, events: &mut Vec<Event>) {
        let statement = body.take_name(1);
        let prepared = self.hoped.prepared(&statement);
        let read = Parameters::read(&body.rest, &prepared.types, self.keep.value);
        let parameters = read.map(Arc::new);
        // What runs it will not say which one it was, once the thread is lost.
        let is_told = !portal.is_empty() || self.queue.is_lost();
        let began = is_told.then(|| Began {
            of: prepared.of,
            name: portal.clone(),
            parameters: parameters.clone(),
            ..self.began(How::Bind)
        });
        let bound = Portal {
            of: began.as_ref().map(|began| began.n).or(prepared.of),
            bound: match is_told {
                true => Bound::default(),
                false => self.bound(parameters),
            },
        };
        if self.queue.will_run() {
            self.hoped.bind(portal.clone(), bound.clone());
        }
        let kind = Kind::Bind {
            portal,
            statement,
            bound: bound.bound,
        };
        match began {
            Some(began) => self.tell(began, kind, now, events),
            None => self.push(kind, now, events),
        }
    }

    fn bound(&mut self, parameters: Option<Arc<Parameters>>) -> Bound {
        self.serial += 1;
        Bound {
            serial: self.serial,
            parameters,
        }
    }

    fn execute(&mut self, portal: Vec<u8>, now: u64, events: &mut Vec<Event>) {
        let Portal { of, bound } = self.hoped.portal(&portal);
        let began = Began {
            of,
            parameters: bound.parameters,
            name: portal.clone(),
            ..self.began(How::Execute)
        };
        let mut op = Op::new(Kind::Execute(portal), now).told(began.n, of);
        op.bound = bound.serial;
        events.push(Event::Began(began));
        self.queue.push(op, now, events);
    }

    fn function(&mut self, body: &Body, now: u64, events: &mut Vec<Event>) {
        let (oid, arguments) = body.rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let began = Began {
            parameters: Parameters::read(arguments, &[], self.keep.value).map(Arc::new),
            ..self.began(How::Function(u32::from_be_bytes(*oid)))
        };
        self.tell(began, Kind::Function, now, events);
    }

    fn close(&mut self, (kind, name): (u8, Vec<u8>), now: u64, events: &mut Vec<Event>) {
        if self.queue.will_run() {
            self.hoped.close(kind, &name);
        }
        self.push(Kind::Close(kind, name), now, events);
    }

    /// What was done in a batch is undone at its end, as by a constraint that is checked only then.
    fn failed_sync(&mut self, failed: FailedEnd, now: u64, events: &mut Vec<Event>) {
        let began = Began {
            of: failed.batch,
            ..self.began(How::Sync)
        };
        let n = began.n;
        events.push(Event::Began(began));
        events.push(Event::Ended(self.queue.ended(
            n,
            End::Failed(failed.code),
            now,
        )));
    }

    fn began(&mut self, how: How) -> Began {
        self.n += 1;
        Began {
            n: self.n,
            how,
            of: None,
            name: Vec::new(),
            text: None,
            parameters: None,
        }
    }

    fn tell(&mut self, began: Began, kind: Kind, now: u64, events: &mut Vec<Event>) {
        let op = Op::new(kind, now).told(began.n, began.of);
        events.push(Event::Began(began));
        self.queue.push(op, now, events);
    }

    fn push(&mut self, kind: Kind, now: u64, events: &mut Vec<Event>) {
        self.queue.push(Op::new(kind, now), now, events);
    }
}

#[cfg(test)]
mod tests;
