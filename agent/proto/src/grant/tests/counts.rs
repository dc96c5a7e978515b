//! Whether a genuine grant counts now: its clock, what is remembered of it, who is out since, the rules of now.

use super::*;

#[test]
fn the_clock_starts_at_the_first_use_and_the_claim_window_bounds_the_wait() {
    let mut world = World::asking();
    let grant = world.grant();
    let (claim_by, day) = (APPROVED.plus(86_400), NOW.plus(86_000));

    assert_eq!(live(&world, &grant, day).unwrap().end, day.plus(7200));
    let just = claim_by.plus(59);
    let bound = claim_by.plus(7200);
    assert_eq!(
        live(&world, &grant, just).unwrap().end,
        bound,
        "and no more"
    );
    let late = claim_by.plus(60);
    assert_eq!(live(&world, &grant, late), Err(NotLive::Unclaimed));

    world.standing.grants.used(grant.id(), NOW, NOW);
    let end = NOW.plus(7200);
    assert_eq!(live(&world, &grant, NOW.plus(7199)).unwrap().end, end);
    assert_eq!(live(&world, &grant, end), Err(NotLive::Over));
    assert_eq!(live(&world, &grant, day), Err(NotLive::Over));

    // Another outlet says that it was used earlier: that shortens it, and nothing makes it longer.
    assert!(world.standing.grants.used(grant.id(), NOW.minus(50), NOW));
    assert!(!world.standing.grants.used(grant.id(), NOW.plus(50), NOW));
    assert_eq!(live(&world, &grant, NOW).unwrap().end, end.minus(50));
}

#[test]
fn what_was_used_is_remembered_for_as_long_as_it_matters() {
    let (mut world, grant) = (World::asking(), World::asking().grant());
    let until = NOW.plus(Grants::KEPT);
    assert!(world.standing.grants.used(grant.id(), NOW, NOW));
    assert!(world.standing.grants.take_back(grant.id(), NOW));
    let later = NOW.plus(50);
    assert!(!world.standing.grants.take_back(grant.id(), later), "once");

    let json = serde_json::to_string(&world.standing.grants).unwrap();
    assert_eq!(
        serde_json::from_str::<Grants>(&json).unwrap(),
        world.standing.grants
    );

    world.standing.grants.forget(until.plus(59));
    assert!(world.standing.grants.is_taken_back(grant.id()));
    assert_eq!(world.standing.grants.first_use(grant.id()), Some(NOW));
    world.standing.grants.forget(until.plus(60));
    assert_eq!(world.standing.grants, Grants::default());
}

#[test]
fn a_use_that_came_to_nothing_takes_no_earlier_one_with_it() {
    let (mut grants, id) = (Grants::default(), World::asking().grant().id());
    grants.used(id, NOW, NOW);
    grants.used(id, NOW.minus(30), NOW);

    grants.unuse(id, NOW);

    assert_eq!(grants.first_use(id), Some(NOW.minus(30)));
    grants.unuse(id, NOW.minus(30));
    assert_eq!(grants.first_use(id), None);
}

#[test]
fn a_rule_that_waits_longer_brings_nothing_back_that_was_used_up_or_taken_back() {
    let mut world = World::asking();
    let (used, mut other) = (world.grant(), world.request());
    other.id = "r2".to_owned();
    let back = world.granted(&other, &[ben()]);
    let hour = ASKING.replace(r#"@longest("4h")"#, r#"@claim("1h")"#);
    world.standing.policy = Policies::compile(&hour, OWNER).unwrap();
    assert!(live(&world, &used, NOW).is_ok());
    world.standing.grants.used(used.id(), NOW, NOW);
    world.standing.grants.take_back(back.id(), NOW);

    let week = ASKING.replace(r#"@longest("4h")"#, r#"@claim("7d")"#);
    world.standing.policy = Policies::compile(&week, OWNER).unwrap();

    for hours in [4, 24, 7 * 24, 14 * 24] {
        let now = NOW.plus(hours * 3_600);
        world.standing.grants.forget(now);
        assert_eq!(live(&world, &used, now), Err(NotLive::Over), "{hours} h");
        assert_eq!(live(&world, &back, now), Err(NotLive::TakenBack));
    }
}

#[test]
fn what_runs_at_the_end_may_finish_only_where_every_rule_says_so() {
    let mut world = World::asking();
    let grant = world.grant();
    assert_eq!(live(&world, &grant, NOW).unwrap().finish, 0);
    let five = ASKING.replace(r#"@longest("4h")"#, r#"@finish("5m")"#);
    world.standing.policy = Policies::compile(&five, OWNER).unwrap();
    let allowed = live(&world, &grant, NOW).unwrap();
    let silent =
        format!("{five} permit (principal, action == Tidegate::Action::\"request\", resource);");
    world.standing.policy = Policies::compile(&silent, OWNER).unwrap();

    assert_eq!(allowed.finish, 300);
    assert_eq!(live(&world, &grant, NOW).unwrap().finish, 0);
    world.standing.grants.used(grant.id(), NOW, NOW);
    let over = live(&world, &grant, allowed.end);
    assert_eq!(over, Err(NotLive::Over), "it moves no end");
}

#[test]
fn more_grants_than_are_remembered_let_nobody_in_with_an_older_one() {
    let mut world = World::asking();
    let grant = world.grant();
    world.standing.grants.take_back(grant.id(), NOW);
    for n in 0..Grants::MAX {
        let id = StatementHash::of(&n.to_string());
        world.standing.grants.take_back(id, NOW);
    }

    assert_eq!(live(&world, &grant, NOW), Err(NotLive::Forgotten));
    let json = serde_json::to_string(&world.standing.grants).unwrap();
    assert!(json.len() < 1 << 20, "{}", json.len());
}

#[test]
fn what_was_taken_back_or_approved_by_somebody_who_is_out_ends() {
    let mut world = World::asking();
    let grant = world.grant();
    let who = RevokeTarget::Subject("00uben".parse().unwrap());
    let judged = |revoked: Vec<Revoked>, floor| {
        let mut out = world.standing.clone();
        let mut beacon = Beacon {
            org: org(),
            epoch: 7,
            at: NOW,
            versions: Newest::default(),
            revoked: vec![],
            floor,
        };
        let key = out.authority.key;
        out.revocations.learn(&beacon, &key, NOW);
        (beacon.epoch, beacon.revoked) = (7 + revoked.len() as u64, revoked);
        out.revocations.learn(&beacon, &key, NOW);
        live_on(&world, &out, &grant, NOW)
    };

    let out = judged(vec![Revoked { who, epoch: 8 }], 0);
    assert_eq!(out, Err(NotLive::ApproverRevoked));
    let unnamed = judged(vec![], 8);
    assert_eq!(unnamed, Err(NotLive::ApprovalStale), "nobody can tell");
    assert!(judged(vec![], 7).is_ok());
    assert!(live(&world, &grant, NOW).is_ok());

    world.standing.grants.take_back(grant.id(), NOW);
    assert_eq!(live(&world, &grant, NOW), Err(NotLive::TakenBack));
}

#[test]
fn the_rules_of_now_decide_whether_enough_of_the_right_people_approved() {
    let mut world = World::asking();
    let (one, zoe) = (world.grant(), colleague("00uzoe", 31));
    let two = world.granted(&world.request(), &[ben(), zoe]);
    let mut under = |org: &str, grant: &Grant| {
        world.standing.policy = Policies::compile(org, OWNER).unwrap();
        live(&world, grant, NOW)
    };

    let strict = ASKING.replace(r#"@longest("4h")"#, r#"@approvals("2")"#);
    assert_eq!(under(&strict, &one), Err(NotLive::TooFew));
    assert!(under(&strict, &two).is_ok());

    let short = ASKING.replace("4h", "119m");
    assert_eq!(under(&short, &one), Err(NotLive::TooLong));

    let stricter = format!(
        "{ASKING} @approvals(\"2\") permit (principal, action == Tidegate::Action::\"request\", resource);"
    );
    assert_eq!(
        under(&stricter, &one),
        Err(NotLive::TooFew),
        "the strictest rule counts"
    );

    let others = ASKING.replace("data-owners", "board");
    assert!(matches!(under(&others, &one), Err(NotLive::Approving(_))));
    let nobody = ASKING.replace("data-science", "finance");
    assert!(matches!(under(&nobody, &one), Err(NotLive::Asking(_))));
    let broken = format!(
        "{ASKING} forbid (principal, action, resource) when {{ context.weekday + 9223372036854775807 > 0 }};"
    );
    let judged = under(&broken, &one).unwrap_err();
    assert!(matches!(judged, NotLive::Asking(denied) if denied.ground == Because::Error));
}

#[test]
fn a_rule_may_let_in_whoever_only_asks() {
    let mut world = World::asking();
    let asked = world.granted(&world.request(), &[]);
    assert_eq!(live(&world, &asked, NOW), Err(NotLive::TooFew));

    let open = ASKING.replace(r#"@longest("4h")"#, r#"@approvals("0")"#);
    world.standing.policy = Policies::compile(&open, OWNER).unwrap();

    assert!(live(&world, &asked, NOW).is_ok());
}

#[test]
fn break_glass_needs_a_rule_of_its_own() {
    let mut world = World::asking();
    let mut request = world.request();
    request.emergency = true;
    let alarmed = world.granted(&request, &[]);
    assert!(matches!(
        live(&world, &alarmed, NOW),
        Err(NotLive::Asking(_))
    ));

    let on_call = format!(
        "{ASKING} @longest(\"2h\") permit (principal, action == Tidegate::Action::\"emergency\", resource);"
    );
    world.standing.policy = Policies::compile(&on_call, OWNER).unwrap();

    assert!(live(&world, &alarmed, NOW).is_ok());
    assert!(check(&world, &alarmed).unwrap().emergency);
}
