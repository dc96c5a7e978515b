//! What an org keeps on disk: a disk that is full or read-only is said once, and tried again until it takes it.
//! A newcomer would leave it at the message: then what was learned since is lost at the next stop, although there is room by then.

use std::time::Duration;

use tidegate_proto::problem::Code;

use super::owner::Owner;

/// How often a disk that took nothing is tried again.
pub(super) const KEEP_AGAIN: Duration = Duration::from_secs(5);

impl Owner {
    /// Keeps the membership as it is now, or says why it could not.
    pub(super) fn keep(&mut self) {
        let Some(home) = &self.state.home else { return };
        if self.disk.is_behind() {
            return self.keep_again();
        }
        if let Err(problem) = self.disk.save(&home.membership) {
            self.trouble(problem);
        }
    }

    /// What could not be kept before. That it still cannot was said.
    pub(super) fn keep_again(&mut self) {
        let Some(home) = &self.state.home else { return };
        if self.disk.save(&home.membership).is_err() || self.disk.is_behind() {
            return;
        }
        let membership = home.membership.clone();
        tracing::info!(org = %membership.org, "disk took what it had refused");
        self.better(&[Code::DataDirUnusable]);
        // The key of a join goes to its place only once the org is on disk.
        self.settle_key(membership);
    }
}
