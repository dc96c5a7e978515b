//! Which requests concern whom: one's own, those one may decide, and alarms.
//! Whoever may not decide a request does not learn that it exists. A list has an end; what is one's own and an alarm come first.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use tidegate_proto::{
    api::access::{MAX_VIEWS, NamedAt, RequestView},
    api::turn::Turn,
    grant::is_one_person,
    names::ServiceName,
    principal::Principal,
    statement::Assurance,
    time::UnixTime,
};

use super::{Access, Moment};
use crate::{core::Core, in_force::InForce};

/// Bytes of a list, at most: an event holds no more. What must be in it may use all of them, the rest leaves room.
const MOST_BYTES: usize = 60 * 1024;
const BYTES_OF_OTHERS: usize = 48 * 1024;
/// Alarms that go before everything but one's own.
const ALARMS: usize = 8;

/// Why a request is in somebody's list, the most urgent first.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// One's own that waits or can be used: without it, what runs under it would end.
    Own,
    /// Somebody broke the glass, and this person has not seen it.
    Alarm,
    /// To decide.
    Yours,
    /// To take back, or to look at.
    Other,
}

/// What somebody is told, and when.
pub(crate) struct ToldTo {
    pub(crate) turn: Turn,
    pub(crate) now: UnixTime,
    pub(crate) all: Vec<Arc<Access>>,
    pub(crate) requests: Vec<RequestView>,
}

/// How things are now for this person: requests, rules and the time are of one moment.
pub(crate) fn told_to(core: &Core, who: &Principal) -> ToldTo {
    let Moment { turn, all, beside } = core
        .accesses
        .moment(|| (core.in_force.borrow().clone(), core.now()));
    let (in_force, now) = beside;
    let requests = views_for(&all, who, &in_force, now);
    ToldTo {
        turn,
        now,
        all,
        requests,
    }
}

/// Those that concern this person.
fn views_for(
    all: &[Arc<Access>],
    who: &Principal,
    in_force: &InForce,
    now: UnixTime,
) -> Vec<RequestView> {
    let mut eyes = Eyes {
        who,
        in_force,
        now,
        approves: HashMap::new(),
    };
    let mut ranked: Vec<_> = all
        .iter()
        .filter_map(|access| Some((eyes.rank(access)?, access)))
        .collect();
    let newest_first = |(rank, access): &(Rank, &Arc<Access>)| (*rank, Reverse(access.asked));
    ranked.sort_by_key(newest_first);
    let alarms = ranked.iter_mut().filter(|(rank, _)| *rank == Rank::Alarm);
    for (rank, _) in alarms.skip(ALARMS) {
        *rank = Rank::Other;
    }
    ranked.sort_by_key(newest_first);
    fitting(&ranked, now)
}

fn fitting(ranked: &[(Rank, &Arc<Access>)], now: UnixTime) -> Vec<RequestView> {
    let (mut used, mut views) = (2, Vec::new());
    for (rank, access) in ranked {
        let most = match rank {
            Rank::Own => MOST_BYTES,
            Rank::Alarm | Rank::Yours | Rank::Other => BYTES_OF_OTHERS,
        };
        let mut view = view(access, *rank == Rank::Yours, now);
        if used + size(&view) > most {
            view.seen.clear();
        }
        // One that is too large keeps no smaller one out.
        if views.len() < MAX_VIEWS && used + size(&view) <= most {
            used += size(&view);
            views.push(view);
        }
    }
    views
}

fn size(view: &RequestView) -> usize {
    serde_json::to_string(view).map_or(usize::MAX / 2, |text| text.len() + 1)
}

/// One person's look at all requests.
struct Eyes<'a> {
    who: &'a Principal,
    in_force: &'a InForce,
    now: UnixTime,
    approves: HashMap<ServiceName, bool>,
}

impl Eyes<'_> {
    /// Why it concerns this person, if it does. The rules are asked last: there are many requests, and many who look.
    fn rank(&mut self, access: &Access) -> Option<Rank> {
        let (sub, now) = (&self.who.sub, self.now);
        let (waits, runs) = (access.is_waiting(now), access.could_run(now));
        if access.by.sub == *sub {
            return Some(match waits || runs {
                true => Rank::Own,
                false => Rank::Other,
            });
        }
        let alarm = access.emergency && !access.was_seen_by(sub);
        if alarm && self.may_decide(access) {
            return Some(match waits && !access.approved_by(sub) {
                true => Rank::Yours,
                false => Rank::Alarm,
            });
        }
        if runs && access.approved_by(sub) {
            return Some(Rank::Other);
        }
        if !(waits || runs) || !self.may_decide(access) {
            return None;
        }
        Some(match waits && !access.approved_by(sub) {
            true => Rank::Yours,
            false => Rank::Other,
        })
    }

    /// Whether this person may decide about it, as the outlets will judge it: by the rules, in a browser, and not their own.
    fn may_decide(&mut self, access: &Access) -> bool {
        let (who, now) = (self.who, self.now);
        if who.assurance != Assurance::High || is_own(access, who) {
            return false;
        }
        let (service, in_force) = (&access.service, self.in_force);
        *self
            .approves
            .entry(service.clone())
            .or_insert_with(|| in_force.may_approve(who, service, now))
    }
}

/// Whether one and the same person asked, on this device or through another account.
pub(crate) fn is_own(access: &Access, who: &Principal) -> bool {
    let asked = &access.principal;
    access.key.peer_id() == who.device
        || is_one_person(
            (&asked.sub, asked.email.as_deref()),
            (&who.sub, who.email.as_deref()),
        )
}

fn view(access: &Access, yours: bool, now: UnixTime) -> RequestView {
    let approved = access.approvals.iter().map(|given| NamedAt {
        who: given.by.clone(),
        at: given.at,
    });
    RequestView {
        request: access.request.clone(),
        key: access.key,
        by: access.by.clone(),
        yours,
        needs: access.needs,
        approved: approved.collect(),
        seen: access.first_seen(),
        state: access.shown(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::testing::{NOW, asked, request};

    #[test]
    fn a_full_inbox_cuts_off_nothing_of_ones_own_and_no_alarm() {
        let many = |who: &str, count: u64, needs| -> Vec<_> {
            let one = |n| Arc::new(asked(request(who, n, false), needs));
            (0..count).map(one).collect()
        };
        let (own, others) = (many("ben", 30, 0), many("crowd", 60, 1));
        let alarm = Arc::new(asked(request("max", 1, true), 0));
        let mut ranked: Vec<_> = own.iter().map(|one| (Rank::Own, one)).collect();
        ranked.push((Rank::Alarm, &alarm));
        ranked.extend(others.iter().map(|one| (Rank::Yours, one)));

        let views = fitting(&ranked, NOW);

        let ids: Vec<_> = views.iter().map(RequestView::id).collect();
        assert!(own.iter().all(|one| ids.contains(&one.id)));
        assert_eq!(ids.get(30), Some(&alarm.id));
        assert!(ids.len() < 91, "and the rest as it fits");
        let line = serde_json::to_string(&views).map_or(usize::MAX, |text| text.len());
        assert!(line <= tidegate_proto::sse::MAX_LINE, "{line}");
    }
}
