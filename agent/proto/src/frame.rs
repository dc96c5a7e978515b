//! What is said inside a portal's channel: one frame a record, its first plaintext byte the type.
//! Decoding is strict: a frame with a byte too few, a byte too many or an unknown type ends the channel.

use crate::{channel::MAX_PLAINTEXT, text::deceives, time::UnixTime};

/// Bytes of a `Data` frame before its payload.
pub const DATA_HEADER: usize = 9;
/// Most payload of one `Data` frame, in bytes.
pub const MAX_DATA: usize = MAX_PLAINTEXT - DATA_HEADER;
/// Longest text of `Refused` and `Notice`, in bytes.
pub const MAX_TEXT: usize = 1024;
/// Most of what the program said first in an `Open`, in bytes: PostgreSQL takes no longer startup packet than 10,000.
pub const MAX_FIRST: usize = 16 * 1024;
/// Longest record of `Auth` and `Reauth`, in bytes: a person's own tokens, and those of whoever approved. One record holds it.
pub const MAX_AUTH: usize = 60 * 1024;

/// Why bytes are not a frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame's type is unknown")]
    Type,
    #[error("the frame has the wrong length")]
    Length,
    #[error("a field of the frame has a value it may not have")]
    Field,
}

/// What an OPEN is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Carry a connection.
    Connect,
    /// Carry a connection, and keep it when its circuit dies: its agent may come back on another one.
    Resumable,
    /// Dial the target, say whether it answered, and close: what stands behind "Connected".
    Probe,
}

/// Asks for a portal on an admitted circuit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// The agent's number for this portal, never used twice by one identity.
    pub portal: u64,
    /// Drawn by the agent at its start: what another process of the same identity left behind has nobody any more.
    pub process: u64,
    pub purpose: Purpose,
    /// Which grant to use (SHA-256 of its JWS), when access was asked for. Not issued yet.
    pub grant: Option<[u8; 32]>,
    /// What the program said first, where an outlet cannot reach the target without it: for `postgres` the startup or
    /// cancel packet. Not part of the portal's stream; at most [`MAX_FIRST`] bytes, which the
    /// outlet sees to in words; none for a probe.
    pub first: &'a [u8],
}

/// The most that a sender may keep of what its peer has not acknowledged, in bytes: a receiver takes in so much without
/// waiting for its reader, so that acknowledgements behind it are never stuck.
pub const MAX_WINDOW: u64 = 16 << 20;

/// Asks to go on with a suspended portal (PROTOCOL section 10).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The outlet instance that holds the portal.
    pub instance: [u8; 16],
    pub portal: u64,
    /// Higher than any before: fences older circuits.
    pub generation: u64,
    /// Places the sender of this frame has received: bytes, and one for FIN.
    pub received: u64,
}

/// One frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Agent to outlet, record 0: an encoded `auth::Auth`.
    Auth(&'a [u8]),
    /// AUTH held; sessions end at `deadline` unless renewed.
    Admitted {
        deadline: UnixTime,
    },
    Open(Open<'a>),
    /// The target is reached; bytes may follow.
    Opened {
        portal: u64,
    },
    /// No. `text` is printable and at most [`MAX_TEXT`] bytes.
    Refused {
        code: u16,
        text: &'a str,
    },
    /// As `Opened`, and the portal can be resumed: by this process of an outlet, which has no other name.
    Berth {
        portal: u64,
        instance: [u8; 16],
        /// How long it waits there for whoever comes back.
        seconds: u16,
    },
    /// Payload; `offset` is the stream position of its first byte.
    Data {
        offset: u64,
        bytes: &'a [u8],
    },
    /// Everything before `offset` has been received and taken. FIN counts as one place behind the last byte.
    Ack {
        offset: u64,
    },
    /// This direction ends cleanly at `offset`.
    Fin {
        offset: u64,
    },
    /// Both directions end at once.
    Reset {
        code: u16,
    },
    Ping(u64),
    Pong(u64),
    /// For the person: printable, at most [`MAX_TEXT`] bytes.
    Notice {
        code: u16,
        text: &'a str,
    },
    /// A newer `auth::Auth` under the same handshake hash.
    Reauth(&'a [u8]),
    Resume(Resume),
    /// Outlet to agent: the portal goes on from here, on this circuit. `received` as in [`Resume`].
    Resumed {
        received: u64,
    },
    /// The sender keeps so many bytes at most before it waits for an acknowledgement: the peer acknowledges each quarter.
    Window {
        bytes: u64,
    },
}

const AUTH: u8 = 0x01;
const ADMITTED: u8 = 0x02;
const OPEN: u8 = 0x03;
const OPENED: u8 = 0x04;
const REFUSED: u8 = 0x05;
const DATA: u8 = 0x06;
const ACK: u8 = 0x07;
const FIN: u8 = 0x08;
const RESET: u8 = 0x09;
const PING: u8 = 0x0a;
const PONG: u8 = 0x0b;
const NOTICE: u8 = 0x0c;
const REAUTH: u8 = 0x0d;
const RESUME: u8 = 0x0e;
const RESUMED: u8 = 0x0f;
const WINDOW: u8 = 0x10;
const BERTH: u8 = 0x11;

impl<'a> Frame<'a> {
    /// The frame that `record` is, all of it.
    ///
    /// # Errors
    /// When it is not exactly one frame.
    pub fn decode(record: &'a [u8]) -> Result<Self, FrameError> {
        let (kind, body) = record.split_first().ok_or(FrameError::Length)?;
        match *kind {
            AUTH => Ok(Self::Auth(auth(body)?)),
            ADMITTED => Ok(Self::Admitted {
                deadline: UnixTime(number(body)?),
            }),
            OPEN => open(body).map(Self::Open),
            OPENED => Ok(Self::Opened {
                portal: number(body)?,
            }),
            REFUSED => text(body).map(|(code, text)| Self::Refused { code, text }),
            DATA => data(body),
            ACK => Ok(Self::Ack {
                offset: number(body)?,
            }),
            FIN => Ok(Self::Fin {
                offset: number(body)?,
            }),
            RESET => Ok(Self::Reset {
                code: u16::from_be_bytes(exact(body)?),
            }),
            PING => Ok(Self::Ping(number(body)?)),
            PONG => Ok(Self::Pong(number(body)?)),
            NOTICE => text(body).map(|(code, text)| Self::Notice { code, text }),
            REAUTH => Ok(Self::Reauth(auth(body)?)),
            RESUME => resume(body).map(Self::Resume),
            RESUMED => Ok(Self::Resumed {
                received: number(body)?,
            }),
            WINDOW => window(body),
            BERTH => berth(body),
            _ => Err(FrameError::Type),
        }
    }

    /// Appends the frame's bytes. Text that a peer would refuse is cut and cleaned first.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Auth(bytes) => put(out, AUTH, &[bytes]),
            Self::Admitted { deadline } => put(out, ADMITTED, &[&deadline.0.to_be_bytes()]),
            Self::Open(open) => put_open(out, &open),
            Self::Opened { portal } => put(out, OPENED, &[&portal.to_be_bytes()]),
            Self::Refused { code, text } => put_text(out, REFUSED, code, text),
            Self::Berth {
                portal,
                instance,
                seconds,
            } => {
                let (portal, seconds) = (portal.to_be_bytes(), seconds.to_be_bytes());
                put(out, BERTH, &[&portal, &instance, &seconds]);
            }
            Self::Data { offset, bytes } => put(out, DATA, &[&offset.to_be_bytes(), bytes]),
            Self::Ack { offset } => put(out, ACK, &[&offset.to_be_bytes()]),
            Self::Fin { offset } => put(out, FIN, &[&offset.to_be_bytes()]),
            Self::Reset { code } => put(out, RESET, &[&code.to_be_bytes()]),
            Self::Ping(number) => put(out, PING, &[&number.to_be_bytes()]),
            Self::Pong(number) => put(out, PONG, &[&number.to_be_bytes()]),
            Self::Notice { code, text } => put_text(out, NOTICE, code, text),
            Self::Reauth(bytes) => put(out, REAUTH, &[bytes]),
            Self::Resume(r) => put(
                out,
                RESUME,
                &[
                    &r.instance,
                    &r.portal.to_be_bytes(),
                    &r.generation.to_be_bytes(),
                    &r.received.to_be_bytes(),
                ],
            ),
            Self::Resumed { received } => put(out, RESUMED, &[&received.to_be_bytes()]),
            Self::Window { bytes } => put(out, WINDOW, &[&bytes.to_be_bytes()]),
        }
    }
}

fn exact<const N: usize>(body: &[u8]) -> Result<[u8; N], FrameError> {
    body.try_into().map_err(|_| FrameError::Length)
}

fn number(body: &[u8]) -> Result<u64, FrameError> {
    exact(body).map(u64::from_be_bytes)
}

fn auth(body: &[u8]) -> Result<&[u8], FrameError> {
    if body.is_empty() || body.len() > MAX_AUTH {
        Err(FrameError::Length)
    } else {
        Ok(body)
    }
}

fn data(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (offset, bytes) = body.split_first_chunk().ok_or(FrameError::Length)?;
    let offset = u64::from_be_bytes(*offset);
    if bytes.is_empty() || bytes.len() > MAX_DATA {
        return Err(FrameError::Length);
    }
    offset
        .checked_add(bytes.len() as u64)
        .ok_or(FrameError::Field)?;
    Ok(Frame::Data { offset, bytes })
}

fn berth(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (portal, rest) = body.split_first_chunk().ok_or(FrameError::Length)?;
    let (instance, seconds) = rest.split_first_chunk().ok_or(FrameError::Length)?;
    Ok(Frame::Berth {
        portal: u64::from_be_bytes(*portal),
        instance: *instance,
        seconds: u16::from_be_bytes(exact(seconds)?),
    })
}

fn window(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    match number(body)? {
        0 => Err(FrameError::Field),
        bytes if bytes > MAX_WINDOW => Err(FrameError::Field),
        bytes => Ok(Frame::Window { bytes }),
    }
}

fn text(body: &[u8]) -> Result<(u16, &str), FrameError> {
    let (code, text) = body.split_first_chunk().ok_or(FrameError::Length)?;
    if text.len() > MAX_TEXT {
        return Err(FrameError::Length);
    }
    let text = std::str::from_utf8(text).map_err(|_| FrameError::Field)?;
    if text.chars().any(deceives) {
        return Err(FrameError::Field);
    }
    Ok((u16::from_be_bytes(*code), text))
}

fn open(body: &[u8]) -> Result<Open<'_>, FrameError> {
    let (portal, rest) = body.split_first_chunk().ok_or(FrameError::Length)?;
    let (process, rest) = rest.split_first_chunk().ok_or(FrameError::Length)?;
    let ([purpose, granted], rest) = rest.split_first_chunk().ok_or(FrameError::Length)?;
    let purpose = match purpose {
        0 => Purpose::Connect,
        1 => Purpose::Probe,
        2 => Purpose::Resumable,
        _ => return Err(FrameError::Field),
    };
    let (grant, first) = match granted {
        0 => (None, rest),
        1 => {
            let (grant, first) = rest.split_first_chunk().ok_or(FrameError::Length)?;
            (Some(*grant), first)
        }
        _ => return Err(FrameError::Field),
    };
    if purpose == Purpose::Probe && !first.is_empty() {
        return Err(FrameError::Length);
    }
    Ok(Open {
        portal: u64::from_be_bytes(*portal),
        process: u64::from_be_bytes(*process),
        purpose,
        grant,
        first,
    })
}

fn resume(body: &[u8]) -> Result<Resume, FrameError> {
    let (instance, rest) = body.split_first_chunk().ok_or(FrameError::Length)?;
    let (portal, rest) = rest.split_first_chunk().ok_or(FrameError::Length)?;
    let (generation, received) = rest.split_first_chunk().ok_or(FrameError::Length)?;
    Ok(Resume {
        instance: *instance,
        portal: u64::from_be_bytes(*portal),
        generation: u64::from_be_bytes(*generation),
        received: number(received)?,
    })
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    out.push(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn put_open(out: &mut Vec<u8>, open: &Open<'_>) {
    let purpose = match open.purpose {
        Purpose::Connect => 0,
        Purpose::Probe => 1,
        Purpose::Resumable => 2,
    };
    let flags = [purpose, u8::from(open.grant.is_some())];
    let grant = open.grant.as_ref().map_or(&[][..], |grant| &grant[..]);
    let (portal, process) = (open.portal.to_be_bytes(), open.process.to_be_bytes());
    put(out, OPEN, &[&portal, &process, &flags, grant, open.first]);
}

fn put_text(out: &mut Vec<u8>, kind: u8, code: u16, text: &str) {
    put(out, kind, &[&code.to_be_bytes()]);
    let start = out.len();
    let mut utf8 = [0; 4];
    for c in text.chars().map(|c| if deceives(c) { ' ' } else { c }) {
        let bytes = c.encode_utf8(&mut utf8).as_bytes();
        if out.len() - start + bytes.len() > MAX_TEXT {
            return;
        }
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
