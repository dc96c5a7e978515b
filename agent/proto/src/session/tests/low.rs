//! A sign-in that is not bound to the device (device code): believed as far as it goes, and opened only to policies that name it.
//! Which rule names it is tested in `policy::tests::low`.

use super::*;

const NAMING: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science", action, resource)
    when { principal.assurance == "low" };"#;

/// What Ana presents after a device-code sign-in, under a credential that says `assurance`.
fn low(world: &World, assurance: Assurance) -> Auth {
    let mut claims = world.claims();
    claims.as_object_mut().unwrap().remove("nonce");
    let credential = Credential {
        assurance,
        ..world.credential()
    };
    Auth {
        credential: credential.sign(&world.authority),
        id_token_0: world.provider.sign(&claims),
        ..world.auth()
    }
}

fn with_policies(org: &str, owner: &str) -> World {
    let mut world = World::new();
    world.standing.policy = Policies::compile(org, owner).unwrap();
    world
}

fn opened(world: &World) -> Result<Assurance, Refusal> {
    let mut session = world.session();
    let auth = low(world, Assurance::Low).encode().unwrap();
    session.handle_auth(&auth, &world.standing, NOW).unwrap();
    let allowed = session.handle_open(&open(1), &world.standing, &at(NOW), NOW)?;
    Ok(allowed.event().peer.assurance)
}

#[test]
fn opens_only_where_both_policies_name_it_and_the_record_says_so() {
    let both = opened(&with_policies(NAMING, NAMING));
    assert_eq!(both, Ok(Assurance::Low));

    for (org, owner) in [(ALLOWING, ALLOWING), (NAMING, ALLOWING), (ALLOWING, NAMING)] {
        let refusal = opened(&with_policies(org, owner)).unwrap_err();
        assert_eq!(refusal.code, Code::NotAvailable);
        let RefusalReason::Denied(denied) = refusal.exact else {
            panic!("{:?}", refusal.exact)
        };
        assert_eq!(denied.ground, crate::policy::Ground::LowAssurance);
    }
}

#[test]
fn a_credential_may_say_less_than_the_token_and_never_more() {
    let world = with_policies(NAMING, NAMING);
    let said = low(&world, Assurance::High);
    assert_eq!(admit(&world, &said), Err(RefusalReason::LowAssurance));

    let credential = Credential {
        assurance: Assurance::Low,
        ..world.credential()
    };
    let auth = Auth {
        credential: credential.sign(&world.authority),
        ..world.auth()
    };
    let mut session = world.session();
    session
        .handle_auth(&auth.encode().unwrap(), &world.standing, NOW)
        .unwrap();
    assert_eq!(session.principal().unwrap().assurance, Assurance::Low);
}

#[test]
fn every_other_leg_must_still_stand() {
    let world = with_policies(NAMING, NAMING);
    let good = || low(&world, Assurance::Low);
    let signed = |name: &str, value| {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().remove("nonce");
        set(&mut claims, name, value);
        Auth {
            id_token_0: world.provider.sign(&claims),
            ..good()
        }
    };
    assert!(admit(&world, &good()).is_ok());

    let wrong = |name, value, error| {
        assert_eq!(admit(&world, &signed(name, value)), token(error), "{name}");
    };
    wrong("nonce", json!("another"), IdTokenError::Commitment);
    wrong("nonce", json!(""), IdTokenError::Commitment);
    wrong("iss", json!("https://evil.example"), IdTokenError::Issuer);
    wrong("aud", json!("another-client"), IdTokenError::Audience);
    wrong(
        "auth_time",
        json!(NOW.0 - 12 * 3600),
        IdTokenError::SessionTooOld,
    );
    wrong("auth_time", json!(null), IdTokenError::Claim);
    wrong("exp", json!(NOW.0 - 60), IdTokenError::Expired);
    assert_eq!(
        admit(&world, &signed("sub", json!("00uben"))),
        Err(RefusalReason::OtherSubject)
    );
    let unsigned = Auth {
        signature: [0; 64],
        ..good()
    };
    assert_eq!(admit(&world, &unsigned), Err(RefusalReason::Proof));
    let forged = Auth {
        id_token_0: Provider::new("k1").sign(&world.refreshed()),
        ..good()
    };
    assert_eq!(admit(&world, &forged), token(IdTokenError::Signature));
}

#[test]
fn a_stolen_token_without_a_nonce_is_nothing_on_a_device_that_the_authority_does_not_vouch_for() {
    let mut thief = with_policies(NAMING, NAMING);
    let stolen = low(&thief, Assurance::Low);
    thief.identity = key(66);

    let with_his_key = Auth {
        credential: stolen.credential.clone(),
        id_token_0: stolen.id_token_0.clone(),
        ..thief.auth()
    };

    assert_eq!(admit(&thief, &with_his_key), Err(RefusalReason::OtherKey));
}

#[test]
fn renewal_raises_the_assurance_and_never_lowers_it() {
    let both = format!("{ALLOWING}{NAMING}");
    let world = with_policies(&both, &both);
    let encoded = |auth: Auth| auth.encode().unwrap();
    let mut bound = world.warm();
    let refusal = bound
        .handle_reauth(&encoded(low(&world, Assurance::Low)), &world.standing, NOW)
        .unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::LowAssurance);
    assert_eq!(bound.principal().unwrap().assurance, Assurance::High);

    let mut loose = world.session();
    loose
        .handle_auth(&encoded(low(&world, Assurance::Low)), &world.standing, NOW)
        .unwrap();
    loose
        .handle_reauth(&encoded(world.auth()), &world.standing, NOW)
        .unwrap();
    assert_eq!(loose.principal().unwrap().assurance, Assurance::High);
}
