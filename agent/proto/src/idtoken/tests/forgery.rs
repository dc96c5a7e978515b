//! Tokens by somebody who does not have the provider's key.
//! Headers are the attacker's to choose; none of them may choose the check.

use super::*;

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
