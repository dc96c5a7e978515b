//! What a sign-in leaves behind: the first ID token, what opens its nonce, and the newest token of the same session.
//! The first token is kept for the whole session although it expires: only it commits to the device's key.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::idtoken::commitment;
use tidegate_proto::names::{OrgName, Subject};
use tidegate_proto::time::UnixTime;
use zeroize::Zeroizing;

/// What the agent reads in an ID token. Groups are the outlet's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) subject: Subject,
    /// What to call the person.
    pub(crate) name: String,
    pub(crate) issued: UnixTime,
    pub(crate) expires: UnixTime,
    pub(crate) auth_time: UnixTime,
}

/// One answer of the provider. No `Debug`.
pub(crate) struct Tokens {
    pub(crate) id_token: Zeroizing<String>,
    pub(crate) refresh: Option<Zeroizing<String>>,
    pub(crate) claims: Claims,
}

/// A person's session on this device. Immutable: a refresh makes a new one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// The token whose nonce commits to the identity key.
    pub(crate) id_token_0: Zeroizing<String>,
    /// Opens the nonce.
    pub(crate) rz: [u8; 32],
    /// A newer token, once there was a refresh.
    pub(crate) id_token_n: Option<Zeroizing<String>>,
    /// Of the newest token.
    pub(crate) claims: Claims,
    /// Seconds after `auth_time` at which the session ends.
    pub(crate) longest: u64,
    /// Signed in with a code: nothing commits to the identity key, the assurance is low.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) with_code: bool,
}

/// A refreshed token that does not continue this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the refreshed token belongs to another session")]
pub(crate) struct OtherSession;

impl Session {
    pub(crate) fn begin(tokens: &Tokens, rz: [u8; 32], longest: u64) -> Self {
        Self {
            id_token_0: tokens.id_token.clone(),
            rz,
            id_token_n: None,
            claims: tokens.claims.clone(),
            longest,
            with_code: false,
        }
    }

    /// The same for a sign-in with a code.
    pub(crate) fn with_code(self) -> Self {
        Self {
            with_code: true,
            ..self
        }
    }

    /// The session with a newer token in it.
    ///
    /// # Errors
    /// When person or sign-in time differ (PROTOCOL section 4).
    pub(crate) fn renewed(&self, tokens: &Tokens) -> Result<Self, OtherSession> {
        let new = &tokens.claims;
        if new.subject != self.claims.subject || new.auth_time != self.claims.auth_time {
            return Err(OtherSession);
        }
        Ok(Self {
            id_token_0: self.id_token_0.clone(),
            rz: self.rz,
            id_token_n: Some(tokens.id_token.clone()),
            claims: new.clone(),
            longest: self.longest,
            with_code: self.with_code,
        })
    }

    /// When the browser is needed again, wall clock.
    pub(crate) fn ends(&self) -> UnixTime {
        self.claims.auth_time.plus(self.longest)
    }

    /// The nonce that the first token carries.
    pub(crate) fn nonce(&self, key: &VerifyKey, org: &OrgName, client_id: &str) -> String {
        commitment(&self.rz, key, org, client_id)
    }

    /// For the keyring.
    pub(crate) fn to_secret(&self) -> Option<Zeroizing<String>> {
        serde_json::to_string(self).ok().map(Zeroizing::new)
    }

    /// From the keyring; anything odd is no session.
    pub(crate) fn from_secret(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("subject", &self.claims.subject)
            .field("ends", &self.ends())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn tokens(text: &str, issued: u64) -> Tokens {
        Tokens {
            id_token: Zeroizing::new(text.into()),
            refresh: Some(Zeroizing::new(format!("refresh-{text}"))),
            claims: Claims {
                subject: "00uana".parse().unwrap(),
                name: "ana@example.org".into(),
                issued: UnixTime(issued),
                expires: UnixTime(issued + 3600),
                auth_time: UnixTime(1000),
            },
        }
    }

    #[test]
    fn keeps_the_first_token_and_adds_the_newest() {
        let session = Session::begin(&tokens("first", 1000), [7; 32], 43_200);

        let renewed = session
            .renewed(&tokens("second", 4000))
            .unwrap()
            .renewed(&tokens("third", 7000))
            .unwrap();

        assert_eq!(renewed.id_token_0.as_str(), "first");
        assert_eq!(renewed.id_token_n.as_ref().unwrap().as_str(), "third");
        assert_eq!(renewed.ends(), UnixTime(44_200));
    }

    #[test]
    fn a_token_of_another_person_or_sign_in_does_not_renew() {
        let session = Session::begin(&tokens("first", 1000), [7; 32], 43_200);
        let mut other = tokens("x", 4000);
        other.claims.subject = "00ubob".parse().unwrap();
        let mut later = tokens("y", 4000);
        later.claims.auth_time = UnixTime(3999);

        assert_eq!(session.renewed(&other).err(), Some(OtherSession));
        assert_eq!(session.renewed(&later).err(), Some(OtherSession));
    }

    #[test]
    fn survives_the_keyring_and_shows_nothing_in_debug() {
        let session = Session::begin(&tokens("canary-token", 1000), [7; 32], 43_200);

        let back = Session::from_secret(&session.to_secret().unwrap()).unwrap();

        assert_eq!(back.id_token_0, session.id_token_0);
        assert_eq!(back.rz, session.rz);
        assert!(!format!("{session:?}").contains("canary"));
        assert!(Session::from_secret("{}").is_none());
    }
}
