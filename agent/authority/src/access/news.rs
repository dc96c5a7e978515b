//! What an outlet hears of the grants of its services: first uses at other outlets, and what was taken back.
//! A newcomer would send a list as long as fits. What fell off its end would go on running: everything is told, in pieces.

use std::collections::BTreeSet;

use tidegate_proto::{
    api::access::{FirstUse, GrantNews, TakenBack},
    names::ServiceName,
    statement::GrantId,
    time::UnixTime,
};

use super::Accesses;

impl Accesses {
    /// All that an outlet of these services must know.
    pub(crate) fn news_for(
        &self,
        serves: impl Fn(&ServiceName) -> bool,
        now: UnixTime,
    ) -> GrantNews {
        let mut news = GrantNews::default();
        for access in self.all() {
            if !serves(&access.service) || !access.matters_to_outlets(now) {
                continue;
            }
            let (grant, until) = (access.id, access.last());
            if let Some(at) = access.first_use {
                news.used.push(FirstUse { grant, at, until });
            }
            if access.is_taken_back() {
                news.taken_back.push(TakenBack { grant, until });
            }
        }
        // One that cannot be read any more may be of any service, and may have been taken back.
        let unread = self.unreadable.iter().filter(|(_, until)| now < **until);
        let ended = unread.map(|(&grant, &until)| TakenBack { grant, until });
        news.taken_back.extend(ended);
        news
    }
}

/// What one listener was told, to tell it only what is new.
#[derive(Default)]
pub(crate) struct Told {
    used: BTreeSet<(GrantId, UnixTime)>,
    taken_back: BTreeSet<GrantId>,
}

impl Told {
    /// The next piece of what it was not told yet; `None` when it knows everything.
    pub(crate) fn next(&mut self, all: &GrantNews) -> Option<GrantNews> {
        let key = |used: &FirstUse| (used.grant, used.at);
        let now: BTreeSet<_> = all.used.iter().map(key).collect();
        self.used.retain(|told| now.contains(told));
        let ended: BTreeSet<_> = all.taken_back.iter().map(|back| back.grant).collect();
        self.taken_back.retain(|told| ended.contains(told));
        // Ends before beginnings: somebody may be waiting for them to count.
        let new = all.taken_back.iter();
        let new = new.filter(|back| !self.taken_back.contains(&back.grant));
        let taken_back: Vec<_> = new.take(GrantNews::MAX).copied().collect();
        let new = all
            .used
            .iter()
            .filter(|used| !self.used.contains(&key(used)));
        let used: Vec<_> = new
            .take(GrantNews::MAX - taken_back.len())
            .copied()
            .collect();
        self.taken_back
            .extend(taken_back.iter().map(|back| back.grant));
        self.used.extend(used.iter().map(key));
        let piece = GrantNews { used, taken_back };
        (piece != GrantNews::default()).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::{sse::MAX_LINE, statement::StatementHash};

    use super::*;

    fn news(used: usize, back: usize) -> GrantNews {
        let until = UnixTime(u64::from(u32::MAX));
        let id = |n: usize| StatementHash::of(&n.to_string());
        GrantNews {
            used: (0..used)
                .map(|n| FirstUse {
                    grant: id(n),
                    at: until,
                    until,
                })
                .collect(),
            taken_back: (0..back)
                .map(|n| TakenBack {
                    grant: id(n),
                    until,
                })
                .collect(),
        }
    }

    #[test]
    fn everything_is_told_in_pieces_that_fit_into_a_line_and_once() {
        let all = news(1_000, 1_000);
        let (mut told, mut heard) = (Told::default(), GrantNews::default());

        while let Some(piece) = told.next(&all) {
            let line = serde_json::to_string(&piece).unwrap();
            assert!(line.len() <= MAX_LINE, "{}", line.len());
            heard.used.extend(piece.used);
            heard.taken_back.extend(piece.taken_back);
        }

        assert_eq!(heard, all);
        assert_eq!(told.next(&all), None);
        assert_eq!(told.next(&news(1_000, 1_001)).unwrap().taken_back.len(), 1);
    }
}
