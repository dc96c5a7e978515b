#![allow(clippy::unwrap_used)]
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

fn admit_credential(change: impl FnOnce(&mut Credential)) -> Result<UnixTime, RefusalReason> {
    let world = World::new();
    let mut credential = world.credential();
    change(&mut credential);
    admit(
        &world,
        &Auth {
            credential: credential.sign(&world.authority),
            ..world.auth()
        },
    )
}

fn admit_tokens(
    world: &World,
    first: &serde_json::Value,
    newer: Option<&serde_json::Value>,
) -> Result<UnixTime, RefusalReason> {
    let id_token_n = newer.map(|claims| world.provider.sign(claims));
    admit(
        world,
        &Auth {
            id_token_0: world.provider.sign(first),
            id_token_n,
            ..world.auth()
        },
    )
}

fn token(error: IdTokenError) -> Result<UnixTime, RefusalReason> {
    Err(RefusalReason::IdToken(error))
}

fn revoke(world: &mut World, who: RevokeTarget, epoch: u64) {
    let revoked = vec![Revoked { who, epoch }];
    let beacon = Beacon {
        org: world.standing.org.clone(),
        epoch,
        at: NOW,
        versions: Newest::default(),
        revoked,
        floor: 0,
    };
    assert!(world.standing.revocations.learn(&beacon));
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
fn rejects_a_credential_that_has_expired() {
    let ended = |seconds| {
        admit_credential(|c| (c.not_before, c.not_after) = (NOW.minus(600), NOW.minus(seconds)))
    };

    assert_eq!(
        ended(60),
        Err(RefusalReason::Credential(StatementError::Expired))
    );
    assert!(ended(59).is_ok(), "a minute of skew");
}

#[test]
fn rejects_a_credential_that_is_not_valid_yet() {
    let begins = |seconds| {
        admit_credential(|c| {
            (c.not_before, c.not_after) = (NOW.plus(seconds), NOW.plus(seconds + 500))
        })
    };

    assert_eq!(
        begins(61),
        Err(RefusalReason::Credential(StatementError::NotYet))
    );
    assert!(begins(60).is_ok(), "a minute of skew");
}

#[test]
fn rejects_a_credential_that_lives_longer_than_ten_minutes() {
    for (before, after) in [(0, 601), (86_400, 600), (0, u64::MAX / 2), (0, 0)] {
        let admitted = admit_credential(|c| {
            (c.not_before, c.not_after) = (NOW.minus(before), NOW.plus(after))
        });
        assert_eq!(
            admitted,
            Err(RefusalReason::Credential(StatementError::Content)),
            "{before} {after}"
        );
    }
}

#[test]
fn rejects_a_credential_of_another_tenant() {
    let admitted = admit_credential(|c| c.org = "evil".parse().unwrap());

    assert_eq!(
        admitted,
        Err(RefusalReason::Credential(StatementError::Org))
    );
}

#[test]
fn rejects_a_stolen_id_token_with_another_key() {
    let mut thief = World::new();
    let stolen = thief.provider.sign(&thief.claims());
    thief.identity = key(66);

    // The thief's device is even enrolled for the same person: the token still does not open to it.
    let admitted = admit(
        &thief,
        &Auth {
            id_token_0: stolen,
            ..thief.auth()
        },
    );

    assert_eq!(admitted, token(IdTokenError::Commitment));
}

#[test]
fn rejects_a_stolen_credential_with_another_key() {
    let mut thief = World::new();
    let stolen = thief.credential().sign(&thief.authority);
    thief.identity = key(66);

    let admitted = admit(
        &thief,
        &Auth {
            credential: stolen.clone(),
            ..thief.auth()
        },
    );
    assert_eq!(admitted, Err(RefusalReason::OtherKey));

    // Naming the victim's key instead does not help without its signature.
    let victim = key(3).verify_key();
    let admitted = admit(
        &thief,
        &Auth {
            credential: stolen,
            identity: victim,
            ..thief.auth()
        },
    );
    assert_eq!(admitted, Err(RefusalReason::Proof));
}

#[test]
fn rejects_a_credential_of_one_person_with_the_id_token_of_another() {
    let admitted = admit_credential(|c| c.sub = "00uben".parse().unwrap());

    assert_eq!(admitted, Err(RefusalReason::OtherSubject));
}

#[test]
fn rejects_a_fresh_token_of_another_session() {
    let world = World::new();
    let mut other = world.refreshed();
    set(&mut other, "auth_time", json!(NOW.0 - 309));
    let mut somebody = world.refreshed();
    set(&mut somebody, "sub", json!("00uben"));

    assert!(admit_tokens(&world, &world.claims(), Some(&world.refreshed())).is_ok());
    assert_eq!(
        admit_tokens(&world, &world.claims(), Some(&other)),
        token(IdTokenError::OtherSession)
    );
    assert_eq!(
        admit_tokens(&world, &world.claims(), Some(&somebody)),
        token(IdTokenError::OtherSession)
    );
}

#[test]
fn rejects_a_fresh_token_with_a_different_nonce() {
    let world = World::new();
    let mut other = world.refreshed();
    set(&mut other, "nonce", json!("another"));
    let mut same = world.refreshed();
    set(&mut same, "nonce", world.claims()["nonce"].clone());

    assert_eq!(
        admit_tokens(&world, &world.claims(), Some(&other)),
        token(IdTokenError::OtherNonce)
    );
    assert!(admit_tokens(&world, &world.claims(), Some(&same)).is_ok());
}

#[test]
fn rejects_a_first_token_without_the_commitment() {
    let world = World::new();
    let mut without = world.claims();
    without.as_object_mut().unwrap().remove("nonce");

    assert_eq!(
        admit_tokens(&world, &without, None),
        token(IdTokenError::Commitment)
    );
    assert_eq!(
        admit_tokens(&world, &world.refreshed(), Some(&world.claims())),
        token(IdTokenError::Commitment)
    );
    let low = admit_credential(|c| c.assurance = Assurance::Low);
    assert_eq!(low, Err(RefusalReason::LowAssurance));
}

#[test]
fn an_expired_first_token_needs_a_newer_one() {
    let world = World::new();
    let mut first = world.claims();
    set(&mut first, "iat", json!(NOW.0 - 7200));
    set(&mut first, "exp", json!(NOW.0 - 3600));
    set(&mut first, "auth_time", json!(NOW.0 - 7210));
    let mut newer = world.refreshed();
    set(&mut newer, "auth_time", json!(NOW.0 - 7210));
    let mut stale = newer.clone();
    set(&mut stale, "exp", json!(NOW.0 - 60));
    set(&mut stale, "iat", json!(NOW.0 - 3660));
    let mut older = newer.clone();
    set(&mut older, "iat", json!(NOW.0 - 7201));

    assert_eq!(
        admit_tokens(&world, &first, None),
        token(IdTokenError::Expired)
    );
    assert_eq!(
        admit_tokens(&world, &first, Some(&stale)),
        token(IdTokenError::Expired)
    );
    assert_eq!(
        admit_tokens(&world, &first, Some(&older)),
        token(IdTokenError::NotNewer)
    );
    assert!(admit_tokens(&world, &first, Some(&newer)).is_ok());
}

#[test]
fn a_session_ends_twelve_hours_after_the_person_signed_in() {
    let world = World::new();
    let signed_in = |ago: u64| {
        let mut claims = world.claims();
        set(&mut claims, "auth_time", json!(NOW.0 - ago));
        admit_tokens(&world, &claims, None)
    };

    assert_eq!(signed_in(12 * 3600), token(IdTokenError::SessionTooOld));
    assert_eq!(
        signed_in(12 * 3600 - 30),
        Ok(NOW.plus(30)),
        "the deadline is the end of the session"
    );
}

#[test]
fn groups_come_from_the_newest_token() {
    let world = World::new();
    let mut newer = world.refreshed();
    set(&mut newer, "groups", json!(["Everyone"]));
    let auth = Auth {
        id_token_n: Some(world.provider.sign(&newer)),
        ..world.auth()
    };
    let mut session = world.session();

    session
        .handle_auth(&auth.encode().unwrap(), &world.standing, NOW)
        .unwrap();

    assert_eq!(session.principal().unwrap().groups, ["Everyone"]);
    let refusal = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();
    assert_eq!(refusal.code, Code::NotAvailable);
}

#[test]
fn rejects_a_credential_signed_by_an_authority_key_that_expired_or_was_replaced() {
    let mut world = World::new();
    let auth = world.auth();

    world.standing.authority.not_after = NOW.minus(60);
    assert_eq!(
        admit(&world, &auth),
        Err(RefusalReason::Authority(StatementError::Expired))
    );

    world.standing.authority = authority_statement(&key(77));
    let wrong_key = StatementError::Jws(crate::statement::JwsError::Key);
    assert_eq!(
        admit(&world, &auth),
        Err(RefusalReason::Credential(wrong_key))
    );
}

#[test]
fn a_leaked_authority_key_alone_lets_nobody_in() {
    let mut thief = World::new();
    thief.identity = key(66);
    thief.provider = Provider::new("k1"); // a provider of the thief's own, under the same key id

    let admitted = admit(&thief, &thief.auth());

    assert_eq!(admitted, token(IdTokenError::Signature));
}

#[test]
fn a_leaked_provider_key_alone_lets_nobody_in() {
    let mut thief = World::new();
    thief.identity = key(66);
    thief.authority = key(67); // the real authority certifies enrolled devices only

    let admitted = admit(&thief, &thief.auth());

    let wrong_key = StatementError::Jws(crate::statement::JwsError::Key);
    assert_eq!(admitted, Err(RefusalReason::Credential(wrong_key)));
}

#[test]
fn a_proof_for_another_channel_is_no_proof() {
    let world = World::new();
    let elsewhere = prove(&HandshakeHash([1; 32]), &world.identity);

    assert_eq!(
        admit(
            &world,
            &Auth {
                signature: elsewhere,
                ..world.auth()
            }
        ),
        Err(RefusalReason::Proof)
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
fn every_refusal_before_auth_is_verified_looks_the_same() {
    let mut seen = std::collections::BTreeSet::new();
    let world = World::new();
    for (_, record, _) in matrix(&world) {
        let mut session = world.session();
        if let Err(refusal) = session.handle_auth(&record, &world.standing, NOW) {
            seen.insert(refusal.for_peer());
        }
    }
    let late = world.session().handle_auth(
        &world.auth().encode().unwrap(),
        &world.standing,
        NOW.plus(99),
    );
    seen.insert(late.unwrap_err().for_peer());
    let early = world
        .session()
        .handle_open(&open(1), &world.standing, &at(NOW), NOW);
    seen.insert(early.unwrap_err().for_peer());
    let reauth = world.session().handle_reauth(b"{}", &world.standing, NOW);
    seen.insert(reauth.unwrap_err().for_peer());
    let mut revoked = World::new();
    revoke(
        &mut revoked,
        RevokeTarget::Subject("00uana".parse().unwrap()),
        8,
    );
    let refusal =
        revoked
            .session()
            .handle_auth(&revoked.auth().encode().unwrap(), &revoked.standing, NOW);
    seen.insert(refusal.unwrap_err().for_peer());

    assert_eq!(seen.len(), 1, "{seen:?}");
}

/// Every field of AUTH, wrong in every way, with the reason that must go into the audit; `None` where it is allowed.
fn matrix(world: &World) -> Vec<(String, Vec<u8>, Option<RefusalReason>)> {
    let base = serde_json::to_value(world.auth()).unwrap();
    let text = |auth: Auth, field: &str| serde_json::to_value(auth).unwrap()[field].clone();
    let evil = key(66);
    let credential = |change: &dyn Fn(&mut Credential)| {
        let mut credential = world.credential();
        change(&mut credential);
        json!(credential.sign(&world.authority))
    };
    let id_token = |refresh: bool, change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = if refresh {
            world.refreshed()
        } else {
            world.claims()
        };
        change(&mut claims);
        json!(world.provider.sign(&claims))
    };
    let expired = |claims: &mut serde_json::Value| {
        set(claims, "iat", json!(NOW.0 - 290));
        set(claims, "exp", json!(NOW.0 - 60));
    };
    let future = |claims: &mut serde_json::Value| set(claims, "iat", json!(NOW.0 + 61));
    let other_issuer = |claims: &mut serde_json::Value| {
        set(
            claims,
            "iss",
            json!("https://evil.okta.example/oauth2/default"),
        )
    };
    let wrong_sub = |claims: &mut serde_json::Value| set(claims, "sub", json!("00uben"));
    let by_evil = text(
        Auth {
            identity: evil.verify_key(),
            ..world.auth()
        },
        "identity",
    );
    let signed = |hash: [u8; 32], by: &crate::identity::SigningKey| {
        text(
            Auth {
                signature: prove(&HandshakeHash(hash), by),
                ..world.auth()
            },
            "signature",
        )
    };
    let rz = |byte: u8| {
        text(
            Auth {
                rz: [byte; 32],
                ..world.auth()
            },
            "rz",
        )
    };
    let huge = json!("x".repeat(1 << 20));

    use crate::strict::StrictError::{Shape, Size};
    use RefusalReason as R;
    let jws = |error| R::Credential(StatementError::Jws(error));
    let parts = crate::statement::JwsError::Parts;
    let malformed = |why| Some(R::Malformed(why));
    let id = |error| Some(R::IdToken(error));
    let cells: Vec<(&str, &str, Option<serde_json::Value>, Option<R>)> = vec![
        ("service", "absent", None, malformed(Shape)),
        ("service", "empty", Some(json!("")), malformed(Shape)),
        (
            "service",
            "wrong",
            Some(json!("payroll")),
            Some(R::OtherService),
        ),
        (
            "service",
            "of another tenant",
            Some(json!("evil/warehouse")),
            malformed(Shape),
        ),
        (
            "service",
            "expired",
            Some(json!("warehouse-2019")),
            Some(R::OtherService),
        ),
        (
            "service",
            "future",
            Some(json!("warehouse-2030")),
            Some(R::OtherService),
        ),
        ("service", "huge", Some(huge.clone()), malformed(Size)),
        ("credential", "absent", None, malformed(Shape)),
        ("credential", "empty", Some(json!("")), Some(jws(parts))),
        (
            "credential",
            "wrong",
            Some(credential(&|c| c.cnf = evil.verify_key().peer_id())),
            Some(R::OtherKey),
        ),
        (
            "credential",
            "of another tenant",
            Some(credential(&|c| c.org = "evil".parse().unwrap())),
            Some(R::Credential(StatementError::Org)),
        ),
        (
            "credential",
            "expired",
            Some(credential(&|c| {
                (c.not_before, c.not_after) = (NOW.minus(600), NOW.minus(60))
            })),
            Some(R::Credential(StatementError::Expired)),
        ),
        (
            "credential",
            "future",
            Some(credential(&|c| {
                (c.not_before, c.not_after) = (NOW.plus(61), NOW.plus(600))
            })),
            Some(R::Credential(StatementError::NotYet)),
        ),
        ("credential", "huge", Some(huge.clone()), malformed(Size)),
        ("id_token_0", "absent", None, malformed(Shape)),
        (
            "id_token_0",
            "empty",
            Some(json!("")),
            id(IdTokenError::Form),
        ),
        (
            "id_token_0",
            "wrong",
            Some(id_token(false, &wrong_sub)),
            Some(R::OtherSubject),
        ),
        (
            "id_token_0",
            "of another tenant",
            Some(id_token(false, &other_issuer)),
            id(IdTokenError::Issuer),
        ),
        (
            "id_token_0",
            "expired",
            Some(id_token(false, &expired)),
            id(IdTokenError::Expired),
        ),
        (
            "id_token_0",
            "future",
            Some(id_token(false, &future)),
            id(IdTokenError::Future),
        ),
        ("id_token_0", "huge", Some(huge.clone()), malformed(Size)),
        ("rz", "absent", None, malformed(Shape)),
        ("rz", "empty", Some(json!("")), malformed(Shape)),
        ("rz", "wrong", Some(rz(1)), id(IdTokenError::Commitment)),
        (
            "rz",
            "of another tenant",
            Some(rz(2)),
            id(IdTokenError::Commitment),
        ),
        ("rz", "expired", Some(rz(3)), id(IdTokenError::Commitment)),
        ("rz", "future", Some(rz(4)), id(IdTokenError::Commitment)),
        ("rz", "huge", Some(huge.clone()), malformed(Size)),
        ("identity", "absent", None, malformed(Shape)),
        ("identity", "empty", Some(json!("")), malformed(Shape)),
        ("identity", "wrong", Some(by_evil.clone()), Some(R::Proof)),
        (
            "identity",
            "of another tenant",
            Some(by_evil.clone()),
            Some(R::Proof),
        ),
        ("identity", "expired", Some(by_evil.clone()), Some(R::Proof)),
        ("identity", "future", Some(by_evil), Some(R::Proof)),
        ("identity", "huge", Some(huge.clone()), malformed(Size)),
        ("id_token_n", "absent", None, None),
        (
            "id_token_n",
            "empty",
            Some(json!("")),
            id(IdTokenError::Form),
        ),
        (
            "id_token_n",
            "wrong",
            Some(id_token(true, &wrong_sub)),
            id(IdTokenError::OtherSession),
        ),
        (
            "id_token_n",
            "of another tenant",
            Some(id_token(true, &other_issuer)),
            id(IdTokenError::Issuer),
        ),
        (
            "id_token_n",
            "expired",
            Some(id_token(true, &expired)),
            id(IdTokenError::Expired),
        ),
        (
            "id_token_n",
            "future",
            Some(id_token(true, &future)),
            id(IdTokenError::Future),
        ),
        ("id_token_n", "huge", Some(huge.clone()), malformed(Size)),
        ("grant", "absent", None, None),
        ("grant", "empty", Some(json!("")), Some(R::Grant)),
        ("grant", "wrong", Some(json!("a.b.c")), Some(R::Grant)),
        (
            "grant",
            "of another tenant",
            Some(json!("a.b.c")),
            Some(R::Grant),
        ),
        ("grant", "expired", Some(json!("a.b.c")), Some(R::Grant)),
        ("grant", "future", Some(json!("a.b.c")), Some(R::Grant)),
        ("grant", "huge", Some(huge.clone()), malformed(Size)),
        ("signature", "absent", None, malformed(Shape)),
        ("signature", "empty", Some(json!("")), malformed(Shape)),
        (
            "signature",
            "wrong",
            Some(signed([0; 32], &world.identity)),
            Some(R::Proof),
        ),
        (
            "signature",
            "of another tenant",
            Some(signed(HASH.0, &evil)),
            Some(R::Proof),
        ),
        (
            "signature",
            "expired",
            Some(signed([1; 32], &world.identity)),
            Some(R::Proof),
        ),
        (
            "signature",
            "future",
            Some(signed([2; 32], &world.identity)),
            Some(R::Proof),
        ),
        ("signature", "huge", Some(huge), malformed(Size)),
    ];
    let record = |field: &str, value: Option<serde_json::Value>| {
        let mut record = base.clone();
        match value {
            Some(value) => set(&mut record, field, value),
            None => drop(record.as_object_mut().unwrap().remove(field)),
        }
        serde_json::to_vec(&record).unwrap()
    };
    cells
        .into_iter()
        .map(|(field, how, value, why)| (format!("{field} {how}"), record(field, value), why))
        .collect()
}

#[test]
fn rejects_auth_with_any_field_wrong_in_any_way() {
    let world = World::new();
    let cells = matrix(&world);
    assert_eq!(cells.len(), 8 * 7);

    for (cell, record, expected) in cells {
        let mut session = world.session();
        let admitted = session.handle_auth(&record, &world.standing, NOW);

        assert_eq!(
            admitted.clone().err().map(|refusal| refusal.exact),
            expected,
            "{cell}"
        );
        if let Err(refusal) = admitted {
            assert_eq!(refusal.code, Code::NotAdmitted, "{cell}");
            assert!(session.principal().is_none(), "{cell}");
            let good = world.auth().encode().unwrap();
            assert!(
                session.handle_auth(&good, &world.standing, NOW).is_err(),
                "{cell}: refused for good"
            );
        }
    }
}

#[test]
fn rejects_auth_with_an_unknown_or_repeated_field_or_text_too_deep() {
    let world = World::new();
    let auth = String::from_utf8(world.auth().encode().unwrap()).unwrap();
    let with = |extra: &str| auth.replacen('{', &format!("{{{extra},"), 1);
    use crate::strict::StrictError::{Depth, DuplicateKey, Shape};

    for (record, why) in [
        (with(r#""admin":true"#), Shape),
        (with(r#""service":"warehouse""#), DuplicateKey),
        (with(r#""serv\u0069ce":"warehouse""#), DuplicateKey),
        (
            with(&format!(r#""x":{}{}"#, "[".repeat(1000), "]".repeat(1000))),
            Depth,
        ),
    ] {
        let refusal = world
            .session()
            .handle_auth(record.as_bytes(), &world.standing, NOW)
            .unwrap_err();
        assert_eq!(refusal.exact, RefusalReason::Malformed(why));
    }
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
        (RefusalReason::Grant, Code::NotSupportedYet)
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
