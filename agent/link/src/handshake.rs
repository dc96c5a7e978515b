//! The Noise handshake over TCP: one suite byte, then three messages with their lengths.
//! Both sides have ten seconds in all, so a peer that sends one byte a second holds nothing for long.

use crate::{LinkError, Secure};
use std::time::Duration;
use tidegate_proto::{
    channel::{
        ChannelError, Initiator, MESSAGE_1, MESSAGE_2, MESSAGE_3, Pinned, Prologue, Responder,
        Suite,
    },
    entropy::SystemEntropy,
    identity::NoiseSecret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a handshake may take, from its first byte to its last.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Handshakes as the dialling side with the holder of one of the keys in `expected`.
///
/// # Errors
/// When the peer is another one, believes another prologue, or takes too long.
pub async fn initiate(
    io: TcpStream,
    prologue: &Prologue,
    local: &NoiseSecret,
    expected: impl Into<Pinned>,
) -> Result<Secure, LinkError> {
    let expected = expected.into();
    timeout(HANDSHAKE_LIMIT, initiator(io, prologue, local, expected))
        .await
        .map_err(|_| LinkError::TimedOut)?
}

async fn initiator(
    mut io: TcpStream,
    prologue: &Prologue,
    local: &NoiseSecret,
    expected: Pinned,
) -> Result<Secure, LinkError> {
    let (handshake, message_1) = Initiator::start(prologue, local, expected, &SystemEntropy)?;
    let mut first = vec![prologue.suite.byte()];
    prefixed(&message_1, &mut first);
    io.write_all(&first).await?;

    let message_2 = read_message(&mut io, MESSAGE_2).await?;
    let (message_3, channel) = handshake.finish(&message_2)?;
    write_message(&mut io, &message_3).await?;
    Ok(Secure::new(io, channel))
}

/// Handshakes as the answering side; `prologue_of` says what we believe, given the peer's suite.
///
/// # Errors
/// When the peer believes another prologue or takes too long.
pub async fn respond(
    io: TcpStream,
    prologue_of: impl Fn(Suite) -> Prologue,
    local: &NoiseSecret,
) -> Result<Secure, LinkError> {
    timeout(HANDSHAKE_LIMIT, responder(io, prologue_of, local))
        .await
        .map_err(|_| LinkError::TimedOut)?
}

async fn responder(
    mut io: TcpStream,
    prologue_of: impl Fn(Suite) -> Prologue,
    local: &NoiseSecret,
) -> Result<Secure, LinkError> {
    let suite = Suite::from_byte(io.read_u8().await?).ok_or(LinkError::Preface)?;
    let message_1 = read_message(&mut io, MESSAGE_1).await?;
    let (handshake, message_2) =
        Responder::accept(&prologue_of(suite), local, &message_1, &SystemEntropy)?;
    write_message(&mut io, &message_2).await?;

    let message_3 = read_message(&mut io, MESSAGE_3).await?;
    let channel = handshake.finish(&message_3)?;
    Ok(Secure::new(io, channel))
}

fn prefixed(message: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(message.len()).expect("a handshake message is shorter than 64 KiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
}

async fn write_message(io: &mut TcpStream, message: &[u8]) -> Result<(), LinkError> {
    let mut out = Vec::with_capacity(2 + message.len());
    prefixed(message, &mut out);
    Ok(io.write_all(&out).await?)
}

/// Reads a message of exactly `size` bytes: no other length is worth waiting for.
async fn read_message(io: &mut TcpStream, size: usize) -> Result<Vec<u8>, LinkError> {
    if usize::from(io.read_u16().await?) != size {
        return Err(ChannelError::Size.into());
    }
    let mut message = vec![0; size];
    io.read_exact(&mut message).await?;
    Ok(message)
}
