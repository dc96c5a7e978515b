//! What takes an open door away again: time, revocation, another policy, another authority or provider.
//! What is open and what is only warm differ: a warm circuit holds no right that could be taken.

use super::*;

#[test]
fn what_is_open_ends_at_its_deadline() {
    let world = World::new();
    let mut session = world.warm();
    let _ = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();
    let still = |now: UnixTime| session.still_allowed(&world.standing, &at(now), now);

    assert_eq!(still(NOW.plus(899)), Ok(NOW.plus(900)));
    assert_eq!(still(NOW.plus(900)).unwrap_err().code, Code::Expired);
}

#[test]
fn a_revoked_person_or_device_is_out_at_once_and_stays_out() {
    let device = key(3).verify_key().peer_id();
    for who in [
        RevokeTarget::Subject("00uana".parse().unwrap()),
        RevokeTarget::Device(device),
    ] {
        let mut world = World::new();
        let (mut warm, mut carrying) = (world.warm(), world.warm());
        let _ = carrying
            .handle_open(&open(1), &world.standing, &at(NOW), NOW)
            .unwrap();

        revoke(&mut world, who, 8);

        let s = &world.standing;
        assert_eq!(
            carrying.still_allowed(s, &at(NOW), NOW).unwrap_err().code,
            Code::RevokedByAdmin
        );
        assert_eq!(
            warm.still_allowed(s, &at(NOW), NOW).unwrap_err().code,
            Code::RevokedByAdmin
        );
        assert_eq!(
            warm.handle_open(&open(1), s, &at(NOW), NOW)
                .unwrap_err()
                .code,
            Code::Revoked
        );
        assert_eq!(admit(&world, &world.auth()), Err(RefusalReason::Revoked));
        let reauth = carrying
            .handle_reauth(&world.auth().encode().unwrap(), s, NOW)
            .unwrap_err();
        assert_eq!(reauth.code, Code::Revoked);
    }
}

#[test]
fn when_everybody_must_renew_what_runs_is_given_a_minute_and_nothing_new_begins() {
    let mut world = World::new();
    let (mut warm, mut carrying, mut idle) = (world.warm(), world.warm(), world.warm());
    for session in [&mut carrying, &mut idle] {
        let _ = session
            .handle_open(&open(1), &world.standing, &at(NOW), NOW)
            .unwrap();
    }

    hear(&mut world, vec![], (8, 8));

    let s = &world.standing;
    let opened = warm.handle_open(&open(1), s, &at(NOW), NOW);
    assert_eq!(opened.unwrap_err().exact, RefusalReason::Stale);
    let waits = warm.still_allowed(s, &at(NOW), NOW);
    assert_eq!(waits.unwrap_err().exact, RefusalReason::Stale);
    assert_eq!(admit(&world, &world.auth()), Err(RefusalReason::Stale));
    assert_eq!(
        carrying.still_allowed(s, &at(NOW), NOW),
        Ok(NOW.plus(RENEW_WITHIN))
    );
    let renewed = Auth {
        credential: Credential {
            epoch: 8,
            ..world.credential()
        }
        .sign(&world.authority),
        ..world.auth()
    };
    carrying
        .handle_reauth(&renewed.encode().unwrap(), s, NOW)
        .unwrap();
    let late = NOW.plus(RENEW_WITHIN);
    assert_eq!(
        carrying.still_allowed(s, &at(late), late),
        Ok(NOW.plus(900))
    );
    assert_eq!(
        idle.still_allowed(s, &at(late), late).unwrap_err().code,
        Code::Expired
    );
}

#[test]
fn a_policy_change_that_no_longer_permits_closes_what_is_open() {
    let mut world = World::new();
    let (warm, mut carrying) = (world.warm(), world.warm());
    let _ = carrying
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();

    world.standing.policy = Policies::compile("", "").unwrap();

    let s = &world.standing;
    assert_eq!(
        carrying.still_allowed(s, &at(NOW), NOW).unwrap_err().code,
        Code::PolicyChanged
    );
    assert!(
        warm.still_allowed(s, &at(NOW), NOW).is_ok(),
        "a warm circuit holds no right that could be taken"
    );
}

#[test]
fn a_warm_circuit_opens_nothing_once_something_has_expired() {
    let world = World::new();
    let mut session = world.warm();
    let late = NOW.plus(660);

    let refusal = session
        .handle_open(&open(1), &world.standing, &at(late), late)
        .unwrap_err();

    assert_eq!(
        (refusal.exact, refusal.code),
        (RefusalReason::Expired, Code::SessionExpired)
    );
}

#[test]
fn a_warm_circuit_opens_nothing_on_the_word_of_an_authority_or_provider_that_was_replaced() {
    let mut world = World::new();
    let mut session = world.warm();
    world.standing.authority = authority_statement(&key(77));
    let refusal = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::TrustChanged);

    let mut world = World::new();
    let mut session = world.warm();
    world.standing.idp.issuer = "https://new.okta.example".to_owned();
    let refusal = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::TrustChanged);
}

#[test]
fn an_id_token_that_ends_first_ends_the_session_first() {
    let world = World::new();
    let mut claims = world.claims();
    set(&mut claims, "exp", json!(NOW.0 + 100));
    let auth = Auth {
        id_token_0: world.provider.sign(&claims),
        ..world.auth()
    };
    let mut session = world.session();
    let record = auth.encode().unwrap();

    let deadline = session.handle_auth(&record, &world.standing, NOW);

    assert_eq!(deadline, Ok(NOW.plus(100 + 300)));
    let late = NOW.plus(160);
    let refusal = session.handle_open(&open(1), &world.standing, &at(late), late);
    assert_eq!(refusal.unwrap_err().exact, RefusalReason::Expired);
}
