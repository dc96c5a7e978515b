//! The end-to-end channel: Noise XXpsk3 with an ML-KEM-768 secret as its psk, then sealed records (PROTOCOL section 6).
//! XX alone authenticates nobody: the initiator pins the responder's key, the responder must check AUTH before it believes anything.

mod handshake;
mod pq;
mod record;
mod resolver;

pub use handshake::{Initiator, MESSAGE_1, MESSAGE_2, MESSAGE_3, Pinned, Responder};
pub use record::{MAX_PLAINTEXT, MAX_RECORD, Opener, REKEY_EVERY, Sealer, TAG};

use crate::{
    identity::NoisePublic,
    names::{OrgName, ServiceName},
};
use std::fmt;

/// Why a channel could not be made, or ended. No variant tells a peer anything: the caller just closes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    #[error("a handshake message has the wrong size")]
    Size,
    #[error("a handshake message or record does not decrypt")]
    Rejected,
    #[error("the responder's key is not the pinned one")]
    UnexpectedPeer,
    #[error("the peer uses our own key")]
    OwnKey,
    #[error("the peer's key is a weak point")]
    WeakKey,
    #[error("the plaintext of a record is empty or too long")]
    Plaintext,
    #[error("the channel has ended")]
    Ended,
}

/// The cipher of a channel. The agent chooses; nothing is negotiated.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl Suite {
    /// Every suite, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The byte that precedes message 1 on the wire and stands in the prologue.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
            Self::ChaCha20Poly1305 => 2,
        }
    }

    /// The suite that `byte` names, if any.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.byte() == byte)
    }

    fn noise_name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "Noise_XXpsk3_25519_AESGCM_SHA256",
            Self::ChaCha20Poly1305 => "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
        }
    }
}

/// What a channel is for. Bound by the prologue, so that a channel to one part cannot be spliced to another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Agent to outlet, through a relay.
    Portal,
    /// Agent or outlet to a relay.
    Link,
    /// Agent, outlet or administrator to the authority.
    Api,
}

impl Role {
    fn byte(self) -> u8 {
        match self {
            Self::Portal => 1,
            Self::Link => 2,
            Self::Api => 3,
        }
    }
}

/// The single-use 128-bit token by which a relay joins two connections.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct CircuitToken(pub [u8; 16]);

impl CircuitToken {
    /// What stands in the prologue of channels that have no circuit.
    pub const NONE: Self = Self([0; 16]);
}

impl fmt::Debug for CircuitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CircuitToken(..)")
    }
}

/// The final handshake hash: names this channel and no other (Noise section 11.2).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandshakeHash(pub [u8; 32]);

/// What both ends must believe alike before they speak. Differing prologues fail at message 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prologue {
    pub suite: Suite,
    pub org: OrgName,
    pub service: Option<ServiceName>,
    pub token: CircuitToken,
    pub role: Role,
}

impl Prologue {
    /// Of an end-to-end channel for one portal.
    #[must_use]
    pub fn portal(suite: Suite, org: OrgName, service: ServiceName, token: CircuitToken) -> Self {
        Self {
            suite,
            org,
            service: Some(service),
            token,
            role: Role::Portal,
        }
    }

    /// Of a control connection to a relay.
    #[must_use]
    pub fn link(suite: Suite, org: OrgName) -> Self {
        Self {
            suite,
            org,
            service: None,
            token: CircuitToken::NONE,
            role: Role::Link,
        }
    }

    /// Of a connection to the authority.
    #[must_use]
    pub fn api(suite: Suite, org: OrgName) -> Self {
        Self {
            suite,
            org,
            service: None,
            token: CircuitToken::NONE,
            role: Role::Api,
        }
    }

    /// `"tidegate/1\0" ‖ suite ‖ lp(org) ‖ lp(service) ‖ lp(circuit token) ‖ role`; lp is a 4-byte big-endian length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = b"tidegate/1\0".to_vec();
        out.push(self.suite.byte());
        put(&mut out, self.org.as_str().as_bytes());
        put(
            &mut out,
            self.service
                .as_ref()
                .map_or("", ServiceName::as_str)
                .as_bytes(),
        );
        put(&mut out, &self.token.0);
        out.push(self.role.byte());
        out
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A channel after its handshake: two independent directions and the name of the whole.
pub struct Channel {
    pub hash: HandshakeHash,
    /// The peer's static key: pinned for the initiator, only *claimed and proven* for the responder.
    pub peer: NoisePublic,
    pub sealer: Sealer,
    pub opener: Opener,
}

#[cfg(test)]
mod tests;
