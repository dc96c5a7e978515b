//! A circuit at the outlet from its first record to its last, in virtual time.
//! The world these tests live in is in `crate::testing`.

#![allow(clippy::unwrap_used)]
mod credential;
mod ending;
mod enrolled;
mod granted;
mod low;
mod matrix;
mod token;

use super::*;
use crate::{
    auth::{Auth, prove},
    frame::Purpose,
    idtoken::IdTokenError,
    policy::Policies,
    problem::Code,
    statement::{
        Assurance, Beacon, Credential, Newest, RevokeTarget, Revoked, Statement, StatementError,
    },
    testing::{
        ALLOWING, HASH, NOW, Provider, RZ, World, at, authority_statement, key, open, set,
        warehouse,
    },
};
use serde_json::json;

fn admit(world: &World, auth: &Auth) -> Result<UnixTime, RefusalReason> {
    let mut session = world.session();
    session
        .handle_auth(&auth.encode().unwrap(), &world.standing, NOW)
        .map_err(|refusal| refusal.exact)
}

fn token(error: IdTokenError) -> Result<UnixTime, RefusalReason> {
    Err(RefusalReason::IdToken(error))
}

fn revoke(world: &mut World, who: RevokeTarget, epoch: u64) {
    hear(world, vec![Revoked { who, epoch }], (epoch, 0));
}

fn hear(world: &mut World, revoked: Vec<Revoked>, (epoch, floor): (u64, u64)) {
    let beacon = Beacon {
        org: world.standing.org.clone(),
        epoch,
        at: NOW,
        versions: Newest::default(),
        revoked,
        floor,
    };
    let by = world.standing.authority.key;
    assert!(world.standing.revocations.learn(&beacon, &by, NOW));
}

#[test]
fn a_morning_in_the_cafe() {
    let world = World::new();
    let mut session = world.session();

    let deadline = session
        .handle_auth(&world.auth().encode().unwrap(), &world.standing, NOW)
        .unwrap();
    assert_eq!(deadline, NOW.plus(600 + 300), "the credential ends first");
    assert_eq!(
        session.principal().unwrap().groups,
        ["Everyone", "data-science"]
    );

    let allowed = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();
    assert_eq!(allowed.event().portal, 1);
    assert_eq!(allowed.event().peer.sub.as_str(), "00uana");
    assert!(!allowed.event().authority_away);

    let later = NOW.plus(500);
    let mut credential = world.credential();
    (credential.not_before, credential.not_after) = (later, later.plus(600));
    let newer = Auth {
        credential: credential.sign(&world.authority),
        id_token_n: Some(world.provider.sign(&world.refreshed())),
        ..world.auth()
    };
    let deadline = session
        .handle_reauth(&newer.encode().unwrap(), &world.standing, later)
        .unwrap();
    assert_eq!(deadline, later.plus(600 + 300));
    assert_eq!(
        session.still_allowed(&world.standing, &at(later), later),
        Ok(deadline)
    );

    session.portal_ended(&world.standing, later).unwrap();
    assert!(
        session
            .handle_open(&open(2), &world.standing, &at(later), later)
            .is_ok()
    );
}

#[test]
fn a_provider_key_that_is_unknown_leaves_room_for_one_more_try() {
    let mut world = World::new();
    let rotated = Provider::new("k2");
    let auth = Auth {
        id_token_0: rotated.sign(&world.claims()),
        ..world.auth()
    }
    .encode()
    .unwrap();
    let mut session = world.session();

    let refusal = session
        .handle_auth(&auth, &world.standing, NOW)
        .unwrap_err();
    assert!(refusal.wants_newer_keys());
    world.standing.keys = rotated.keys();

    assert!(
        session
            .handle_auth(&auth, &world.standing, NOW.plus(2))
            .is_ok()
    );
}

#[test]
fn rejects_auth_that_comes_late_twice_or_in_pieces() {
    let world = World::new();
    let auth = world.auth().encode().unwrap();

    let late = world
        .session()
        .handle_auth(&auth, &world.standing, NOW.plus(11))
        .unwrap_err();
    assert_eq!(late.exact, RefusalReason::TooLate);

    let twice = world
        .warm()
        .handle_auth(&auth, &world.standing, NOW)
        .unwrap_err();
    assert_eq!(twice.exact, RefusalReason::OutOfOrder);

    for length in 0..auth.len() {
        let mut session = world.session();
        assert!(
            session
                .handle_auth(&auth[..length], &world.standing, NOW)
                .is_err(),
            "{length}"
        );
    }
    let trailing = [auth.as_slice(), b" x"].concat();
    assert!(
        world
            .session()
            .handle_auth(&trailing, &world.standing, NOW)
            .is_err()
    );
}

#[test]
fn an_unknown_service_and_a_forbidden_one_look_identical() {
    let mut world = World::new();
    let mut session = world.warm();
    world.standing.policy =
        Policies::compile("forbid (principal, action, resource);", ALLOWING).unwrap();
    let forbidden = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();
    world.standing.policy = Policies::compile(ALLOWING, "").unwrap();
    let no_rule = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();
    world.standing.services.clear();
    let unknown = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();

    assert_eq!(unknown.exact, RefusalReason::UnknownService);
    assert_eq!(forbidden.for_peer(), unknown.for_peer());
    assert_eq!(no_rule.for_peer(), unknown.for_peer());
    assert_eq!(unknown.code, Code::NotAvailable);
}

#[test]
fn an_owner_may_choose_to_tell_why() {
    let mut world = World::new();
    let owner =
        r#"@tell("contractors ask the data office first") forbid (principal, action, resource);"#;
    world.standing.policy = Policies::compile(ALLOWING, owner).unwrap();

    let refusal = world
        .warm()
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();

    let (code, text) = refusal.for_peer();
    assert_eq!(code, 2001);
    assert!(
        text.contains("because contractors ask the data office first."),
        "{text}"
    );
}

#[test]
fn a_circuit_carries_one_portal_after_the_other_and_never_two() {
    let world = World::new();
    let mut session = world.warm();

    for portal in 1..4 {
        let _ = session
            .handle_open(&open(portal), &world.standing, &at(NOW), NOW)
            .unwrap();
        let second = session
            .handle_open(&open(99), &world.standing, &at(NOW), NOW)
            .unwrap_err();
        assert_eq!(second.exact, RefusalReason::OutOfOrder);
        session.portal_ended(&world.standing, NOW).unwrap();
        assert!(session.portal_ended(&world.standing, NOW).is_err());
    }
    let granted = Open {
        grant: Some([0; 32]),
        ..open(4)
    };
    let refusal = session
        .handle_open(&granted, &world.standing, &at(NOW), NOW)
        .unwrap_err();
    assert_eq!(
        (refusal.exact, refusal.code),
        (RefusalReason::NotPresented, Code::PeerBrokeProtocol)
    );
}

#[test]
fn whatever_may_change_an_answer_counts_as_a_step_and_asking_does_not() {
    let world = World::new();
    let mut session = world.warm();
    let mut counted = vec![session.steps()];

    let _ = session.handle_open(&open(1), &world.standing, &at(NOW), NOW);
    counted.push(session.steps());
    let _ = session.handle_reauth(b"nothing", &world.standing, NOW);
    counted.push(session.steps());
    session.portal_ended(&world.standing, NOW).unwrap();
    counted.push(session.steps());

    assert!(counted.is_sorted_by(|a, b| a < b), "{counted:?}");
    let _ = session.still_allowed(&world.standing, &at(NOW), NOW);
    assert_eq!(counted.last(), Some(&session.steps()));
}

#[test]
fn a_renewal_is_by_the_same_person_on_the_same_device_or_changes_nothing() {
    let world = World::new();
    let mut session = world.warm();
    let _ = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();
    let mut other = World::new();
    other.identity = key(66);
    other.provider = Provider::new("k9");
    let mut standing = world.standing.clone();
    standing.keys = crate::testing::key_set(&[world.provider.jwk(), other.provider.jwk()]);

    let refusal = session
        .handle_reauth(&other.auth().encode().unwrap(), &standing, NOW)
        .unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::OtherPrincipal);

    // The same device, but in the hands of another person.
    let mut claims = world.claims();
    set(&mut claims, "sub", json!("00uben"));
    let mut credential = world.credential();
    credential.sub = "00uben".parse().unwrap();
    let handed_on = Auth {
        credential: credential.sign(&world.authority),
        id_token_0: world.provider.sign(&claims),
        ..world.auth()
    };
    let refusal = session
        .handle_reauth(&handed_on.encode().unwrap(), &standing, NOW)
        .unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::OtherPrincipal);
    assert!(session.handle_reauth(b"rubbish", &standing, NOW).is_err());

    assert_eq!(
        session.still_allowed(&standing, &at(NOW), NOW),
        Ok(NOW.plus(900))
    );
    assert!(
        session
            .handle_reauth(&world.auth().encode().unwrap(), &standing, NOW)
            .is_ok()
    );
}

#[test]
fn a_silent_authority_stops_nothing_that_was_given_but_is_written_down() {
    let world = World::new();
    let mut session = world.warm();
    let later = NOW.plus(16);

    let allowed = session
        .handle_open(&open(1), &world.standing, &at(later), later)
        .unwrap();

    assert!(allowed.event().authority_away);
}

#[test]
fn a_probe_needs_the_same_permission_and_is_recorded_as_one() {
    let world = World::new();
    let probe = Open {
        purpose: Purpose::Probe,
        ..open(1)
    };

    let allowed = world
        .warm()
        .handle_open(&probe, &world.standing, &at(NOW), NOW)
        .unwrap();

    assert_eq!(allowed.event().purpose, "probe");
}

/// One circuit renewed every eight minutes, a portal opened and closed each time, the person signing in twice a day.
#[test]
fn a_week_of_one_circuit_takes_no_time() {
    let world = World::new();
    let mut session = world.warm();
    let (mut portals, mut signed_in) = (0, NOW);
    for now in (NOW.0..NOW.0 + 7 * 86_400).step_by(480).map(UnixTime) {
        if signed_in.until(now) >= 11 * 3600 {
            signed_in = now;
        }
        let mut credential = world.credential();
        (credential.not_before, credential.not_after) = (now, now.plus(600));
        let mut first = world.claims();
        set(&mut first, "auth_time", json!(signed_in.0));
        set(&mut first, "iat", json!(signed_in.0));
        set(&mut first, "exp", json!(signed_in.0 + 3600));
        let mut newer = first.clone();
        newer.as_object_mut().unwrap().remove("nonce");
        set(&mut newer, "iat", json!(now.0));
        set(&mut newer, "exp", json!(now.0 + 3600));
        let auth = Auth {
            credential: credential.sign(&world.authority),
            id_token_0: world.provider.sign(&first),
            id_token_n: Some(world.provider.sign(&newer)),
            rz: RZ,
            ..world.auth()
        };

        let deadline = session
            .handle_reauth(&auth.encode().unwrap(), &world.standing, now)
            .unwrap();
        let _ = session
            .handle_open(&open(portals), &world.standing, &at(now), now)
            .unwrap();
        assert_eq!(
            session.still_allowed(&world.standing, &at(now), now),
            Ok(deadline)
        );
        session.portal_ended(&world.standing, now).unwrap();
        portals += 1;
    }

    assert_eq!(portals, 7 * 86_400 / 480);
    let end = NOW.plus(7 * 86_400 + 900);
    assert_eq!(
        session
            .still_allowed(&world.standing, &at(end), end)
            .unwrap_err()
            .code,
        Code::Expired
    );
    assert_eq!(session.service(), &warehouse());
}
