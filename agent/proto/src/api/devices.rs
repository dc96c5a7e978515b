//! What is asked about devices: letting a new one in by an old one, listing them, taking one of one's own back.
//! The authority carries the words of an introduction and decides nothing in it: the vouch that the old device signs does.

use serde::{Deserialize, Serialize};

use super::{CredentialRequest, bytes};
use crate::{
    identity::{PeerId, VerifyKey},
    names::{OrgName, Subject},
    statement::{Assurance, DeviceChain, Statement, StatementError},
    time::UnixTime,
};

/// Longest name that a device gives itself, in bytes.
pub const MAX_LABEL: usize = 64;
/// Most devices in an answer: those that are in before those that were shut out, then the newest.
pub const MAX_DEVICES: usize = 100;

/// A device that is not enrolled asks the person's other devices to let it in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntroductionRequest {
    /// As for a credential: whoever asks is signed in as the person, with this key.
    pub person: CredentialRequest,
    /// What to call the device on the other screen.
    pub label: String,
    /// As `introduction::commitment` says.
    #[serde(with = "bytes")]
    pub commitment: [u8; 32],
}

/// One step of an introduction, by either device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntroductionStep {
    pub identity: VerifyKey,
    /// As in [`CredentialRequest`].
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
    /// `tg-cred`, of a device that is in: its person is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Which introduction.
    pub id: String,
    pub step: Step,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The old device shows its nonce.
    Compare {
        #[serde(with = "bytes")]
        nonce: [u8; 32],
    },
    /// The new device opens its commitment, once it has seen the other's nonce.
    Reveal {
        #[serde(with = "bytes")]
        nonce: [u8; 32],
    },
    /// The old device vouches (`tg-vouch`), and gives the chain by which it is one itself, if it has that.
    Approve {
        vouch: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain: Option<DeviceChain>,
    },
    /// Either of them wants no more of it.
    Decline,
}

/// An introduction as both devices see it. All of it is only what the authority says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Introduction {
    pub id: String,
    /// The key that wants to be enrolled.
    pub newcomer: VerifyKey,
    pub label: String,
    /// How well the sign-in there is bound to that key: with a low one, whoever stole an ID token could ask.
    #[serde(default = "low")]
    pub assurance: Assurance,
    #[serde(with = "bytes")]
    pub commitment: [u8; 32],
    pub expires: UnixTime,
    pub sponsor: Option<Sponsor>,
    /// The newcomer's nonce, once it has seen the sponsor's.
    pub revealed: Option<Revealed>,
    pub end: Option<IntroductionEnd>,
}

fn low() -> Assurance {
    Assurance::Low
}

/// The device that compares.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sponsor {
    pub key: VerifyKey,
    #[serde(with = "bytes")]
    pub nonce: [u8; 32],
}

/// 32 bytes that were bound before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revealed {
    #[serde(with = "bytes")]
    pub nonce: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntroductionEnd {
    Approved {
        /// As the authority calls the new device.
        device: String,
        vouch: String,
        chain: Option<DeviceChain>,
    },
    Declined,
}

/// A person's device asks about the person's devices.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesRequest {
    pub identity: VerifyKey,
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
    /// `tg-cred`.
    pub credential: String,
    /// Shut this one out first; it must be the same person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<PeerId>,
}

/// An administrator asks about somebody's devices.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InquiryRequest {
    /// `tg-inquiry`.
    pub inquiry: String,
}

/// `tg-inquiry`: the org root asks which devices a person has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquiry {
    pub org: OrgName,
    pub sub: Subject,
    pub at: UnixTime,
}

impl Inquiry {
    /// How long after it was signed it is answered, in seconds: nobody else should ask with it later.
    pub const LIFE: u64 = 300;
}

impl Statement for Inquiry {
    const TYP: &'static str = "tg-inquiry";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        Ok(())
    }
}

/// The devices of one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DevicesAnswer {
    pub sub: Subject,
    pub devices: Vec<DeviceInfo>,
}

/// A device as the authority knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Names it in an order to revoke.
    pub id: PeerId,
    /// As credentials and records call it.
    pub name: String,
    /// As it called itself; empty for one that came with a ticket.
    pub label: String,
    pub enrolled: UnixTime,
    /// When it last got a credential.
    pub seen: Option<UnixTime>,
    pub revoked: bool,
    /// The device that vouched for it.
    pub vouched_by: Option<PeerId>,
}
