//! One message of a program that the server answers, while it waits for that.
//! Only some are told to anybody; the others are here because answers come in order.

use std::sync::Arc;

use super::names::{Bound, Prepared};
use super::{NOT_KNOWN, Parameters};
use crate::report::SqlState;

/// A message that is answered.
#[derive(Debug)]
pub(super) enum Kind {
    Query,
    Function,
    Parse(Vec<u8>, Prepared),
    Bind {
        portal: Vec<u8>,
        statement: Vec<u8>,
        bound: Bound,
    },
    Describe,
    Execute(Vec<u8>),
    Close(u8, Vec<u8>),
    Sync,
    /// So many ends of copies. They mean something only to a server that takes a copy's data; nothing answers them.
    CopyEnd(u64),
}

#[derive(Debug)]
pub(super) struct Op {
    pub(super) kind: Kind,
    /// Under which it was told, if it was.
    pub(super) n: Option<u64>,
    /// What it was expected to run when it was told, and what it ran, where that is another.
    pub(super) expected: Option<u64>,
    pub(super) really: Option<u64>,
    /// The Bind whose parameters were told with it, and those it really had.
    pub(super) bound: u64,
    pub(super) parameters: Option<Arc<Parameters>>,
    pub(super) at: u64,
    pub(super) rows: Option<u64>,
    pub(super) seen: u64,
    /// Statements of a query that were done.
    pub(super) completed: u64,
    pub(super) error: Option<SqlState>,
    pub(super) copying: bool,
    /// Syncs that came while it was copying: dropped by the server, unless the copy had failed before.
    pub(super) swallowed: bool,
    /// Something came that belongs to a query: none is over without.
    pub(super) answered: bool,
    pub(super) rolled_back: bool,
    /// What it takes in memory, without and with its values, in bytes; as it was when it began to wait.
    pub(super) weight: usize,
    pub(super) values: usize,
}

impl Op {
    pub(super) fn new(kind: Kind, at: u64) -> Self {
        let weight = size_of::<Self>() + kind.weight();
        Self {
            kind,
            n: None,
            expected: None,
            really: None,
            bound: 0,
            parameters: None,
            at,
            rows: None,
            seen: 0,
            completed: 0,
            error: None,
            copying: false,
            swallowed: false,
            answered: false,
            rolled_back: false,
            weight,
            values: 0,
        }
    }

    pub(super) fn told(self, n: u64, of: Option<u64>) -> Self {
        Self {
            n: Some(n),
            expected: of,
            ..self
        }
    }

    /// What it really runs, kept where it is another than was expected.
    pub(super) fn runs(&mut self, of: Option<u64>) {
        self.really = (of != self.expected).then_some(of.unwrap_or(NOT_KNOWN));
    }

    /// The parameters it really has, kept where they are others than were told.
    pub(super) fn has(&mut self, bound: Bound) {
        self.parameters = bound.parameters.filter(|_| bound.serial != self.bound);
    }

    /// Values of a Bind wait for its answer only as far as there is room.
    pub(super) fn keep_values(&mut self, room: usize) {
        let Kind::Bind { bound, .. } = &mut self.kind else {
            return;
        };
        let Some(all) = &mut bound.parameters else {
            return;
        };
        if all.size() > room {
            *all = Arc::new(Parameters::only_counted(all.count));
        }
        self.values = all.size();
    }
}

impl Kind {
    /// What it takes besides itself and values, in bytes.
    fn weight(&self) -> usize {
        match self {
            Self::Parse(name, prepared) => name.len() + size_of_val(&*prepared.types),
            Self::Bind {
                portal, statement, ..
            } => portal.len() + statement.len() + size_of::<Parameters>(),
            Self::Execute(name) | Self::Close(_, name) => name.len(),
            _ => 0,
        }
    }
}
