//! What a relay of its own knows: the statements it admits by, the newest versions seen, and who was shut out.
//! It is kept in one file that never goes back; whoever passed the statements on, they are verified from the pinned root.

use super::{FollowerConfig, Word};
use crate::Catalogue;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use tidegate_link::kept::{self, KeptError};
use tidegate_proto::{
    names::OrgName,
    statement::{
        AuthorityStatement, Beacon, IdpStatement, Seen, ServiceStatement, Statement, StatementError,
    },
    strict::{self, StrictError},
    time::UnixTime,
};

const FILE: &str = "known.json";
const MAX: usize = 16 << 20;
/// The longest list of those who were shut out, in bytes.
const MAX_LIST: usize = 64 * 1024;

/// Why something that was sent to us is not taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("{0}")]
    Statement(#[from] StatementError),
    #[error("the list of those who were shut out is none: {0}")]
    List(#[from] StrictError),
    #[error("nothing is known yet that this could belong to")]
    TooEarly,
}

/// The statements as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parts {
    pub(super) roots: Vec<String>,
    pub(super) authority: String,
    pub(super) idp: String,
    pub(super) services: Vec<String>,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    parts: Option<Parts>,
    seen: Seen,
    shut_out: BTreeSet<String>,
    /// What `parts` say, once they were verified.
    #[serde(skip)]
    word: Option<Word>,
}

/// Whether there is anything that was kept, for looking only.
///
/// # Errors
/// When there is something and it cannot be read.
pub fn is_kept(data: &Path) -> Result<bool, KeptError> {
    Ok(Known::load(data)?.parts.is_some())
}

impl Known {
    pub(super) fn load(data: &Path) -> Result<Self, KeptError> {
        kept::load(&data.join(FILE), MAX)
    }

    /// Durable, whole, and in the place of the old one. Blocks.
    pub(super) fn store(&self, data: &Path) -> Result<(), KeptError> {
        kept::store(&data.join(FILE), self)
    }

    /// What was kept says, if anything. A statement that has run out admits nobody by a pass, and still outlets by chain.
    pub(super) fn kept(&mut self, whose: &FollowerConfig) -> Result<Option<Word>, StatementError> {
        if let Some(parts) = &self.parts {
            let mut seen = self.seen.clone();
            self.word = Some(verified(parts, &self.shut_out, whose, &mut seen)?);
        }
        Ok(self.word.clone())
    }

    /// Takes in what the authority passed on. All of it or nothing.
    pub(super) fn take(
        &mut self,
        parts: Parts,
        shut_out: Vec<String>,
        whose: &FollowerConfig,
        now: UnixTime,
    ) -> Result<Word, NotTaken> {
        let (mut seen, shut_out) = (self.seen.clone(), shut_out.into_iter().collect());
        let word = verified(&parts, &shut_out, whose, &mut seen)?;
        word.authority.valid_at(now)?;
        *self = Self {
            parts: Some(parts),
            seen,
            shut_out,
            word: Some(word.clone()),
        };
        Ok(word)
    }

    /// Takes in who was shut out, as a JSON list of all of them.
    pub(super) fn take_shut_out(&mut self, json: &str) -> Result<Word, NotTaken> {
        self.shut_out = strict::json(json.as_bytes(), MAX_LIST)?;
        let word = self.word.as_mut().ok_or(NotTaken::TooEarly)?;
        word.shut_out.clone_from(&self.shut_out);
        Ok(word.clone())
    }

    pub(super) fn beacon(&self, jws: &str, org: &OrgName) -> Result<Beacon, NotTaken> {
        let word = self.word.as_ref().ok_or(NotTaken::TooEarly)?;
        Ok(Beacon::verify_for(jws, &word.authority.key, org)?)
    }
}

fn verified(
    parts: &Parts,
    shut_out: &BTreeSet<String>,
    whose: &FollowerConfig,
    seen: &mut Seen,
) -> Result<Word, StatementError> {
    let root = seen.root(&parts.roots, &whose.org, whose.root)?;
    let authority = AuthorityStatement::verify_for(&parts.authority, &root, &whose.org)?;
    seen.authority(&authority)?;
    let idp = IdpStatement::verify_for(&parts.idp, &root, &whose.org)?;
    seen.idp(&idp)?;
    let own = whose.noise.public();
    let mut services = BTreeMap::new();
    for jws in &parts.services {
        let entry = ServiceStatement::verify_for(jws, &root, &whose.org)?;
        seen.service(&entry)?;
        // An entry of other relays is no harm, and no reason to admit anybody here.
        if entry.relays.iter().any(|relay| relay.noise == own) {
            services.insert(entry.service, entry.version);
        }
    }
    Ok(Word {
        authority,
        key_host: idp.key_host,
        catalogue: Catalogue {
            root: root.peer_id(),
            services,
        },
        shut_out: shut_out.clone(),
    })
}
