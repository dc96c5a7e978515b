//! The duty to close a record: whatever happens to a portal, even a panic in its task, one closing line follows.
//! Bytes are counted at the portal, so they are right even when the task that moved them is gone.

use super::Counted;
use super::ledger::Job;
use crate::clock;
use tidegate_link::PortalControl;
use tidegate_proto::event::{EventKind, PortalClosed, PortalOpened};
use tidegate_proto::problem::Code;
use tokio::sync::mpsc;

/// An open record. Dropping it writes the closing line.
#[must_use = "dropping a record closes it"]
pub(crate) struct OpenRecord {
    slot: Option<mpsc::OwnedPermit<Job>>,
    closing: PortalClosed,
    counted: Counted,
}

impl OpenRecord {
    pub(super) fn new(slot: mpsc::OwnedPermit<Job>, opened: &PortalOpened) -> Self {
        let closing = PortalClosed {
            channel: opened.channel.clone(),
            portal: opened.portal,
            service: opened.service.clone(),
            sent: 0,
            received: 0,
            // Stands only if nobody gets to say why: a panic.
            reason: Code::Internal,
        };
        Self {
            slot: Some(slot),
            closing,
            counted: None,
        }
    }

    /// Counts the bytes of this portal from now on.
    pub(crate) fn count(&mut self, portal: PortalControl) {
        self.counted = Some(portal);
    }

    /// Closes the record for this reason.
    pub(crate) fn close(mut self, reason: Code) {
        self.closing.reason = reason;
    }

    /// The opening line was not written, so there is nothing to close.
    pub(super) fn was_never_opened(mut self) {
        self.slot = None;
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let mut closing = self.closing.clone();
        if let Some(portal) = &self.counted {
            let traffic = portal.traffic();
            // What the portal received came from the laptop and went to the target.
            (closing.sent, closing.received) = (traffic.received, traffic.sent);
        }
        slot.send(Job {
            at: clock::now(),
            what: EventKind::PortalClosed(closing),
            done: None,
        });
    }
}
