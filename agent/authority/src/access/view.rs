//! Which requests concern whom: one's own, those one may decide, those one approved; and what an outlet hears.
//! Whoever may not decide a request does not learn that it exists.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_proto::{
    api::access::{FirstUse, GrantNews, MAX_VIEWS, NamedAt, RequestView, TakenBack},
    grant::is_one_person,
    names::ServiceName,
    principal::Principal,
    statement::Assurance,
    time::UnixTime,
};

use super::Access;
use crate::in_force::InForce;

/// Bytes of a list, at most: an event holds no more.
const MOST_BYTES: usize = 56 * 1024;

/// Those that concern this person, the ones to decide first, then the newest.
pub(crate) fn views_for(
    all: &[Arc<Access>],
    who: &Principal,
    in_force: &InForce,
    now: UnixTime,
) -> Vec<RequestView> {
    let mut approves = HashMap::new();
    let mut views: Vec<_> = all
        .iter()
        .filter_map(|access| {
            let may = may_decide(access, who, in_force, now, &mut approves);
            let concerns = access.by.sub == who.sub
                || (may && access.is_waiting(now))
                || (access.is_live(now)
                    && (access.approved_by(&who.sub) || may && access.emergency));
            let yours = may && access.is_waiting(now) && !access.approved_by(&who.sub);
            concerns.then(|| (access, view(access, yours, now)))
        })
        .collect();
    views.sort_by_key(|(access, view)| {
        (
            !view.yours,
            !access.is_waiting(now),
            std::cmp::Reverse(access.gone_at()),
        )
    });
    let (mut room, mut fitting) = (MOST_BYTES, Vec::new());
    for (_, view) in views.into_iter().take(MAX_VIEWS) {
        let size = serde_json::to_string(&view).map_or(usize::MAX, |text| text.len() + 1);
        let Some(left) = room.checked_sub(size) else {
            break;
        };
        room = left;
        fitting.push(view);
    }
    fitting
}

/// Whether this person may decide about it, as the outlets will judge it: by the rules, in a browser, and not their own.
fn may_decide(
    access: &Access,
    who: &Principal,
    in_force: &InForce,
    now: UnixTime,
    approves: &mut HashMap<ServiceName, bool>,
) -> bool {
    let own = is_one_person(
        (&access.by.sub, access.email.as_deref()),
        (&who.sub, who.email.as_deref()),
    );
    if own || who.assurance != Assurance::High {
        return false;
    }
    let service = access.service.clone();
    *approves
        .entry(service)
        .or_insert_with(|| in_force.may_approve(who, &access.service, now))
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
        seen: access.seen.clone(),
        state: access.shown(now),
    }
}

/// What an outlet of these services hears.
pub(crate) fn news_for(
    all: &[Arc<Access>],
    serves: impl Fn(&ServiceName) -> bool,
    now: UnixTime,
) -> GrantNews {
    let mine = || {
        let matters = |access: &&Arc<Access>| serves(&access.service) && now < access.last();
        all.iter().filter(matters)
    };
    let used = mine().filter_map(|access| {
        Some(FirstUse {
            grant: access.id,
            at: access.first_use?,
            until: access.last(),
        })
    });
    let taken_back = mine().filter(|access| access.is_taken_back());
    let taken_back = taken_back.map(|access| TakenBack {
        grant: access.id,
        until: access.last(),
    });
    GrantNews {
        used: used.take(GrantNews::MAX).collect(),
        taken_back: taken_back.take(GrantNews::MAX).collect(),
    }
}
