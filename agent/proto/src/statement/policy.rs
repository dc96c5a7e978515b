//! `tg-policy`: the org's Cedar text, signed by the org root; the owner's, signed by the key that the outlet's configuration names.
//! That it is signed says who wrote it, not that it can be read: `crate::policy` screens and validates it again.

use super::{Statement, StatementError, require};
use crate::names::OrgName;
use serde::{Deserialize, Serialize};

/// Which edition of `schema/tidegate.cedarschema` this crate publishes.
pub const SCHEMA_VERSION: u32 = 1;

/// A policy text and the schema it was written for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyStatement {
    pub org: OrgName,
    pub cedar: String,
    pub schema_version: u32,
    /// Counts up; a lower one is never taken again.
    pub version: u64,
}

impl Statement for PolicyStatement {
    const TYP: &'static str = "tg-policy";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(self.schema_version == SCHEMA_VERSION)
    }
}
