//! One message of a program that the server answers, while it waits for that.
//! Only some are told to anybody; the others are here because answers come in order.

use std::sync::Arc;

use super::Parameters;
use super::names::Prepared;
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
        parameters: Option<Arc<Parameters>>,
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
    pub(super) at: u64,
    pub(super) rows: Option<u64>,
    pub(super) seen: u64,
    pub(super) error: Option<SqlState>,
    pub(super) copying: bool,
    /// Something came that belongs to a query: none is over without.
    pub(super) answered: bool,
}

impl Op {
    pub(super) fn new(kind: Kind, at: u64) -> Self {
        Self {
            kind,
            n: None,
            expected: None,
            really: None,
            at,
            rows: None,
            seen: 0,
            error: None,
            copying: false,
            answered: false,
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
        self.really = of.filter(|of| self.expected != Some(*of));
    }
}
