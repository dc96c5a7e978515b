//! What survives a restart: the last known statements, the newest versions seen, and who was revoked.
//! A file that is there and cannot be read stops the start: going on without it would forget revocations.

use super::Parts;
use crate::owner::InForce;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tidegate_link::kept::{self, KeptError};
use tidegate_proto::grant::Grants;
use tidegate_proto::revocations::Revocations;
use tidegate_proto::statement::Seen;
use tidegate_proto::time::UnixTime;

const FILE: &str = "known.json";
const MAX: usize = 16 << 20;

/// The file's content.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) parts: Option<Parts>,
    pub(crate) revocations: Revocations,
    pub(crate) seen: Seen,
    pub(crate) beacon_at: UnixTime,
    /// The newest `tg-pass`: with it a relay knows us again while the authority is away, whenever it ran out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pass: Option<String>,
    /// When grants were first used, and which were taken back.
    #[serde(default)]
    pub(crate) grants: Grants,
    /// The newest signed policy of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<InForce>,
}

impl Kept {
    pub(crate) fn load(data: &Path) -> Result<Self, KeptError> {
        kept::load(&data.join(FILE), MAX)
    }

    /// Durable, whole, and in the place of the old one. Blocks.
    pub(crate) fn store(&self, data: &Path) -> Result<(), KeptError> {
        kept::store(&data.join(FILE), self)
    }
}
