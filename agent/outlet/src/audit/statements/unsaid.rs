//! Words that found no room at the end of a session, until the record says so.
//! Whoever drops some rings: the mark must not wait for somebody else's next word.

use std::mem;
use std::sync::{Mutex, PoisonError};

use tidegate_proto::event::EventKind;
use tokio::sync::Notify;

use super::Speaker;

/// Most sessions that are named; what more of them dropped is counted together.
const NAMED: usize = 256;

#[derive(Default)]
pub(super) struct Unsaid {
    marks: Mutex<Vec<EventKind>>,
    bell: Notify,
}

impl Unsaid {
    pub(super) fn add(&self, speaker: &Speaker, count: u64) {
        {
            let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            match marks.get_mut(NAMED) {
                Some(EventKind::StatementsNotListed { count: sum, .. }) => *sum += count,
                _ => {
                    let mark = mark(speaker, count, marks.len() < NAMED);
                    marks.push(mark);
                }
            }
        }
        self.bell.notify_one();
    }

    pub(super) fn take(&self) -> Vec<EventKind> {
        mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when something was added.
    pub(super) async fn added(&self) {
        self.bell.notified().await;
    }
}

fn mark(speaker: &Speaker, count: u64, named: bool) -> EventKind {
    EventKind::StatementsNotListed {
        count,
        channel: named.then(|| speaker.channel.clone()),
        portal: named.then_some(speaker.portal),
        sub: named.then(|| speaker.sub.clone()),
    }
}
