//! How many requests there may be: so many of one person, and so many that outlets must hear of for one service.
//! What one person does takes nobody else's place, and requests take none from break-glass.

use std::sync::Arc;

use tidegate_proto::{
    names::Subject,
    statement::{AccessRequest, GrantId},
    time::UnixTime,
};

use super::Access;
use crate::refusal::Refusal;

/// Waiting ones of one person, and live ones: all of them are always in that person's list.
const MOST_OPEN: usize = 10;
const MOST_LIVE: usize = 20;
/// The same, for break-glass.
const MOST_ALARMS: usize = 6;
/// Of one person for one service that outlets must hear of, also when they were taken back.
const MOST_TOLD: usize = 40;
/// Ended ones of one person that are still shown; older ones make room.
const MOST_SHOWN: usize = 40;
/// Waiting and live ones of one service, of all people, and so many more for break-glass.
const MOST_OF_SERVICE: usize = 2_000;
const RESERVE: usize = 500;

/// What there is already.
pub(crate) struct Room<'a> {
    all: &'a [Arc<Access>],
    who: &'a Subject,
    now: UnixTime,
}

impl<'a> Room<'a> {
    pub(crate) fn of(all: &'a [Arc<Access>], who: &'a Subject, now: UnixTime) -> Self {
        Self { all, who, now }
    }

    /// Whether one more fits.
    pub(crate) fn takes(&self, request: &AccessRequest) -> Result<(), Refusal> {
        let alike = |access: &&Access| access.emergency == request.emergency;
        let own = || self.own().filter(alike);
        let waiting = own().filter(|access| access.is_waiting(self.now)).count();
        let live = own().filter(|access| access.could_run(self.now)).count();
        let fits = match request.emergency {
            true => waiting + live < MOST_ALARMS,
            false => waiting < MOST_OPEN && live < MOST_LIVE,
        };
        let told = self.own().filter(|access| {
            access.service == request.service && access.matters_to_outlets(self.now)
        });
        let here = self.all.iter().filter(|access| {
            access.service == request.service
                && (access.is_waiting(self.now) || access.could_run(self.now))
        });
        let most = match request.emergency {
            true => MOST_OF_SERVICE + RESERVE,
            false => MOST_OF_SERVICE,
        };
        if fits && told.count() < MOST_TOLD && here.count() < most {
            Ok(())
        } else {
            Err(Refusal::TooManyRequests)
        }
    }

    /// The person's oldest that are over, beyond so many: nobody needs to hear of them, nobody but that person sees them.
    pub(crate) fn in_the_way(&self) -> Vec<GrantId> {
        let over = |access: &&Access| {
            let open = access.is_waiting(self.now) || access.matters_to_outlets(self.now);
            // An alarm is shown to others until they have seen it.
            !open && !access.emergency
        };
        let mut over: Vec<_> = self.own().filter(over).collect();
        over.sort_by_key(|access| std::cmp::Reverse(access.asked));
        let old = over.iter().skip(MOST_SHOWN - 1);
        old.map(|access| access.id).collect()
    }

    fn own(&self) -> impl Iterator<Item = &Access> {
        let all = self.all.iter().map(|access| &**access);
        all.filter(|access| access.by.sub == *self.who)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::access::testing::{NOW, asked, request};

    fn takes(all: &[Arc<Access>], who: &str, emergency: bool) -> bool {
        let sub = who.parse().unwrap();
        let room = Room::of(all, &sub, NOW);
        room.takes(&request(who, 9_999, emergency)).is_ok()
    }

    fn many(who: &str, count: u64, emergency: bool, approvals: u8) -> Vec<Arc<Access>> {
        let one = |n| Arc::new(asked(request(who, n, emergency), approvals));
        (0..count).map(one).collect()
    }

    #[test]
    fn what_one_person_does_takes_nobody_elses_place() {
        let mut all = Vec::new();
        for n in 0..300 {
            let withdrawn = asked(request("eve", n, false), 1).withdrawn(NOW).unwrap();
            let eve = "eve".parse().unwrap();
            assert!(takes(&all, "eve", false), "{n}");
            let room = Room::of(&all, &eve, NOW);
            let gone = room.in_the_way();
            all.retain(|access| !gone.contains(&access.id));
            all.push(Arc::new(withdrawn));
        }
        assert_eq!(all.len(), MOST_SHOWN);
        all.extend(many("eve", 10, false, 1));

        assert!(!takes(&all, "eve", false), "but her own");
        assert!(takes(&all, "eve", true), "not even that");
        assert!(takes(&all, "ana", false) && takes(&all, "max", true));
    }

    #[test]
    fn a_busy_service_keeps_room_for_break_glass() {
        let mut all = Vec::new();
        for person in 0..200 {
            all.extend(many(&format!("p{person}"), 10, false, 1));
        }

        assert!(!takes(&all, "ana", false));
        assert!(takes(&all, "max", true));
    }

    #[test]
    fn who_takes_back_without_end_asks_no_more() {
        let by = || tidegate_proto::api::access::Named {
            sub: "eve".parse().unwrap(),
            name: None,
        };
        let mut all = Vec::new();
        let mut told = 0;
        while takes(&all, "eve", false) {
            let because = tidegate_proto::text::Shown::new("");
            let granted = asked(request("eve", told, false), 0);
            all.push(Arc::new(granted.taken_back(by(), because, NOW).unwrap()));
            told += 1;
        }

        assert_eq!(told, MOST_TOLD as u64, "outlets must hear of all of them");
        let eve = "eve".parse().unwrap();
        assert_eq!(Room::of(&all, &eve, NOW).in_the_way(), []);
    }
}
