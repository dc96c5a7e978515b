//! Whatever bytes arrive at a door of the protocol, reading them ends, and ends in a value or an error.
//! These are the doors that somebody without any right can reach; fuzzing goes deeper, this runs on every change.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tidegate_proto::{
    auth::Auth,
    event::Verifier,
    identity::SigningKey,
    idtoken::KeySet,
    policy::{Rules, Side},
    statement::{Algorithm, Credential, JoinLink, OrgBundle, Statement},
    text::{Shown, deceives},
};

/// Text that is nearly JSON: random bytes alone would be refused at their first character.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\"sub\"", "\"a\"", "1", "-1e9", "null", "true",
        "\\u0061", " ", "\u{202e}", "x",
    ]);
    prop::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

/// Text that is nearly a policy.
fn nearly_cedar() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "permit",
        "forbid",
        "(",
        ")",
        "principal",
        "action",
        "resource",
        ",",
        ";",
        " when ",
        "{",
        "}",
        "true",
        " && ",
        " || ",
        "!",
        "if ",
        " then ",
        " else ",
        "context.weekday",
        " == ",
        "1",
        "\"a\"",
        "[",
        "]",
        ".contains",
        "//",
        "\n",
        "permit (principal, action, resource)",
        "@tell(\"x\")",
        "Tidegate::User::\"a\"",
        "-",
        "like",
        "?principal",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn reading_any_record_ends(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let key = SigningKey::from_seed(&[1; 32]).verify_key();
        prop_assert!(Auth::decode(&bytes).is_err());
        prop_assert!(OrgBundle::parse(&bytes).is_err());
        prop_assert!(KeySet::parse(&bytes, &[Algorithm::RS256]).is_err());
        prop_assert!(Verifier::new(&"acme".parse().unwrap(), &key).line(&bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(Credential::verify(&text, &key).is_err());
        prop_assert!(JoinLink::parse(&text).is_err());
    }

    #[test]
    fn reading_anything_like_json_ends(text in nearly_json()) {
        let bytes = text.as_bytes();
        prop_assert!(Auth::decode(bytes).is_err());
        prop_assert!(OrgBundle::parse(bytes).is_err());
        prop_assert!(KeySet::parse(bytes, &[Algorithm::RS256]).is_err());
    }

    #[test]
    fn compiling_anything_like_a_policy_ends(text in nearly_cedar()) {
        let _ = Rules::compile(Side::Org, &text);
    }

    #[test]
    fn what_is_shown_deceives_nobody_and_stays_short(text in any::<String>()) {
        let shown = Shown::new(&text);
        prop_assert!(!shown.as_str().chars().any(deceives));
        prop_assert!(shown.as_str().len() <= 700);
        prop_assert_eq!(Shown::new(shown.as_str()), shown);
    }
}
