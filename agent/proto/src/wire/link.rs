//! What agents and outlets say to a relay inside a link channel: one message a record.
//! The relay learns opaque handles and sizes; nothing here may ever carry the name of a service or a person.

use super::chain::MAX_CHAIN;
use crate::channel::CircuitToken;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest `tg-pass`, in bytes.
pub const MAX_PASS: usize = 16 * 1024;

/// Opaque name of one service of one org at a relay.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceHandle(pub [u8; 16]);

impl fmt::Display for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceHandle({self})")
    }
}

impl FromStr for ServiceHandle {
    type Err = LinkMessageError;

    fn from_str(text: &str) -> Result<Self, LinkMessageError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| LinkMessageError::Field)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| LinkMessageError::Length)
    }
}

impl TryFrom<String> for ServiceHandle {
    type Error = LinkMessageError;

    fn try_from(text: String) -> Result<Self, LinkMessageError> {
        text.parse()
    }
}

impl From<ServiceHandle> for String {
    fn from(handle: ServiceHandle) -> Self {
        handle.to_string()
    }
}

/// Why bytes are not a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkMessageError {
    #[error("the message's type is unknown")]
    Type,
    #[error("the message has the wrong length")]
    Length,
    #[error("a field of the message has a value it may not have")]
    Field,
}

/// Why a relay refuses a request, on the wire in `FromRelay::Refused`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RelayRefusal {
    /// Nobody serves the handle now, or the pass does not name it: one answer for both.
    #[error("no outlet is connected for this service")]
    Absent,
    #[error("too many circuits at once")]
    Busy,
    /// The pass is not ours, not this link's, or has run out: one answer for all.
    #[error("the pass does not admit")]
    Pass,
    #[error("the relay is going away")]
    Draining,
    /// A code this version does not know.
    #[error("the relay refused")]
    Other(u16),
}

impl RelayRefusal {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Absent => 1,
            Self::Busy => 2,
            Self::Pass => 3,
            Self::Draining => 4,
            Self::Other(code) => code,
        }
    }

    /// What a code on the wire means.
    #[must_use]
    pub fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Absent,
            2 => Self::Busy,
            3 => Self::Pass,
            4 => Self::Draining,
            other => Self::Other(other),
        }
    }
}

/// Agent or outlet to relay.
#[derive(Clone, PartialEq, Eq)]
pub enum ToRelay {
    /// First message: a `tg-pass` JWS bound to this link's Noise key.
    Hello {
        pass: String,
    },
    /// A circuit to an outlet that serves `handle`.
    Open {
        request: u32,
        handle: ServiceHandle,
    },
    /// A circuit to the one provider host (PROTOCOL section 8).
    KeyTunnel {
        request: u32,
    },
    Ping(u64),
    /// A newer pass of the same pseudonym.
    NewPass {
        pass: String,
    },
    /// Instead of `Hello` or of a newer pass, while the authority is away: an `OutletChain` as JSON.
    Chain {
        json: Vec<u8>,
    },
}

/// Relay to agent or outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromRelay {
    /// The pass holds.
    Welcome,
    /// Answers `Open` and `KeyTunnel`: dial again and send this token.
    Circuit {
        request: u32,
        token: CircuitToken,
    },
    /// To an outlet: somebody opened `handle`.
    Incoming {
        handle: ServiceHandle,
        token: CircuitToken,
    },
    Refused {
        request: u32,
        code: u16,
    },
    Pong(u64),
    /// Dial another relay; circuits go on for a while.
    Draining,
}

const HELLO: u8 = 0x01;
const OPEN: u8 = 0x02;
const KEY_TUNNEL: u8 = 0x03;
const PING: u8 = 0x04;
const NEW_PASS: u8 = 0x05;
const CHAIN: u8 = 0x06;
const WELCOME: u8 = 0x81;
const CIRCUIT: u8 = 0x82;
const INCOMING: u8 = 0x83;
const REFUSED: u8 = 0x84;
const PONG: u8 = 0x85;
const DRAINING: u8 = 0x86;

impl ToRelay {
    /// The message that `record` is, all of it.
    ///
    /// # Errors
    /// When it is not exactly one message.
    pub fn decode(record: &[u8]) -> Result<Self, LinkMessageError> {
        let (kind, body) = record.split_first().ok_or(LinkMessageError::Length)?;
        match *kind {
            HELLO => Ok(Self::Hello { pass: pass(body)? }),
            OPEN => {
                let (request, handle) = request(body)?;
                Ok(Self::Open {
                    request,
                    handle: ServiceHandle(exact(handle)?),
                })
            }
            KEY_TUNNEL => Ok(Self::KeyTunnel {
                request: u32::from_be_bytes(exact(body)?),
            }),
            PING => Ok(Self::Ping(u64::from_be_bytes(exact(body)?))),
            NEW_PASS => Ok(Self::NewPass { pass: pass(body)? }),
            CHAIN if body.is_empty() || body.len() > MAX_CHAIN => Err(LinkMessageError::Length),
            CHAIN => Ok(Self::Chain {
                json: body.to_vec(),
            }),
            _ => Err(LinkMessageError::Type),
        }
    }

    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello { pass } => join(HELLO, &[pass.as_bytes()]),
            Self::Open { request, handle } => join(OPEN, &[&request.to_be_bytes(), &handle.0]),
            Self::KeyTunnel { request } => join(KEY_TUNNEL, &[&request.to_be_bytes()]),
            Self::Ping(number) => join(PING, &[&number.to_be_bytes()]),
            Self::NewPass { pass } => join(NEW_PASS, &[pass.as_bytes()]),
            Self::Chain { json } => join(CHAIN, &[json]),
        }
    }
}

impl FromRelay {
    /// The message that `record` is, all of it.
    ///
    /// # Errors
    /// When it is not exactly one message.
    pub fn decode(record: &[u8]) -> Result<Self, LinkMessageError> {
        let (kind, body) = record.split_first().ok_or(LinkMessageError::Length)?;
        match *kind {
            WELCOME => exact(body).map(|[]: [u8; 0]| Self::Welcome),
            CIRCUIT => {
                let (request, token) = request(body)?;
                Ok(Self::Circuit {
                    request,
                    token: CircuitToken(exact(token)?),
                })
            }
            INCOMING => {
                let (handle, token) = body.split_first_chunk().ok_or(LinkMessageError::Length)?;
                Ok(Self::Incoming {
                    handle: ServiceHandle(*handle),
                    token: CircuitToken(exact(token)?),
                })
            }
            REFUSED => {
                let (request, code) = request(body)?;
                Ok(Self::Refused {
                    request,
                    code: u16::from_be_bytes(exact(code)?),
                })
            }
            PONG => Ok(Self::Pong(u64::from_be_bytes(exact(body)?))),
            DRAINING => exact(body).map(|[]: [u8; 0]| Self::Draining),
            _ => Err(LinkMessageError::Type),
        }
    }

    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Welcome => vec![WELCOME],
            Self::Circuit { request, token } => join(CIRCUIT, &[&request.to_be_bytes(), &token.0]),
            Self::Incoming { handle, token } => join(INCOMING, &[&handle.0, &token.0]),
            Self::Refused { request, code } => {
                join(REFUSED, &[&request.to_be_bytes(), &code.to_be_bytes()])
            }
            Self::Pong(number) => join(PONG, &[&number.to_be_bytes()]),
            Self::Draining => vec![DRAINING],
        }
    }
}

fn exact<const N: usize>(body: &[u8]) -> Result<[u8; N], LinkMessageError> {
    body.try_into().map_err(|_| LinkMessageError::Length)
}

fn request(body: &[u8]) -> Result<(u32, &[u8]), LinkMessageError> {
    let (request, rest) = body.split_first_chunk().ok_or(LinkMessageError::Length)?;
    Ok((u32::from_be_bytes(*request), rest))
}

fn pass(body: &[u8]) -> Result<String, LinkMessageError> {
    if body.is_empty() || body.len() > MAX_PASS {
        return Err(LinkMessageError::Length);
    }
    if !body.iter().all(u8::is_ascii_graphic) {
        return Err(LinkMessageError::Field);
    }
    Ok(String::from_utf8_lossy(body).into_owned())
}

fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![kind];
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests;
