//! What the names of one session stand for: prepared statements and portals, each by the number of its message.
//! Bounded; a name that finds no room stands for nothing known, and its text is in the audit all the same.

use std::collections::HashMap;
use std::sync::Arc;

use super::Parameters;

/// Most names of one sort that are remembered.
pub(super) const MOST: usize = 4096;

/// What a portal runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Portal {
    pub(super) of: Option<u64>,
    pub(super) bound: Bound,
}

/// The Bind of a portal that was not told by itself, and its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// Counts from 1; 0 where the Bind was told, or is not known.
    pub(super) serial: u64,
    pub(super) parameters: Option<Arc<Parameters>>,
}

/// What a prepared statement is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) of: Option<u64>,
    /// The types of its parameters, by OID; 0 is the server's to find out.
    pub(super) types: Arc<[u32]>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    statements: HashMap<Vec<u8>, Prepared>,
    portals: HashMap<Vec<u8>, Portal>,
}

impl Names {
    pub(super) fn prepare(&mut self, name: Vec<u8>, prepared: Prepared) {
        put(&mut self.statements, name, prepared);
    }

    pub(super) fn bind(&mut self, name: Vec<u8>, portal: Portal) {
        put(&mut self.portals, name, portal);
    }

    pub(super) fn prepared(&self, name: &[u8]) -> Prepared {
        self.statements.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn portal(&self, name: &[u8]) -> Portal {
        self.portals.get(name).cloned().unwrap_or_default()
    }

    /// SQL may have put others under these names.
    pub(super) fn forget_statements(&mut self) {
        self.statements.clear();
    }

    /// SQL can use every name of a portal but the empty one.
    pub(super) fn forget_cursors(&mut self) {
        self.portals.retain(|name, _| name.is_empty());
    }

    /// As they are there.
    pub(super) fn take_portals(&mut self, names: &Self) {
        self.portals.clone_from(&names.portals);
    }

    /// They end with their transaction.
    pub(super) fn forget_portals(&mut self) {
        self.portals.clear();
    }

    pub(super) fn close(&mut self, kind: u8, name: &[u8]) {
        match kind {
            b'S' => drop(self.statements.remove(name)),
            _ => drop(self.portals.remove(name)),
        }
    }
}

fn put<T>(all: &mut HashMap<Vec<u8>, T>, name: Vec<u8>, value: T) {
    if all.len() < MOST || all.contains_key(&name) {
        all.insert(name, value);
    }
}
