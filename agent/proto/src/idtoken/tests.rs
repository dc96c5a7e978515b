#![allow(clippy::unwrap_used)]
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
fn rejects_the_algorithm_none() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        assert_eq!(
            reheaded(&json!({"alg": alg, "kid": "k1"})),
            Err(IdTokenError::Algorithm),
            "{alg}"
        );
        let world = World::new();
        let header = to_base64url(json!({"alg": alg, "kid": "k1"}).to_string().as_bytes());
        let bare = format!(
            "{header}.{}.",
            to_base64url(world.claims().to_string().as_bytes())
        );
        let read = verify_id_token(&bare, &idp(), &world.provider.keys(), NOW);
        assert_eq!(read, Err(IdTokenError::Algorithm), "{alg}");
    }
}

#[test]
fn rejects_hs256_keyed_with_the_providers_public_key() {
    let rsa = RsaKey::new();
    let keys = key_set(&[rsa.jwk("r1")]);
    let claims = World::new().claims();
    let header = to_base64url(br#"{"alg":"HS256","kid":"r1"}"#);
    let signed = format!("{header}.{}", to_base64url(claims.to_string().as_bytes()));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &rsa.modulus());
    let forged = format!(
        "{signed}.{}",
        to_base64url(aws_lc_rs::hmac::sign(&secret, signed.as_bytes()).as_ref())
    );

    assert_eq!(
        verify_id_token(&forged, &idp(), &keys, NOW),
        Err(IdTokenError::Algorithm)
    );
    assert!(verify_id_token(&rsa.sign("r1", &claims), &idp(), &keys, NOW).is_ok());
}

#[test]
fn rejects_an_algorithm_that_the_key_or_the_org_does_not_allow() {
    let rsa = RsaKey::new();
    let token = rsa.sign("r1", &World::new().claims());
    let mut only_es = idp();
    only_es.algorithms = vec![Algorithm::ES256];
    let mut ps_key = rsa.jwk("r1");
    set(&mut ps_key, "alg", json!("PS256"));

    assert_eq!(
        verify_id_token(&token, &only_es, &key_set(&[rsa.jwk("r1")]), NOW),
        Err(IdTokenError::Algorithm)
    );
    assert_eq!(
        verify_id_token(&token, &idp(), &key_set(&[ps_key]), NOW),
        Err(IdTokenError::Algorithm)
    );
    assert_eq!(
        signed_with(&json!({"alg": "RS256", "kid": "k1"})),
        Err(IdTokenError::Algorithm)
    );
}

#[test]
fn a_kid_is_compared_and_never_a_path() {
    for kid in [
        "../../etc/passwd",
        "",
        "K1",
        "k1 ",
        "k1\0",
        "'; drop table keys; --",
        "https://evil.example/k1",
    ] {
        assert_eq!(
            signed_with(&json!({"alg": "ES256", "kid": kid})),
            Err(IdTokenError::UnknownKey),
            "{kid:?}"
        );
    }
    assert_eq!(
        signed_with(&json!({"alg": "ES256"})),
        Err(IdTokenError::UnknownKey)
    );
}

#[test]
fn an_unknown_key_named_a_thousand_times_leads_to_one_fetch() {
    let mut refetch = Refetch::default();

    let fetched = (0..1000)
        .filter(|n| refetch.allow(NOW.plus(n / 10)))
        .count();

    assert_eq!(fetched, 1);
    assert!(!refetch.allow(NOW.plus(299)));
    assert!(refetch.allow(NOW.plus(300)));
    assert!(!refetch.allow(NOW), "a clock that went back opens nothing");
}

#[test]
fn keys_and_addresses_in_a_header_are_ignored() {
    let attacker = Provider::new("k1");
    let world = World::new();
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT", "jwk": attacker.jwk(),
        "jku": "https://evil.example/keys", "x5u": "file:///etc/passwd", "x5c": ["AAAA"]});
    let forged = attacker.sign_as(&header, world.claims().to_string().as_bytes());

    let read = verify_id_token(&forged, &idp(), &world.provider.keys(), NOW);

    assert_eq!(read, Err(IdTokenError::Signature));
    assert!(
        signed_with(&header).is_ok(),
        "present is not wrong, only unread"
    );
    assert_eq!(
        signed_with(&json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false})),
        Err(IdTokenError::Form)
    );
    assert_eq!(
        signed_with(&json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"})),
        Err(IdTokenError::Type)
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

#[test]
fn rejects_a_signature_that_is_empty_zero_or_spelled_another_way() {
    let world = World::new();
    let honest = world.provider.sign(&world.claims());
    let (signed, signature) = honest.rsplit_once('.').unwrap();
    let verify = |signature: &str| {
        verify_id_token(
            &format!("{signed}.{signature}"),
            &idp(),
            &world.provider.keys(),
            NOW,
        )
    };

    assert!(verify(signature).is_ok());
    assert_eq!(verify(""), Err(IdTokenError::Signature));
    assert_eq!(
        verify(&to_base64url(&[0; 64])),
        Err(IdTokenError::Signature),
        "ECDSA with r = s = 0"
    );
    assert_eq!(
        verify(&to_base64url(&[0xff; 64])),
        Err(IdTokenError::Signature)
    );
    assert_eq!(
        verify(&to_base64url(&[1; 63])),
        Err(IdTokenError::Signature)
    );
    for odd in [
        format!("{signature}="),
        format!("{signature}=="),
        format!("{signature}\n"),
        format!(" {signature}"),
    ] {
        assert_eq!(
            verify(&odd),
            Err(IdTokenError::Strict(StrictError::Base64)),
            "{odd:?}"
        );
    }
    // 64 bytes end in a character of which four bits mean nothing: only one of sixteen spellings is right.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    let sibling = format!(
        "{}{}",
        &signature[..signature.len() - 1],
        &alphabet[last + 1..last + 2]
    );
    assert_eq!(
        verify(&sibling),
        Err(IdTokenError::Strict(StrictError::Base64))
    );
    for parts in ["", "a", "a.b", "a.b.c.d", "..", "..."] {
        assert!(
            verify_id_token(parts, &idp(), &world.provider.keys(), NOW).is_err(),
            "{parts}"
        );
    }
}

#[test]
fn rejects_a_flip_of_any_character_of_a_token() {
    let world = World::new();
    let honest = world.provider.sign(&world.claims());

    for at in 0..honest.len() {
        let mut bytes = honest.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(bytes).unwrap();
        assert!(
            verify_id_token(&flipped, &idp(), &world.provider.keys(), NOW).is_err(),
            "{at}"
        );
    }
}

#[test]
fn rejects_a_key_set_that_is_too_large_or_ambiguous() {
    let key = Provider::new("k1").jwk();
    let parse = |keys: &[Value]| {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), &ALGORITHMS).map(|_| ())
    };
    let numbered = |n: usize| {
        let mut key = key.clone();
        set(&mut key, "kid", json!(n.to_string()));
        key
    };

    assert_eq!(parse(&(0..64).map(numbered).collect::<Vec<_>>()), Ok(()));
    assert_eq!(
        parse(&(0..65).map(numbered).collect::<Vec<_>>()),
        Err(KeySetError::TooMany)
    );
    assert_eq!(
        parse(&(0..10_000).map(numbered).collect::<Vec<_>>()),
        Err(KeySetError::Strict(StrictError::Size))
    );
    assert_eq!(
        parse(&[key.clone(), key.clone()]),
        Err(KeySetError::SameKid)
    );
    assert_eq!(parse(&[]), Err(KeySetError::Empty));
    let huge = KeySet::parse(&vec![b' '; 50 << 20], &ALGORITHMS).map(|_| ());
    assert_eq!(huge, Err(KeySetError::Strict(StrictError::Size)));
    for odd in [
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[7]}",
        "{\"keys\":[],\"keys\":[]}",
        "<html>",
    ] {
        assert!(KeySet::parse(odd.as_bytes(), &ALGORITHMS).is_err(), "{odd}");
    }
}

#[test]
fn weak_or_unfit_keys_are_never_used() {
    let rsa = RsaKey::new();
    let odd_rsa = |n: Vec<u8>, e: &[u8]| {
        let mut key = rsa.jwk("r1");
        set(&mut key, "n", json!(to_base64url(&n)));
        set(&mut key, "e", json!(to_base64url(e)));
        key
    };
    let changed = |name: &str, value: &str| {
        let mut key = Provider::new("k1").jwk();
        set(&mut key, name, json!(value));
        key
    };
    let unfit = [
        odd_rsa(vec![0xc1; 64], &[1, 0, 1]), // 512 bits
        odd_rsa([vec![0; 192], vec![0xc1; 64]].concat(), &[1, 0, 1]), // 512 bits behind zeros
        odd_rsa([vec![0x7f], vec![0xc1; 255]].concat(), &[1, 0, 1]), // 2047 bits
        odd_rsa(vec![0xc1; 2048], &[1, 0, 1]), // 16384 bits
        odd_rsa(rsa.modulus(), &[1]),
        odd_rsa(rsa.modulus(), &[3]),
        odd_rsa(vec![], &[1, 0, 1]),
        changed("use", "enc"),
        changed("kty", "oct"),
        changed("crv", "P-521"),
        changed("alg", "HS256"),
        changed("x", "AAAA"),
        changed("kid", ""),
    ];

    for key in unfit {
        let set = json!({"keys": [key]}).to_string();
        assert_eq!(
            KeySet::parse(set.as_bytes(), &ALGORITHMS).map(|_| ()),
            Err(KeySetError::Empty),
            "{set}"
        );
    }
    let off_curve = key_set(&[changed("x", &to_base64url(&[1; 32]))]);
    let token = Provider::new("k1").sign(&World::new().claims());
    assert_eq!(
        verify_id_token(&token, &idp(), &off_curve, NOW),
        Err(IdTokenError::Signature)
    );
}

#[test]
fn a_key_that_the_provider_removed_verifies_nothing_any_more() {
    let world = World::new();
    let token = world.provider.sign(&world.claims());
    let rotated = Provider::new("k2");

    assert!(
        verify_id_token(
            &token,
            &idp(),
            &key_set(&[world.provider.jwk(), rotated.jwk()]),
            NOW
        )
        .is_ok()
    );
    assert_eq!(
        verify_id_token(&token, &idp(), &rotated.keys(), NOW),
        Err(IdTokenError::UnknownKey)
    );
}
