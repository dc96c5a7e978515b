//! What a server does with what comes while it takes a copy's data: Syncs it drops, the end of the copy it takes.
//! Whether its data had failed before that cannot be seen when it happens, only when an error comes.

use super::super::Event;
use super::super::op::Kind;
use super::Queue;

impl Queue {
    /// Whether the end of a copy is one more behind the last, or of no copy at all: a program may send many.
    pub(super) fn counts_as_one(&mut self) -> bool {
        match self.waiting.back_mut().map(|last| &mut last.kind) {
            Some(Kind::CopyEnd(ends)) => {
                *ends += 1;
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    /// While the server takes a copy's data it drops Syncs. Anything else but the end of the copy breaks the copy, unless
    /// its data did so before: then it runs. Nobody can tell from here, so nobody does.
    pub(super) fn swallow(&mut self, now: u64, events: &mut Vec<Event>) {
        while self.waiting.front().is_some_and(|op| op.copying) {
            match self.waiting.get_mut(1).map(|next| &mut next.kind) {
                None => return,
                Some(Kind::Sync) => {
                    self.take(1);
                    self.waiting[0].swallowed = true;
                }
                Some(Kind::CopyEnd(ends)) => {
                    *ends -= 1;
                    if *ends == 0 {
                        self.take(1);
                    }
                    self.waiting[0].copying = false;
                }
                Some(_) => return self.give_up(now, events),
            }
        }
    }
}
