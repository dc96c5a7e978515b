//! The three legs of one person at one moment, as they are presented in AUTH, in an approval and to the authority.
//! Checked in the order of PROTOCOL section 7 (4, 5, 6, 7); whether somebody was revoked since is the caller's to ask.

use crate::{
    identity::VerifyKey,
    idtoken::{FormerKeys, IdTokenError, KeySet, Person, verify_pair},
    names::OrgName,
    principal::{DeviceProof, Joined, Principal},
    refusal::RefusalReason,
    statement::{
        AuthorityStatement, Credential, DeviceChain, IdpStatement, Statement, StatementError,
    },
    strict::fixed,
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// What somebody presents about themselves. No `Debug`: ID tokens do not belong into a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legs {
    pub identity: VerifyKey,
    /// `tg-cred`.
    pub credential: String,
    /// The first ID token of the session, whose nonce commits to `identity`.
    pub id_token_0: String,
    /// The randomness of the commitment.
    #[serde(with = "fixed")]
    pub rz: [u8; 32],
    /// The newest refreshed ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_n: Option<String>,
    /// How the device was enrolled, for policies that ask for more than the authority's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<DeviceChain>,
}

/// Whose word counts.
#[derive(Copy, Clone)]
pub struct Trust<'a> {
    pub org: &'a OrgName,
    pub root: &'a VerifyKey,
    pub authority: &'a AuthorityStatement,
    pub idp: &'a IdpStatement,
    /// The provider's keys, fetched from the provider itself.
    pub keys: &'a KeySet,
    /// Those it used before, for what was approved in their time and for nothing else.
    pub former: &'a [FormerKeys],
}

/// Legs that stand.
pub struct Stood {
    pub principal: Principal,
    pub credential: Credential,
    pub person: Person,
}

impl Legs {
    /// All of them, as of `at`. The caller has seen that `identity` is at the other end, or signed something.
    ///
    /// # Errors
    /// The first of checks 4 to 6 that does not hold, revocations apart.
    pub fn stand(&self, trust: &Trust<'_>, at: UnixTime) -> Result<Stood, RefusalReason> {
        let credential = self.credential(trust, at)?;
        self.with_credential(credential, trust, at)
    }

    /// As `stand`, for legs under which something was sealed at `at`: a key that the provider used then may be gone by now.
    ///
    /// # Errors
    /// As `stand`.
    pub(crate) fn stood(&self, trust: &Trust<'_>, at: UnixTime) -> Result<Stood, RefusalReason> {
        let unknown = RefusalReason::IdToken(IdTokenError::UnknownKey);
        let of_then = trust.former.iter().filter(|former| at <= former.until);
        let mut stood = self.stand(trust, at);
        for FormerKeys { keys, .. } in of_then {
            if !matches!(&stood, Err(exact) if *exact == unknown) {
                break;
            }
            stood = self.stand(&Trust { keys, ..*trust }, at);
        }
        stood
    }

    /// Check 4: the authority's word.
    pub(crate) fn credential(
        &self,
        trust: &Trust<'_>,
        at: UnixTime,
    ) -> Result<Credential, RefusalReason> {
        trust
            .authority
            .valid_at(at)
            .map_err(RefusalReason::Authority)?;
        let credential = Credential::verify_for(&self.credential, &trust.authority.key, trust.org)
            .map_err(RefusalReason::Credential)?;
        credential.valid_at(at).map_err(RefusalReason::Credential)?;
        if credential.cnf == self.identity.peer_id() {
            Ok(credential)
        } else {
            Err(RefusalReason::OtherKey)
        }
    }

    /// Checks 4 (the device's own chain) to 7, for a credential that was believed.
    pub(crate) fn with_credential(
        &self,
        credential: Credential,
        trust: &Trust<'_>,
        at: UnixTime,
    ) -> Result<Stood, RefusalReason> {
        let (enrolment, joined) = self.device(&credential, trust)?;
        let person = self.person(&credential, trust, at)?;
        // 7: each attribute from its one owner.
        let principal = Principal {
            enrolment,
            joined,
            ..Principal::new(&credential, &person)
        };
        Ok(Stood {
            principal,
            credential,
            person,
        })
    }

    /// Check 4, where more is shown than the authority's word: root, ticket and device follow from each other.
    /// A chain that is shown must hold, whether a policy asks for it or not.
    fn device(
        &self,
        credential: &Credential,
        trust: &Trust<'_>,
    ) -> Result<(DeviceProof, Joined), RefusalReason> {
        let Some(chain) = &self.enrolment else {
            return Ok((DeviceProof::Vouched, Joined::Unknown));
        };
        let (sub, key) = chain
            .verify(trust.root, trust.org)
            .map_err(RefusalReason::Enrolment)?;
        if key != self.identity || sub != credential.sub {
            return Err(RefusalReason::Enrolment(StatementError::Ticket));
        }
        let joined = if chain.vouches.is_empty() {
            Joined::Ticket
        } else {
            Joined::Approval
        };
        Ok((DeviceProof::Proved, joined))
    }

    /// Checks 5 and 6: the provider's word, and that both speak of the same person.
    fn person(
        &self,
        credential: &Credential,
        trust: &Trust<'_>,
        at: UnixTime,
    ) -> Result<Person, RefusalReason> {
        let newer = self.id_token_n.as_deref();
        let person = verify_pair(
            &self.id_token_0,
            newer,
            &self.rz,
            &self.identity,
            trust.idp,
            trust.keys,
            at,
        )
        .map_err(RefusalReason::IdToken)?;
        if person.sub != credential.sub {
            return Err(RefusalReason::OtherSubject);
        }
        // An honest authority never says more than the token does; a low one is left to the policies.
        if credential.assurance > person.assurance {
            return Err(RefusalReason::LowAssurance);
        }
        Ok(person)
    }
}
