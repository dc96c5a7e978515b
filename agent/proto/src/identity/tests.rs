//! Keys against published vectors.
//! The weak points are listed by hand; aws-lc refuses the same ones in the channel tests.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::entropy::SystemEntropy;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn signs_as_rfc_8032_test_2() {
    let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    let seed: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&seed[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let key = SigningKey::from_seed(&seed.try_into().unwrap());

    let signature = key.sign(&[0x72]);

    assert_eq!(
        hex(key.verify_key().as_bytes()),
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    assert_eq!(
        hex(&signature),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    assert_eq!(key.verify_key().verify(&[0x72], &signature), Ok(()));
    assert_eq!(
        key.verify_key().verify(&[0x73], &signature),
        Err(BadSignature)
    );
    assert_eq!(
        key.verify_key().verify(&[0x72], &signature[..63]),
        Err(BadSignature)
    );
}

#[test]
fn fixes_the_bytes_of_fingerprints() {
    let key = SigningKey::from_seed(&[7; 32]).verify_key();
    let noise = NoiseSecret::from_bytes(&[7; 32]).public();

    let by_hand = sha256(&[b"tidegate/peer/v1\0ed25519", key.as_bytes()]);

    assert_eq!(key.peer_id().as_bytes(), &by_hand);
    assert_eq!(
        noise.fingerprint(),
        sha256(&[b"tidegate/noise/v1\0", noise.as_bytes()])
    );
}

fn first_byte(n: u8) -> [u8; 32] {
    std::array::from_fn(|i| if i == 0 { n } else { 0 })
}

fn near_p(n: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (n, 0x7f);
    bytes
}

#[test]
fn refuses_every_low_order_noise_key_as_the_agreement_does() {
    let mut weak = X25519_ORDER_8.to_vec();
    weak.extend([0, 1].map(first_byte));
    weak.extend([0xec, 0xed, 0xee].map(near_p));

    for bytes in weak {
        let mut high = bytes;
        high[31] |= 0x80;
        for bytes in [bytes, high] {
            let ours =
                agreement::PrivateKey::from_private_key(&agreement::X25519, &[9; 32]).unwrap();
            let theirs = agreement::UnparsedPublicKey::new(&agreement::X25519, bytes);
            assert!(
                agreement::agree(&ours, theirs, (), |_| Ok(())).is_err(),
                "{bytes:02x?}"
            );
            assert_eq!(NoisePublic::new(bytes), Err(KeyError::Weak));
        }
    }
}

#[test]
fn refuses_noise_keys_that_are_not_canonical() {
    for bytes in (0xed..=0xff).map(near_p) {
        assert_eq!(NoisePublic::new(bytes), Err(KeyError::Weak));
    }
    let mut high = *NoiseSecret::generate(&SystemEntropy).public().as_bytes();
    high[31] |= 0x80;
    assert_eq!(NoisePublic::new(high), Err(KeyError::Weak));
}

#[test]
fn refuses_every_small_order_signing_key() {
    for bytes in ED25519_ORDER_8.into_iter().chain([[0; 32]]) {
        let mut negative = bytes;
        negative[31] |= 0x80;
        assert_eq!(VerifyKey::new(bytes), Err(KeyError::Weak));
        assert_eq!(VerifyKey::new(negative), Err(KeyError::Weak));
    }
}

#[test]
fn a_key_survives_its_own_text_and_no_other_spelling() {
    let key = SigningKey::generate(&SystemEntropy).verify_key();
    let noise = NoiseSecret::generate(&SystemEntropy).public();

    assert_eq!(key.to_string().parse(), Ok(key));
    assert_eq!(noise.to_string().parse(), Ok(noise));
    assert_eq!(
        serde_json::from_str::<VerifyKey>(&serde_json::to_string(&key).unwrap()).unwrap(),
        key
    );
    for bad in [
        format!("{key}="),
        format!("{key}A"),
        key.to_string()[1..].to_owned(),
        String::new(),
    ] {
        assert_eq!(bad.parse::<VerifyKey>(), Err(KeyError::Encoding));
    }
}
