//! ID tokens that are not what they should be, and key sets that are too much.
//! `World` signs well-formed tokens; each test changes one thing.

#![allow(clippy::unwrap_used)]
mod forgery;
mod keys;

use super::*;
use crate::{
    strict::to_base64url,
    testing::{ALGORITHMS, CLIENT, ISSUER, NOW, Provider, RsaKey, World, idp, key_set, set},
};
use serde_json::{Value, json};

fn read(claims: &Value) -> Result<PersonClaims, IdTokenError> {
    let provider = Provider::new("k1");
    verify_id_token(&provider.sign(claims), &idp(), &provider.keys(), NOW)
}

fn with(name: &str, value: Value) -> Result<PersonClaims, IdTokenError> {
    let mut claims = World::new().claims();
    set(&mut claims, name, value);
    read(&claims)
}

fn without(name: &str) -> Result<PersonClaims, IdTokenError> {
    let mut claims = World::new().claims();
    claims.as_object_mut().unwrap().remove(name);
    read(&claims)
}

/// A well-signed token whose header was chosen by an attacker who cannot sign.
fn reheaded(header: &Value) -> Result<PersonClaims, IdTokenError> {
    let world = World::new();
    let honest = world.provider.sign(&world.claims());
    let (_, rest) = honest.split_once('.').unwrap();
    let token = format!("{}.{rest}", to_base64url(header.to_string().as_bytes()));
    verify_id_token(&token, &idp(), &world.provider.keys(), NOW)
}

/// A token whose header the provider itself signed.
fn signed_with(header: &Value) -> Result<PersonClaims, IdTokenError> {
    let world = World::new();
    let token = world
        .provider
        .sign_as(header, world.claims().to_string().as_bytes());
    verify_id_token(&token, &idp(), &world.provider.keys(), NOW)
}

#[test]
fn reads_what_the_provider_says() {
    let person = read(&World::new().claims()).unwrap();

    assert_eq!(person.sub.as_str(), "00uana");
    assert_eq!(person.groups, ["Everyone", "data-science"]);
    assert_eq!(person.department.as_deref(), Some("Data Science"));
    assert_eq!(person.amr, ["pwd", "mfa"]);
    assert!(with("groups", Value::Null).unwrap().groups.is_empty());
    assert_eq!(with("groups", json!("one")).unwrap().groups, ["one"]);
    assert!(without("groups").unwrap().groups.is_empty());
    assert!(with("unheard_of", json!({"a": [1, 2]})).is_ok());
}

#[test]
fn rejects_a_token_issued_in_the_future() {
    for name in ["iat", "nbf", "auth_time"] {
        assert_eq!(
            with(name, json!(NOW.0 + 61)),
            Err(IdTokenError::Future),
            "{name}"
        );
    }
    assert_eq!(with("iat", json!(u64::MAX)), Err(IdTokenError::Future));
    assert!(with("iat", json!(NOW.0 + 60)).is_ok());
}

#[test]
fn rejects_a_token_that_lives_longer_than_a_day() {
    let issued = NOW.0 - 300;

    assert!(with("exp", json!(issued + 86_400)).is_ok());
    assert_eq!(with("exp", json!(issued + 86_401)), Err(IdTokenError::Life));
    assert_eq!(with("exp", json!(u64::MAX)), Err(IdTokenError::Life));
    assert_eq!(with("exp", json!(issued)), Err(IdTokenError::Claim));
}

#[test]
fn rejects_another_audience_or_several() {
    for audience in [
        json!("other"),
        json!(""),
        json!(["other"]),
        json!([CLIENT, "other"]),
        json!([CLIENT, CLIENT]),
        json!([]),
    ] {
        assert_eq!(
            with("aud", audience.clone()),
            Err(IdTokenError::Audience),
            "{audience}"
        );
    }
    assert_eq!(with("azp", json!("other")), Err(IdTokenError::Audience));
    assert!(with("aud", json!([CLIENT])).is_ok());
    assert!(with("azp", json!(CLIENT)).is_ok());
    for odd in [
        json!(7),
        json!({}),
        json!([7]),
        json!([[CLIENT]]),
        Value::Null,
    ] {
        assert_eq!(with("aud", odd.clone()), Err(IdTokenError::Claim), "{odd}");
    }
    assert_eq!(without("aud"), Err(IdTokenError::Claim));
}

#[test]
fn rejects_an_issuer_that_only_looks_right() {
    for issuer in [
        format!("{ISSUER}/"),
        ISSUER.to_uppercase(),
        ISSUER.replace("https", "http"),
        ISSUER.replace("acme", "\u{430}cme"),
        ISSUER.replace("acme.okta", "acme-okta"),
        ISSUER.replace("/default", "/default/../default"),
        format!(" {ISSUER}"),
        format!("{ISSUER}?"),
        String::new(),
    ] {
        assert_eq!(
            with("iss", json!(issuer)),
            Err(IdTokenError::Issuer),
            "{issuer}"
        );
    }
}

#[test]
fn rejects_a_missing_or_misshapen_claim() {
    for name in ["iss", "sub", "exp", "iat", "auth_time"] {
        assert_eq!(without(name), Err(IdTokenError::Claim), "{name}");
        for odd in [json!({}), json!([]), json!(true), Value::Null] {
            assert_eq!(
                with(name, odd.clone()),
                Err(IdTokenError::Claim),
                "{name} {odd}"
            );
        }
    }
    for time in [json!(-1), json!(1.5), json!("1795269909"), json!(1e300)] {
        assert_eq!(
            with("exp", time.clone()),
            Err(IdTokenError::Claim),
            "{time}"
        );
    }
    for sub in [
        String::new(),
        "a\n".to_owned(),
        "\u{430}na".to_owned(),
        "x".repeat(256),
    ] {
        assert_eq!(with("sub", json!(sub)), Err(IdTokenError::Claim), "{sub:?}");
    }
    assert_eq!(
        with("department", json!("x".repeat(513))),
        Err(IdTokenError::Claim)
    );
    assert_eq!(
        with("auth_time", json!(NOW.0 - 100)),
        Err(IdTokenError::Claim),
        "signed in after it was issued"
    );
}

#[test]
fn rejects_a_claim_or_header_that_appears_twice() {
    let provider = Provider::new("k1");
    let claims = World::new().claims().to_string();
    let verify = |token: &str| verify_id_token(token, &idp(), &provider.keys(), NOW);
    let header = json!({"alg": "ES256", "kid": "k1"});

    for twice in [
        r#"{"sub":"00uben","#,
        r#"{"s\u0075b":"00uben","#,
        r#"{"x":{"a":1,"a":2},"#,
    ] {
        let payload = claims.replacen('{', twice, 1);
        let read = verify(&provider.sign_as(&header, payload.as_bytes()));
        assert_eq!(
            read,
            Err(IdTokenError::Strict(StrictError::DuplicateKey)),
            "{twice}"
        );
    }
    let honest = provider.sign_as(&header, claims.as_bytes());
    let (_, rest) = honest.split_once('.').unwrap();
    let header = to_base64url(br#"{"alg":"none","alg":"ES256","kid":"k1"}"#);
    assert_eq!(
        verify(&format!("{header}.{rest}")),
        Err(IdTokenError::Strict(StrictError::DuplicateKey))
    );
}

#[test]
fn rejects_claims_nested_a_thousand_deep() {
    let provider = Provider::new("k1");
    let claims = World::new().claims().to_string();
    let deep = format!(r#"{{"x":{}{},"#, "[".repeat(1000), "]".repeat(1000));
    let payload = claims.replacen('{', &deep, 1);
    let token = provider.sign_as(&json!({"alg": "ES256", "kid": "k1"}), payload.as_bytes());

    let read = verify_id_token(&token, &idp(), &provider.keys(), NOW);

    assert_eq!(read, Err(IdTokenError::Strict(StrictError::Depth)));
}

#[test]
fn refuses_too_many_groups_loudly_and_never_cuts_them_short() {
    let names = |n: usize, length: usize| json!(vec!["g".repeat(length); n]);

    assert_eq!(with("groups", names(200, 40)).unwrap().groups.len(), 200);
    assert_eq!(
        with("groups", names(201, 1)),
        Err(IdTokenError::TooManyGroups)
    );
    assert_eq!(
        with("groups", names(9, 1000)),
        Err(IdTokenError::TooManyGroups)
    );
    assert_eq!(
        with("groups", names(200, 1000)),
        Err(IdTokenError::Strict(StrictError::Size))
    );
    assert_eq!(with("groups", json!(["a", 7])), Err(IdTokenError::Claim));
    assert_eq!(with("groups", json!({"a": 1})), Err(IdTokenError::Claim));
}

#[test]
fn a_group_may_be_named_anything_and_stays_what_it_is() {
    let odd = [
        "a\0b",
        "a\nb",
        "a\u{202e}b",
        "{\"event\":\"allow\"}",
        "\u{1b}[31m",
        "",
        " data-science",
    ];

    assert_eq!(with("groups", json!(odd)).unwrap().groups, odd);
}
