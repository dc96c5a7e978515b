//! Checks 5 and 6: which pair of ID tokens proves that a person was here, on this device, and still is.
//! What makes a single token believable is tested in `idtoken`.

use super::*;

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
        Err(RefusalReason::LowAssurance)
    );
    assert_eq!(
        admit_tokens(&world, &world.refreshed(), Some(&world.claims())),
        token(IdTokenError::OtherNonce),
        "an older session's token in front, the real one behind it"
    );
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
