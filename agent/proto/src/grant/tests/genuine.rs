//! Which grants are genuine, and every way in which one is not: forged, replayed, widened, by the wrong person, dated wrongly.

use super::*;

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
