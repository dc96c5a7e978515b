//! What a session that comes back for a portal must be to the one that opened it: no weaker in anything (PROTOCOL section 10).
//! Policy is not asked here: RESUME is put to the newer session as an OPEN is.

use super::Session;
use crate::{refusal::RefusalReason, statement::GrantId};

impl Session {
    /// Whether this one may go on with what `older` carries: as a REAUTH may, the same person on the same device, no weaker.
    ///
    /// # Errors
    /// Why it may not.
    pub fn resumes(&self, older: &Self) -> Result<(), RefusalReason> {
        match (older.proof(), self.proof()) {
            (Some(older), Some(newer)) => older.is_followed_by(newer),
            _ => Err(RefusalReason::OutOfOrder),
        }
    }

    /// The grant that was shown last, whether or not anything stands on it.
    #[must_use]
    pub fn presented(&self) -> Option<GrantId> {
        let granted = self.proof()?.granted.as_ref();
        granted.map(|granted| granted.id)
    }
}
