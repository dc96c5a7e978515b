//! How this outlet became one, where the catalogue does not name its keys: a chain from the org root for each service.
//! Nothing in it is secret and nothing depends on it alone: it is kept so that others can be shown it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidegate_link::kept::{self, KeptError};
use tidegate_proto::names::ServiceName;
use tidegate_proto::statement::EnrolmentChain;

const FILE: &str = "enrolments.json";
/// A chain has about 1 KiB, and an outlet at most 256 services.
const MAX: usize = 1 << 20;

/// The newest chain for each service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Enrolments(pub BTreeMap<ServiceName, EnrolmentChain>);

impl Enrolments {
    /// What is kept in `data`; nothing, if there is no file yet. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn load(data: &Path) -> Result<Self, KeptError> {
        kept::load(&data.join(FILE), MAX)
    }

    /// Durable, whole, and in the place of the old file. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store(&self, data: &Path) -> Result<(), KeptError> {
        kept::store(&data.join(FILE), self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_damage_is_named() {
        let dir = crate::testing::private_dir();
        assert_eq!(Enrolments::load(dir.path()), Ok(Enrolments::default()));
        let chain = EnrolmentChain {
            ticket: "a.b.c".into(),
            enrolment: "d.e.f".into(),
        };
        let kept = Enrolments([("echo".parse().unwrap(), chain)].into());

        kept.store(dir.path()).unwrap();

        assert_eq!(Enrolments::load(dir.path()), Ok(kept));
        let path = dir.path().join(FILE);
        std::fs::write(&path, "[]").unwrap();
        assert_eq!(Enrolments::load(dir.path()), Err(KeptError::Content(path)));
    }
}
