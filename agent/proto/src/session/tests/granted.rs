//! A circuit on which something was granted: check 8 in its place, the deadline, the end of a portal, a second grant.
//! Whether a grant is genuine is tested in `grant`; here it is one among ten checks.

use super::*;
use crate::{
    frame::Open,
    grant::{Grant, GrantError, NotLive},
    testing::office::{ASKING, OWNER, colleague},
};

fn presenting(world: &World, grant: &Grant) -> Vec<u8> {
    let auth = Auth {
        grant: Some(grant.clone()),
        ..world.auth()
    };
    auth.encode().unwrap()
}

fn under(portal: u64, grant: &Grant) -> Open<'static> {
    Open {
        grant: Some(grant.id().0),
        ..open(portal)
    }
}

fn carrying(world: &World, grant: &Grant) -> Session {
    let mut session = world.session();
    let auth = presenting(world, grant);
    session.handle_auth(&auth, &world.standing, NOW).unwrap();
    let allowed = session.handle_open(&under(1, grant), &world.standing, &at(NOW), NOW);
    let used = allowed.unwrap().event().grant.clone().unwrap();
    assert_eq!(used.id, grant.id());
    assert_eq!(used.approvers, ["00uben".parse().unwrap()]);
    session
}

/// Ana keeps her sign-in fresh while she works.
fn renewed(world: &World, grant: Option<&Grant>, now: UnixTime) -> Vec<u8> {
    let mut credential = world.credential();
    (credential.not_before, credential.not_after) = (now, now.plus(600));
    let mut newer = world.refreshed();
    set(&mut newer, "iat", json!(now.0));
    set(&mut newer, "exp", json!(now.0 + 3600));
    let auth = Auth {
        credential: credential.sign(&world.authority),
        id_token_n: Some(world.provider.sign(&newer)),
        grant: grant.cloned(),
        ..world.auth()
    };
    auth.encode().unwrap()
}

#[test]
fn without_a_grant_whoever_may_ask_is_told_to_and_nobody_else() {
    let mut world = World::asking();
    let refused = |world: &World| {
        let opened = world
            .warm()
            .handle_open(&open(1), &world.standing, &at(NOW), NOW);
        opened.unwrap_err()
    };

    assert_eq!(refused(&world).code, Code::AskFirst);

    let nobody = ASKING.replace("data-science", "finance");
    world.standing.policy = Policies::compile(&nobody, OWNER).unwrap();
    assert_eq!(refused(&world).code, Code::NotAvailable);
}

fn for_five_minutes(world: &World) -> Grant {
    let mut request = world.request();
    request.extent.seconds = 300;
    let mut grant = world.granted(&request, &[]);
    let approval = world.approval_but(&grant.request, &colleague("00uben", 30), |statement| {
        statement.extent.seconds = 300;
    });
    grant.approvals.push(approval);
    grant
}

#[test]
fn a_grant_opens_and_its_end_is_the_deadline() {
    let mut world = World::asking();
    let short = for_five_minutes(&world);
    let session = carrying(&world, &short);
    let in_use = session.grant_in_use(&world.standing, NOW);
    assert_eq!(in_use, Ok(Some(short.id())));

    world.standing.grants.used(short.id(), NOW, NOW);
    let at_end = |now| session.still_allowed(&world.standing, &at(now), now);

    assert_eq!(at_end(NOW.plus(299)), Ok(NOW.plus(300)));
    let over = at_end(NOW.plus(300)).unwrap_err();
    assert_eq!(over.code, Code::GrantEnded);
    assert_eq!(over.exact, RefusalReason::GrantNotLive(NotLive::Over));
}

#[test]
fn a_portal_without_a_grant_gets_nothing_from_one_that_was_presented() {
    let world = World::asking();
    let mut session = world.session();
    let grant = world.grant();
    session
        .handle_auth(&presenting(&world, &grant), &world.standing, NOW)
        .unwrap();

    let plain = session.handle_open(&open(1), &world.standing, &at(NOW), NOW);
    assert_eq!(plain.unwrap_err().code, Code::AskFirst);
    let other = Open {
        grant: Some([9; 32]),
        ..open(2)
    };
    let other = session.handle_open(&other, &world.standing, &at(NOW), NOW);
    assert_eq!(other.unwrap_err().exact, RefusalReason::NotPresented);

    let unseen = world
        .warm()
        .handle_open(&under(3, &grant), &world.standing, &at(NOW), NOW);
    assert_eq!(unseen.unwrap_err().exact, RefusalReason::NotPresented);
}

#[test]
fn a_grant_that_is_not_genuine_admits_nobody_and_looks_like_any_refusal() {
    let world = World::asking();
    let mut grant = world.grant();
    grant.approvals[0].seal.clone_from(&grant.seal);

    let mut session = world.session();
    let refusal = session
        .handle_auth(&presenting(&world, &grant), &world.standing, NOW)
        .unwrap_err();

    assert_eq!(refusal.exact, RefusalReason::Grant(GrantError::OtherSeal));
    assert_eq!(refusal.code, Code::NotAdmitted);
    assert!(session.principal().is_none());
}

#[test]
fn what_is_taken_back_ends_what_is_open_and_opens_nothing_more() {
    let mut world = World::asking();
    let grant = world.grant();
    let mut session = carrying(&world, &grant);

    world.standing.grants.take_back(grant.id(), NOW);

    let ended = session.still_allowed(&world.standing, &at(NOW), NOW);
    assert_eq!(ended.unwrap_err().code, Code::GrantEndedByPeople);
    let started = session.grant_in_use(&world.standing, NOW).unwrap_err();
    assert_eq!(started.code, Code::GrantEndedByPeople, "no clock starts");
    session.portal_ended(&world.standing, NOW).unwrap();
    let again = session.handle_open(&under(2, &grant), &world.standing, &at(NOW), NOW);
    assert_eq!(again.unwrap_err().code, Code::GrantTakenBack);
}

#[test]
fn rules_that_became_stricter_end_what_is_open() {
    let mut world = World::asking();
    let session = carrying(&world, &world.grant());
    let strict = ASKING.replace(r#"@longest("4h")"#, r#"@approvals("2")"#);
    world.standing.policy = Policies::compile(&strict, OWNER).unwrap();

    let ended = session.still_allowed(&world.standing, &at(NOW), NOW);

    assert_eq!(ended.unwrap_err().code, Code::PolicyChanged);
}

#[test]
fn a_policys_no_is_heard_before_time_that_is_up() {
    let mut world = World::asking();
    let short = for_five_minutes(&world);
    let session = carrying(&world, &short);
    world.standing.grants.used(short.id(), NOW, NOW);
    let after = NOW.plus(300);
    let closed = r#"forbid (principal, action == Tidegate::Action::"connect", resource);"#;
    let ended = |world: &World| {
        let allowed = session.still_allowed(&world.standing, &at(after), after);
        allowed.unwrap_err().code
    };

    assert_eq!(ended(&world), Code::GrantEnded);
    world.standing.policy = Policies::compile(ASKING, &format!("{OWNER}\n{closed}")).unwrap();
    assert_eq!(ended(&world), Code::PolicyChanged);
}

#[test]
fn a_longer_grant_that_comes_in_time_carries_a_running_portal_on() {
    let mut world = World::asking();
    let first = world.grant();
    let mut session = carrying(&world, &first);
    world.standing.grants.used(first.id(), NOW, NOW);
    let mut more = world.request();
    (more.id, more.extends) = ("r2".to_owned(), Some(first.id()));
    let second = world.granted(&more, &[colleague("00uben", 30)]);
    let late = NOW.plus(7100);

    let auth = renewed(&world, Some(&second), late);
    session.handle_reauth(&auth, &world.standing, late).unwrap();

    let in_use = session.grant_in_use(&world.standing, late);
    assert_eq!(in_use, Ok(Some(second.id())), "whose clock begins now");
    world.standing.grants.used(second.id(), late, late);
    let after = NOW.plus(7300);
    let deadline = session.still_allowed(&world.standing, &at(after), after);
    assert_eq!(deadline, Ok(late.plus(900)), "the credential ends first");
}

#[test]
fn a_renewal_that_leaves_the_grant_out_ends_what_it_held_open() {
    let world = World::asking();
    let mut session = carrying(&world, &world.grant());

    let auth = renewed(&world, None, NOW);
    session.handle_reauth(&auth, &world.standing, NOW).unwrap();

    let ended = session.still_allowed(&world.standing, &at(NOW), NOW);
    assert_eq!(ended.unwrap_err().code, Code::PolicyChanged);
}

#[test]
fn a_standing_right_does_not_depend_on_a_grant_beside_it() {
    let mut world = World::asking();
    world.standing.policy = Policies::compile(
        &format!("{ALLOWING} {ASKING}"),
        &format!("{ALLOWING} {OWNER}"),
    )
    .unwrap();
    let grant = world.grant();
    let mut session = world.session();
    session
        .handle_auth(&presenting(&world, &grant), &world.standing, NOW)
        .unwrap();

    let allowed = session.handle_open(&open(1), &world.standing, &at(NOW), NOW);
    assert!(allowed.unwrap().event().grant.is_none());
    world.standing.grants.take_back(grant.id(), NOW);

    assert!(
        session
            .still_allowed(&world.standing, &at(NOW), NOW)
            .is_ok()
    );
    assert_eq!(session.grant_in_use(&world.standing, NOW), Ok(None));
}
