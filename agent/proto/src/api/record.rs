//! Records on their way: an outlet hands the lines of its audit in, and a person asks what was recorded about them.
//! A line is signed by whoever made it and follows from the one before, so the authority can keep it and not alter it.

use serde::{Deserialize, Serialize};

use super::bytes;
use crate::{
    event::{Digest, MAX_LINE},
    identity::VerifyKey,
};

/// Most lines in one [`HandIn`]; and most bytes of them, so that it is no larger than a request may be.
pub const MAX_LINES: usize = 64;
pub const MAX_BYTES: usize = super::MAX_REQUEST - 1024;
/// Most lines of an answer to a person.
pub const MAX_RECORDED: u32 = 100;

const _: () = assert!(MAX_LINE < MAX_BYTES);

/// On a connection where the outlet has proved who it is: the next lines of its audit; none, to ask where to go on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandIn {
    pub lines: Vec<String>,
    /// The first of them is the first of its chain, and what was handed in before belongs to another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
}

/// How far the authority has the chain.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HandedIn {
    /// Lines it has.
    pub seq: u64,
    /// Of the last of them; before the first one, of who keeps the chain.
    pub digest: Digest,
}

/// A person's device asks what was recorded about the person, newest first.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRequest {
    pub identity: VerifyKey,
    /// As in [`super::CredentialRequest`].
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
    /// `tg-cred`.
    pub credential: String,
    /// Only what came before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most [`MAX_RECORDED`].
    pub most: u32,
}

/// What was recorded. That something is kept back does not show here: it does at whoever holds the chains.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordAnswer {
    pub entries: Vec<RecordEntry>,
    /// There is more, before the last of these.
    pub more: bool,
}

/// One line, and who signed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordEntry {
    /// Rises with the order in which the authority took them.
    pub number: u64,
    /// By which key the line is to be verified: the authority's, or an outlet's.
    pub keeper: VerifyKey,
    /// `tg-event`.
    pub line: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        event::Chain,
        testing::{key, org},
    };

    fn body(body: &impl Serialize) -> String {
        serde_json::to_string(body).unwrap()
    }

    #[test]
    fn every_word_about_records_is_these_bytes() {
        let keeper = key(3).verify_key();
        let head = Chain::start(&org(), &keeper).head();
        let hand_in = |anew| HandIn {
            lines: vec!["a.line.jws".into()],
            anew,
        };
        let asked = |before| RecordRequest {
            identity: keeper,
            proof: [4; 64],
            credential: "a.credential.jws".into(),
            before,
            most: 20,
        };
        let answer = RecordAnswer {
            entries: vec![RecordEntry {
                number: 7,
                keeper,
                line: "a.line.jws".into(),
            }],
            more: true,
        };

        let all = [
            body(&hand_in(false)),
            body(&hand_in(true)),
            body(&HandedIn {
                seq: head.seq,
                digest: head.digest,
            }),
            body(&asked(None)),
            body(&asked(Some(7))),
            body(&answer),
        ];
        insta::assert_snapshot!("record", all.join("\n"));
    }

    #[test]
    fn a_full_hand_in_is_no_larger_than_a_request_may_be() {
        let full = HandIn {
            lines: vec!["x".repeat(MAX_BYTES / MAX_LINES); MAX_LINES],
            anew: true,
        };

        assert!(body(&full).len() <= crate::api::MAX_REQUEST);
    }
}
