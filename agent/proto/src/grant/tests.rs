//! Grants that hold, and every way in which one does not: forged, replayed, widened, by the wrong person, at the wrong time.
//! The same checks decide at the authority and at the outlet, so they are tested here once, on real signatures and real rules.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    idtoken::{FormerKeys, IdTokenError},
    policy::{Ground as Because, Policies, Resource},
    session::Standing,
    statement::{Beacon, Credential, JwsError, Newest, RevokeTarget, Revoked, ServiceKind},
    testing::{
        NOW, World, key,
        office::{APPROVED, ASKED, ASKING, Colleague, OWNER, colleague},
        org, set, warehouse,
    },
};
use proptest::prelude::*;
use serde_json::json;

fn ana(world: &World) -> Principal {
    let legs = world.auth().legs();
    legs.stand(&world.standing.trust(), NOW).unwrap().principal
}

fn check(world: &World, grant: &Grant) -> Result<Granted, GrantError> {
    let trust = world.standing.trust();
    let key = world.identity.verify_key();
    grant.verify(&ana(world), &key, &warehouse(), &trust, NOW)
}

fn resource() -> Resource {
    Resource {
        org: org(),
        service: warehouse(),
        kind: ServiceKind::Postgres,
    }
}

fn live(world: &World, grant: &Grant, now: UnixTime) -> Result<Live, NotLive> {
    live_on(world, &world.standing, grant, now)
}

fn live_on(world: &World, s: &Standing, grant: &Grant, now: UnixTime) -> Result<Live, NotLive> {
    let resource = resource();
    let ground = Ground {
        policy: &s.policy,
        revocations: &s.revocations,
        grants: &s.grants,
        resource: &resource,
        authority: s.authority.key,
    };
    let granted = check(world, grant).unwrap();
    granted.live(&ana(world), &ground, now)
}

fn ben() -> Colleague {
    colleague("00uben", 30)
}

#[test]
fn what_was_asked_for_and_approved_holds() {
    let world = World::asking();

    let granted = check(&world, &world.grant()).unwrap();

    assert_eq!(granted.extent.seconds, 7200);
    assert_eq!(granted.approvers(), ["00uben".parse().unwrap()]);
    assert_eq!((granted.asked, granted.complete), (ASKED, APPROVED));
    let live = live(&world, &world.grant(), NOW).unwrap();
    assert_eq!(live.end, NOW.plus(7200), "the clock starts now");
    assert_eq!(live.last, APPROVED.plus(86_400 + 7200));
}

#[test]
fn the_narrowest_of_all_that_was_given_counts() {
    let world = World::asking();
    let mut grant = world.granted(&world.request(), &[ben()]);
    let zoe = colleague("00uzoe", 31);
    let narrower = world.approval_but(&grant.request, &zoe, |statement| {
        statement.extent.seconds = 600;
        statement.extent.read_only = true;
    });
    grant.approvals.push(narrower);

    let granted = check(&world, &grant).unwrap();

    let extent = Extent {
        seconds: 600,
        read_only: true,
    };
    assert_eq!(granted.extent, extent);
    assert_eq!(
        live(&world, &grant, NOW),
        Err(NotLive::ReadOnly),
        "nobody could be held to it"
    );
}

#[test]
fn rejects_an_approval_that_nobody_made() {
    let world = World::asking();
    let request = world.request().sign(&world.identity);

    // The authority writes one itself: it has no key that Ben's sign-in is bound to.
    let mut invented = ben();
    invented.identity = key(66);
    invented.credential.cnf = key(66).verify_key().peer_id();
    let mut grant = world.grant();
    grant.approvals = vec![world.approval(&request, &invented)];
    let token = RefusalReason::IdToken(IdTokenError::Commitment);
    assert_eq!(
        check(&world, &grant),
        Err(GrantError::Approver(Box::new(token)))
    );

    // Ben's legs over a statement of somebody else.
    let mut swapped = world.approval(&request, &invented);
    swapped.legs = world.legs_of(&ben());
    grant.approvals = vec![swapped];
    let forged = StatementError::Jws(JwsError::Key);
    assert_eq!(check(&world, &grant), Err(GrantError::Approval(forged)));

    // A credential that another authority signed.
    let mut other = World::asking();
    other.authority = key(67);
    other.provider.kid.clone_from(&world.provider.kid);
    grant.approvals = vec![other.approval(&request, &ben())];
    let forged = StatementError::Jws(JwsError::Key);
    assert_eq!(check(&world, &grant), Err(GrantError::Seal(forged)));
}

#[test]
fn rejects_any_change_of_any_byte_of_what_was_signed() {
    let world = World::asking();
    let grant = world.grant();
    let texts: [fn(&mut Grant) -> &mut String; 4] = [
        |grant| &mut grant.request,
        |grant| &mut grant.seal,
        |grant| &mut grant.approvals[0].grant,
        |grant| &mut grant.approvals[0].seal,
    ];

    for text in texts {
        let length = text(&mut grant.clone()).len();
        for at in (0..length).step_by(7) {
            let mut changed = grant.clone();
            let text = text(&mut changed);
            let byte = if &text[at..=at] == "A" { "B" } else { "A" };
            text.replace_range(at..=at, byte);
            assert!(check(&world, &changed).is_err(), "{at}");
        }
    }
}

#[test]
fn rejects_a_request_of_somebody_else_or_for_something_else() {
    let world = World::asking();
    let with = |change: fn(&mut AccessRequest)| {
        let mut request = world.request();
        change(&mut request);
        check(&world, &world.granted(&request, &[ben()])).unwrap_err()
    };

    assert_eq!(
        with(|r| r.sub = "00ueve".parse().unwrap()),
        GrantError::OtherPerson
    );
    assert_eq!(
        with(|r| r.device = key(66).verify_key().peer_id()),
        GrantError::OtherDevice
    );
    assert_eq!(
        with(|r| r.service = "payroll".parse().unwrap()),
        GrantError::OtherService
    );
    assert_eq!(
        with(|r| r.org = "evil".parse().unwrap()),
        GrantError::Request(StatementError::Org)
    );

    // Signed by another device of hers, whatever it says.
    let mut thief = World::asking();
    thief.identity = key(66);
    let foreign = thief.request().sign(&thief.identity);
    let grant = Grant {
        seal: world.seal(&foreign, ASKED),
        request: foreign,
        approvals: Vec::new(),
    };
    let why = StatementError::Jws(JwsError::Key);
    assert_eq!(check(&world, &grant), Err(GrantError::Request(why)));
}

#[test]
fn rejects_an_approval_of_another_request_and_one_that_gives_more() {
    let world = World::asking();
    let mut grant = world.grant();
    let mut other = world.request();
    other.id = "r2".to_owned();
    let other = other.sign(&world.identity);

    grant.approvals = vec![world.approval(&other, &ben())];
    assert_eq!(check(&world, &grant), Err(GrantError::OtherRequest));

    let wider = world.approval_but(&grant.request, &ben(), |s| s.extent.seconds += 1);
    grant.approvals = vec![wider];
    assert_eq!(check(&world, &grant), Err(GrantError::Wider));

    let mut request = world.request();
    request.extent.read_only = true;
    let mut grant = world.granted(&request, &[]);
    grant.approvals = vec![world.approval(&grant.request, &ben())];
    assert_eq!(check(&world, &grant), Err(GrantError::Wider), "may write");
}

#[test]
fn nobody_approves_their_own_not_even_through_a_second_account() {
    let world = World::asking();
    let own = |who: Colleague| check(&world, &world.granted(&world.request(), &[who]));

    let mut herself = colleague("00uana", 30);
    assert_eq!(own(herself), Err(GrantError::OwnApproval));

    let mut world = World::asking();
    let mut claims = world.claims();
    set(&mut claims, "email", json!("Ana@acme.example"));
    herself = colleague("00uana2", 30);
    set(&mut herself.claims, "email", json!("ana@ACME.example "));
    let mut auth = world.auth();
    auth.id_token_0 = world.provider.sign(&claims);
    let trust = world.standing.trust();
    let ana = auth.legs().stand(&trust, NOW).unwrap().principal;
    let grant = world.granted(&world.request(), &[herself]);
    let key = world.identity.verify_key();
    let checked = grant.verify(&ana, &key, &warehouse(), &trust, NOW);
    assert_eq!(checked, Err(GrantError::OwnApproval));

    world.standing.policy = Policies::compile(ASKING, OWNER).unwrap();
    let twice = world.granted(&world.request(), &[ben(), ben()]);
    assert_eq!(check(&world, &twice), Err(GrantError::SamePerson));
    let crowd = |n: u8| colleague("00ux", n);
    let many: Vec<_> = (40..46).map(crowd).collect();
    let grant = world.granted(&world.request(), &many);
    assert_eq!(check(&world, &grant), Err(GrantError::TooMany));
}

#[test]
fn an_approver_must_have_been_signed_in_then_on_that_device_in_a_browser() {
    let world = World::asking();
    let by = |change: fn(&mut Colleague)| {
        let mut who = ben();
        change(&mut who);
        match check(&world, &world.granted(&world.request(), &[who])) {
            Err(GrantError::Approver(exact)) => Some(*exact),
            Err(GrantError::LowApprover) => None,
            other => panic!("{other:?}"),
        }
    };

    let expired = by(|who| {
        who.credential.not_before = NOW.minus(800);
        who.credential.not_after = NOW.minus(200);
    });
    assert_eq!(
        expired,
        Some(RefusalReason::Credential(StatementError::Expired))
    );
    let later = by(|who| {
        who.credential.not_before = NOW.plus(60);
        who.credential.not_after = NOW.plus(600);
    });
    assert_eq!(
        later,
        Some(RefusalReason::Credential(StatementError::NotYet))
    );
    let stale = by(|who| {
        set(&mut who.claims, "exp", json!(NOW.0 - 130));
    });
    assert_eq!(stale, Some(RefusalReason::IdToken(IdTokenError::Expired)));
    let other = by(|who| who.credential.sub = "00uzoe".parse().unwrap());
    assert_eq!(other, Some(RefusalReason::OtherSubject));
    let code = by(|who| {
        who.claims.as_object_mut().unwrap().remove("nonce");
        who.credential.assurance = Assurance::Low;
    });
    assert_eq!(code, None, "a sign-in with a code decides nothing");
}

#[test]
fn what_was_approved_outlives_the_providers_key_and_nothing_new_does() {
    let mut world = World::asking();
    let grant = world.grant();
    let former = world.standing.keys.clone();
    world.standing.keys = crate::testing::Provider::new("k2").keys();
    let ana = ana(&World::asking());
    let check = |world: &World| {
        let (key, trust) = (world.identity.verify_key(), world.standing.trust());
        grant.verify(&ana, &key, &warehouse(), &trust, NOW)
    };
    let unknown = RefusalReason::IdToken(IdTokenError::UnknownKey);
    let unknown = Err(GrantError::Approver(Box::new(unknown)));
    assert_eq!(check(&world), unknown);

    let mut gone_since = |until| {
        let keys = former.clone();
        world.standing.former = vec![FormerKeys { keys, until }];
        check(&world)
    };

    assert_eq!(
        gone_since(APPROVED.minus(1)),
        unknown,
        "made with an old key"
    );
    assert!(gone_since(APPROVED).is_ok());
    let signs_in = world.auth().legs().stand(&world.standing.trust(), NOW);
    let unknown = RefusalReason::IdToken(IdTokenError::UnknownKey);
    assert!(signs_in.is_err_and(|exact| exact == unknown));
}

#[test]
fn a_seal_dates_nothing_back_or_forward() {
    let world = World::asking();
    let sealed = |at: UnixTime, now: UnixTime| {
        let mut grant = world.grant();
        let approval = &mut grant.approvals[0];
        approval.seal = world.seal(&approval.grant, at);
        let trust = world.standing.trust();
        let key = world.identity.verify_key();
        grant.verify(&ana(&world), &key, &warehouse(), &trust, now)
    };

    assert!(sealed(APPROVED.plus(60), NOW).is_ok());
    assert!(sealed(APPROVED.minus(60), NOW).is_ok());
    assert_eq!(sealed(APPROVED.plus(61), NOW), Err(GrantError::SealTime));
    assert_eq!(sealed(APPROVED.minus(61), NOW), Err(GrantError::SealTime));
    // An outlet whose clock is five minutes behind is told so, not let through.
    assert_eq!(sealed(APPROVED, NOW.minus(300)), Err(GrantError::SealTime));

    let mut grant = world.grant();
    grant.approvals[0].seal.clone_from(&grant.seal);
    assert_eq!(check(&world, &grant), Err(GrantError::OtherSeal));
}

#[test]
fn nobody_approves_what_was_not_asked_for_yet_or_had_run_out() {
    let world = World::asking();
    let asked_at = |at: UnixTime| {
        let mut request = world.request();
        request.at = at;
        check(&world, &world.granted(&request, &[ben()]))
    };

    assert!(asked_at(APPROVED.plus(60)).is_ok());
    assert_eq!(asked_at(APPROVED.plus(61)), Err(GrantError::Order));
    let day = crate::api::access::WAITS;
    assert!(asked_at(APPROVED.minus(day + 60)).is_ok());
    let late = asked_at(APPROVED.minus(day + 61));
    assert_eq!(late, Err(GrantError::Order));
}

#[test]
fn one_device_is_one_person_whatever_it_calls_itself() {
    let world = World::asking();
    let by = |who: &[Colleague]| {
        let mut grant = world.granted(&world.request(), &[]);
        let approvals = who.iter().map(|who| world.approval(&grant.request, who));
        grant.approvals = approvals.collect();
        check(&world, &grant)
    };

    let her_own = colleague("00uzoe", 3);
    assert_eq!(her_own.identity.verify_key(), world.identity.verify_key());
    assert_eq!(by(&[her_own]), Err(GrantError::OwnApproval));
    let twice = [ben(), colleague("00uzoe", 30)];
    assert_eq!(by(&twice), Err(GrantError::SamePerson));
}

#[test]
fn the_last_approver_is_the_last_in_whatever_order_they_are_presented() {
    let world = World::asking();
    let mut grant = world.granted(&world.request(), &[]);
    let zoe = colleague("00uzoe", 31);
    let first = world.approval_but(&grant.request, &zoe, |s| s.at = APPROVED.minus(30));
    let last = world.approval(&grant.request, &ben());
    let subs = ["00uzoe", "00uben"].map(|sub| sub.parse().unwrap());

    grant.approvals = vec![first.clone(), last.clone()];
    assert_eq!(check(&world, &grant).unwrap().approvers(), subs);
    grant.approvals = vec![last, first];
    assert_eq!(check(&world, &grant).unwrap().approvers(), subs);
}

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

#[test]
fn a_request_that_makes_no_sense_is_not_read() {
    let world = World::asking();
    let reads = |change: &dyn Fn(&mut AccessRequest)| {
        let mut request = world.request();
        change(&mut request);
        let jws = request.sign(&world.identity);
        AccessRequest::verify(&jws, &world.identity.verify_key()).is_ok()
    };

    assert!(reads(&|_| ()));
    for seconds in [0, 1, 59, Extent::LONGEST + 1, u64::MAX] {
        assert!(!reads(&|r| r.extent.seconds = seconds), "{seconds}");
    }
    let long = "x".repeat(10_000);
    let reasons = [
        "",
        "   ",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\u{202e}b",
        "a\u{200b}b",
        "\u{1b}[31m",
        &long,
    ];
    for reason in reasons {
        assert!(!reads(&|r| r.reason = reason.to_owned()), "{reason:?}");
    }
    for (characters, fits) in [(160, true), (161, false)] {
        let reason = "数".repeat(characters);
        assert_eq!(reads(&|r| r.reason.clone_from(&reason)), fits);
        assert_eq!(crate::text::Shown::new(&reason).as_str() == reason, fits);
    }
    assert!(reads(
        &|r| r.reason = "数据 für Ana's INC-42 <b>&amp;".to_owned()
    ));

    let grown = json!({"org": "acme", "sub": "00uana", "device": world.request().device, "service": "warehouse",
        "extent": {"seconds": 7200, "rows": 5}, "reason": "x", "at": NOW.0, "id": "r1"});
    let jws = crate::jws::sign("tg-request", grown.to_string().as_bytes(), &world.identity);
    assert!(AccessRequest::verify(&jws, &world.identity.verify_key()).is_err());
    let negative = grown.to_string().replace("7200,\"rows\":5", "-7200");
    let negative = negative.replace("\"rows\":5,\"seconds\":7200", "\"seconds\":-7200");
    let jws = crate::jws::sign("tg-request", negative.as_bytes(), &world.identity);
    assert!(AccessRequest::verify(&jws, &world.identity.verify_key()).is_err());
}

#[test]
fn one_kind_of_statement_never_passes_for_another() {
    let world = World::asking();
    let mut grant = world.grant();
    let credential = world.credential().sign(&world.authority);
    assert!(Seal::verify(&credential, &world.authority.verify_key()).is_err());
    assert!(Credential::verify(&grant.seal, &world.authority.verify_key()).is_err());

    let approval = grant.approvals[0].grant.clone();
    grant.request = approval;
    assert!(matches!(check(&world, &grant), Err(GrantError::Request(_))));
}

#[test]
fn terms_that_cannot_be_read_spoil_the_policy() {
    let with = |terms: &str| {
        let text = ASKING.replace(r#"@longest("4h")"#, terms);
        Policies::compile(&text, OWNER).is_ok()
    };

    assert!(with(
        r#"@longest("7d") @usual("30m") @claim("2h") @approvals("5") @finish("5m")"#
    ));
    let odd = [
        r#"@longest("8d")"#,
        r#"@longest("0s")"#,
        r#"@longest("59s")"#,
        r#"@longest("-1h")"#,
        r#"@longest("forever")"#,
        r#"@longest"#,
        r#"@claim("8d")"#,
        r#"@usual("2 h")"#,
        r#"@finish("301s")"#,
        r#"@finish("30s")"#,
        r#"@approvals("6")"#,
        r#"@approvals("-1")"#,
        r#"@approvals("01")"#,
        r#"@approvals("two")"#,
    ];
    for terms in odd {
        assert!(!with(terms), "{terms}");
    }
    // Not one of the five, or with a slip of the finger: it would say nothing.
    for slip in [
        r#"@approval("2")"#,
        r#"@Approvals("2")"#,
        r#"@max("1h")"#,
        r#"@longuest("1h")"#,
        r#"@note("for the analysts")"#,
    ] {
        assert!(!with(slip), "{slip}");
    }
    assert!(with(r#"@id("asking") @approvals("2")"#));
}

#[test]
fn terms_stand_where_they_are_read_or_nowhere() {
    let request = r#"action == Tidegate::Action::"request""#;
    let on = |effect: &str, action: &str| {
        format!("@approvals(\"2\") {effect} (principal, {action}, resource);")
    };
    let org = |text: &str| Policies::compile(text, "").is_ok();

    assert!(org(&on("permit", request)));
    assert!(org(&on(
        "permit",
        r#"action == Tidegate::Action::"emergency""#
    )));
    let both = r#"action in [Tidegate::Action::"see", Tidegate::Action::"request"]"#;
    assert!(org(&on("permit", both)));
    for (effect, action) in [
        ("forbid", request),
        ("permit", "action"),
        ("permit", r#"action == Tidegate::Action::"connect""#),
        ("permit", r#"action == Tidegate::Action::"approve""#),
    ] {
        assert!(!org(&on(effect, action)), "{effect} {action}");
    }
    let owners = Policies::compile("", &on("permit", request));
    assert!(owners.is_err(), "the org's rules alone are asked");
    let tells = r#"@tell("ask the data owners") forbid (principal, action, resource);"#;
    assert!(Policies::compile("", tells).is_ok());
}

#[test]
fn a_rule_for_whatever_there_is_gives_nobody_break_glass() {
    let mut world = World::asking();
    let mut request = world.request();
    request.emergency = true;
    let alarmed = world.granted(&request, &[]);
    let admins = r#"permit (principal in Tidegate::Group::"acme/data-science", action, resource);
        forbid (principal, action == Tidegate::Action::"connect", resource) unless { context has grant };"#;
    world.standing.policy = Policies::compile(admins, OWNER).unwrap();

    let judged = live(&world, &alarmed, NOW).unwrap_err();
    assert!(matches!(judged, NotLive::Asking(denied) if denied.ground == Because::NotPermitted));

    let named = format!(
        "{admins} permit (principal, action == Tidegate::Action::\"emergency\", resource);"
    );
    world.standing.policy = Policies::compile(&named, OWNER).unwrap();
    assert!(live(&world, &alarmed, NOW).is_ok());
}

#[test]
fn the_owner_sees_who_approved_and_how_much() {
    let mut world = World::asking();
    let granted = check(&world, &world.grant()).unwrap();
    let mut allows = |owner: &str| {
        world.standing.policy = Policies::compile(ASKING, owner).unwrap();
        let policy = &world.standing.policy;
        let at = crate::policy::RequestContext::utc(NOW);
        policy
            .connect(&ana(&world), &resource(), &at, NOW, Some(&granted))
            .is_ok()
    };
    let when = |condition: &str| {
        format!(
            r#"permit (principal, action == Tidegate::Action::"connect", resource) when {{ context has grant && {condition} }};"#
        )
    };

    for yes in [
        "context.grant.approvals == 1",
        r#"context.grant has approver && context.grant.approver in Tidegate::Group::"acme/data-owners""#,
        r#"context.grant.approvers.contains(Tidegate::User::"acme/00uben")"#,
        r#"context.grant.length <= duration("2h")"#,
        "!context.grant.readOnly && !context.grant.emergency",
        "!context.grant.approvers.contains(principal)",
    ] {
        assert!(allows(&when(yes)), "{yes}");
    }
    for no in [
        "context.grant.approvals >= 2",
        r#"context.grant has approver && context.grant.approver in Tidegate::Group::"acme/board""#,
        r#"context.grant.length < duration("2h")"#,
        "context.grant.emergency",
    ] {
        assert!(!allows(&when(no)), "{no}");
    }
}

proptest! {
    #[test]
    fn both_of_two_extents_is_within_each(a in 60_u64..604_800, b in 60_u64..604_800, r: bool, w: bool) {
        let (one, two) = (Extent { seconds: a, read_only: r }, Extent { seconds: b, read_only: w });
        let both = one.both(two);
        prop_assert!(both.within(&one) && both.within(&two));
        prop_assert_eq!(both, two.both(one));
        prop_assert!(one.within(&one));
    }

    #[test]
    fn however_often_it_is_used_and_the_rules_change_the_end_never_moves_out(
        uses in prop::collection::vec((0_u64..1_400_000, 1_u8..=7), 1..20)
    ) {
        let (mut world, mut first) = (World::asking(), None);
        let grant = world.grant();
        let mut uses = uses;
        uses.sort_unstable();
        for (at, days) in uses {
            let now = NOW.plus(at);
            let claim = format!("@claim(\"{days}d\")");
            let rules = ASKING.replace(r#"@longest("4h")"#, &claim);
            world.standing.policy = Policies::compile(&rules, OWNER).unwrap();
            world.standing.grants.forget(now);
            if let Ok(live) = live(&world, &grant, now) {
                let first = *first.get_or_insert(now);
                prop_assert!(live.end <= first.plus(7200) && live.end <= live.last);
                world.standing.grants.used(grant.id(), now, now);
            }
        }
    }

    #[test]
    fn any_json_is_a_grant_or_refused(text in "\\PC{0,200}") {
        let _ = crate::strict::json::<Grant>(text.as_bytes(), 1 << 16);
    }
}
