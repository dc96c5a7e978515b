//! Key sets that are too large, too weak or ambiguous, and what a `kid` may do.
//! A set is public and comes over the network: nothing in it is trusted to be reasonable.

use super::*;

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
