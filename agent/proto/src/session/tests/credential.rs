//! Check 4: whose credential is believed, and until when.
//! Each test changes one thing about a credential that would otherwise be believed.

use super::*;

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
