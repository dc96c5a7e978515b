//! A connection's first packets, before any has a type byte: encryption requests, cancel, startup.
//! What follows an encryption request in the same read is an attack, not impatience (CVE-2021-23214).

use crate::cancel::CancelKey;
use crate::report::{Report, SqlState};
use crate::startup::{Startup, StartupError};

/// What announces more than this is no program of PostgreSQL: its four bytes are another protocol's text.
const LONGEST_SPOKEN_TO: usize = 0xffff;
const SSL: u32 = 1234 << 16 | 5679;
const GSS: u32 = 1234 << 16 | 5680;
const CANCEL: u32 = 1234 << 16 | 5678;
/// The type of a TLS record that carries a handshake: the client skipped the question.
const TLS_HANDSHAKE: u8 = 0x16;
/// How requests of web browsers begin.
const HTTP: [&[u8; 4]; 10] = [
    b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"DELE", b"PATC", b"CONN", b"TRAC", b"PRI ",
];

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// On the laptop: offers TLS with a certificate of its own.
    Inlet,
    /// Behind the channel, which encrypts already: declines every other encryption.
    Outlet,
}

/// What the client wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// More bytes are needed.
    Nothing,
    /// Answer this one byte and read on.
    Encryption(u8),
    /// Answer `reply`, then start TLS, giving it `early` as its first bytes; then `tls_started`.
    Tls {
        reply: &'static [u8],
        early: Vec<u8>,
    },
    /// Answer nothing: try to cancel, then close.
    Cancel(CancelKey),
    /// The startup, and what the client sent right after it.
    Startup { startup: Startup, early: Vec<u8> },
}

/// Why the connection ends before it began. `report` says which of them get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    #[error("a web browser called")]
    Browser,
    #[error("the first packet's length is impossible")]
    Length,
    #[error("the startup packet is too long")]
    TooLong,
    #[error("bytes followed an encryption request before it was answered")]
    BytesBeforeEncryption,
    #[error("encryption was requested twice or inside of itself")]
    EncryptionAgain,
    #[error("bytes followed a cancel request")]
    BytesAfterCancel,
    #[error(transparent)]
    Startup(#[from] StartupError),
}

impl OpeningError {
    /// What the client is told. Silence for what is not a PostgreSQL client, as PostgreSQL does.
    #[must_use]
    pub fn report(self) -> Option<Report> {
        match self {
            Self::Browser
            | Self::Length
            | Self::BytesBeforeEncryption
            | Self::EncryptionAgain
            | Self::BytesAfterCancel => None,
            Self::TooLong => Some(
                Report::fatal(
                    SqlState::PROTOCOL_VIOLATION,
                    "the startup packet is longer than 10,000 bytes",
                )
                .hint("Shorten the names and options of the connection."),
            ),
            Self::Startup(StartupError::Version) => Some(
                Report::fatal(SqlState::NOT_SUPPORTED, "unsupported protocol version")
                    .hint("Use a program that speaks version 3 of the PostgreSQL protocol."),
            ),
            Self::Startup(StartupError::Layout) => Some(Report::fatal(
                SqlState::PROTOCOL_VIOLATION,
                "invalid startup packet layout",
            )),
            Self::Startup(StartupError::Replication) => Some(
                Report::fatal(
                    SqlState::NOT_SUPPORTED,
                    "replication connections are not offered here",
                )
                .hint("Connect without the replication parameter."),
            ),
        }
    }
}

/// Reads the first packets of one connection.
#[derive(Debug)]
pub struct Opening {
    side: Side,
    buffer: Vec<u8>,
    tls: bool,
    asked_ssl: bool,
    asked_gss: bool,
}

impl Opening {
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self {
            side,
            buffer: Vec::new(),
            tls: false,
            asked_ssl: false,
            asked_gss: false,
        }
    }

    /// Takes what the client sent. Call once more with nothing after an answered question.
    ///
    /// # Errors
    /// The connection must be closed, after [`OpeningError::report`] if there is one.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<Asked, OpeningError> {
        self.buffer.extend_from_slice(bytes);
        if self.begins_with_tls() {
            return self.direct_tls();
        }
        let Some(length) = announced(&self.buffer)? else {
            return Ok(Asked::Nothing);
        };
        if self.buffer.len() < length {
            return Ok(Asked::Nothing);
        }
        let early = self.buffer.split_off(length);
        let packet = std::mem::take(&mut self.buffer);
        self.decide(&packet[4..], early)
    }

    /// TLS is up: what follows came through it.
    pub fn tls_started(&mut self) {
        self.tls = true;
    }

    fn begins_with_tls(&self) -> bool {
        self.side == Side::Inlet
            && !self.tls
            && !self.asked_ssl
            && self.buffer.first() == Some(&TLS_HANDSHAKE)
    }

    /// PostgreSQL 17's `sslnegotiation=direct`.
    fn direct_tls(&mut self) -> Result<Asked, OpeningError> {
        if self.asked_gss {
            return Err(OpeningError::EncryptionAgain);
        }
        self.asked_ssl = true;
        Ok(Asked::Tls {
            reply: b"",
            early: std::mem::take(&mut self.buffer),
        })
    }

    fn decide(&mut self, packet: &[u8], early: Vec<u8>) -> Result<Asked, OpeningError> {
        match (code(packet), packet.len()) {
            (SSL, 4) => self.ssl_requested(&early),
            (GSS, 4) => self.gss_requested(&early),
            (CANCEL, _) => cancel_requested(packet, &early),
            (SSL | GSS, _) => Err(StartupError::Layout.into()),
            _ => Ok(Asked::Startup {
                startup: Startup::parse(packet)?,
                early,
            }),
        }
    }

    fn ssl_requested(&mut self, early: &[u8]) -> Result<Asked, OpeningError> {
        self.may_ask_encryption(self.asked_ssl, early)?;
        self.asked_ssl = true;
        Ok(match self.side {
            Side::Inlet => Asked::Tls {
                reply: b"S",
                early: Vec::new(),
            },
            Side::Outlet => Asked::Encryption(b'N'),
        })
    }

    fn gss_requested(&mut self, early: &[u8]) -> Result<Asked, OpeningError> {
        self.may_ask_encryption(self.asked_gss, early)?;
        self.asked_gss = true;
        Ok(Asked::Encryption(b'N'))
    }

    fn may_ask_encryption(&self, asked: bool, early: &[u8]) -> Result<(), OpeningError> {
        if asked || self.tls {
            return Err(OpeningError::EncryptionAgain);
        }
        if !early.is_empty() {
            return Err(OpeningError::BytesBeforeEncryption);
        }
        Ok(())
    }
}

fn cancel_requested(packet: &[u8], early: &[u8]) -> Result<Asked, OpeningError> {
    if !early.is_empty() {
        return Err(OpeningError::BytesAfterCancel);
    }
    let key = CancelKey::parse(&packet[4..]).ok_or(OpeningError::Length)?;
    Ok(Asked::Cancel(key))
}

/// The whole packet's length once four bytes are there.
fn announced(buffer: &[u8]) -> Result<Option<usize>, OpeningError> {
    let Some(first) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    if HTTP.contains(&first) {
        return Err(OpeningError::Browser);
    }
    let length = usize::try_from(u32::from_be_bytes(*first)).unwrap_or(usize::MAX);
    match length {
        8..=Startup::LONGEST => Ok(Some(length)),
        0..8 => Err(OpeningError::Length),
        _ if length <= LONGEST_SPOKEN_TO => Err(OpeningError::TooLong),
        _ => Err(OpeningError::Length),
    }
}

/// The packet's code; a packet is at least four bytes here, `announced` has seen to it.
fn code(packet: &[u8]) -> u32 {
    packet
        .first_chunk::<4>()
        .map_or(0, |code| u32::from_be_bytes(*code))
}

#[cfg(test)]
#[path = "tests/opening.rs"]
mod tests;
