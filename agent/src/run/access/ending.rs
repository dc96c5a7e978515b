//! How long what was granted to this device still lasts, and when the person is warned that it ends.
//! A warning is a state and no event: whoever shows it compares it with what was shown before, so none is lost or said twice.

use tidegate_proto::api::access::RequestState;
use tidegate_proto::names::ServiceName;
use tidegate_proto::time::UnixTime;

use super::super::state::Home;
use super::standing::{Told, choose};
use crate::snapshot::{Follower, GrantHere};

/// Minutes before the end at which a person is warned.
const WARNINGS: [u8; 3] = [1, 5, 15];

/// What this device holds for the service.
pub(in crate::run) fn grant_here(
    home: &Home,
    service: &ServiceName,
    now: UnixTime,
) -> Option<GrantHere> {
    let own = home.identity.as_ref().map(|key| key.verify_key());
    let here = |told: &&Told| told.is_by(own) && told.request.service == *service;
    shown(&home.asked.iter().filter(here).collect::<Vec<_>>(), now)
}

fn shown(all: &[&Told], now: UnixTime) -> Option<GrantHere> {
    let told = choose(all, now)?;
    let RequestState::Granted {
        extent, claim_by, ..
    } = &told.view.state
    else {
        return None;
    };
    let others = all.iter().filter(|other| other.id() != told.id());
    let follower = others
        .map(|other| follows(other))
        .max()
        .unwrap_or(Follower::Nothing);
    let until = told.end();
    let warned = until.filter(|_| follower != Follower::Granted);
    Some(GrantHere {
        request: told.id().to_string(),
        seconds: extent.seconds,
        read_only: extent.read_only,
        until,
        claim_by: *claim_by,
        warning: warned.and_then(|until| warning(extent.seconds, now.until(until))),
        follower,
    })
}

fn follows(other: &Told) -> Follower {
    match &other.view.state {
        RequestState::Granted {
            first_use: None, ..
        } => Follower::Granted,
        RequestState::Waiting { .. } => Follower::Asked,
        _ => Follower::Nothing,
    }
}

/// The last warning that is due. Whoever was given ten minutes knows from the start that it is less than fifteen.
fn warning(given: u64, left: u64) -> Option<u8> {
    let due = |minutes: &u8| {
        let seconds = u64::from(*minutes) * 60;
        left <= seconds && seconds < given
    };
    WARNINGS.into_iter().find(due)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::standing::tests::{NOW, granted_for, waiting};
    use super::*;

    #[test]
    fn warns_at_fifteen_five_and_one_minutes_and_not_of_what_was_known_at_the_start() {
        let hour = |left| warning(3_600, left);

        assert_eq!(hour(901), None);
        assert_eq!(hour(900), Some(15));
        assert_eq!(hour(301), Some(15));
        assert_eq!(hour(300), Some(5));
        assert_eq!(hour(60), Some(1));
        assert_eq!(hour(0), Some(1));
        assert_eq!(warning(600, 600), None);
        assert_eq!(warning(600, 300), Some(5));
        assert_eq!(warning(60, 30), None);
    }

    #[test]
    fn nobody_is_warned_once_something_follows_and_asking_alone_is_not_enough() {
        let used = granted_for(3_600, 0, Some(0));
        let (asked, next) = (waiting(3_000), granted_for(3_600, 3_100, None));
        let at = NOW.plus(3_000);

        let alone = shown(&[&used], at).unwrap();
        assert_eq!(alone.until, Some(NOW.plus(3_600)));
        assert_eq!(
            (alone.warning, alone.follower),
            (Some(15), Follower::Nothing)
        );
        let with_asked = shown(&[&used, &asked], at).unwrap();
        assert_eq!(
            (with_asked.warning, with_asked.follower),
            (Some(15), Follower::Asked)
        );
        let followed = shown(&[&asked, &used, &next], at).unwrap();
        assert_eq!(followed.request, used.id().to_string());
        assert_eq!(
            (followed.warning, followed.follower),
            (None, Follower::Granted)
        );
        assert_eq!(shown(&[&asked], at), None);
    }
}
