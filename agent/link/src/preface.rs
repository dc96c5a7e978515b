//! The first bytes on a connection to the hub's one port: `tg1`, then what it is for.
//! They are in clear and prove nothing: whoever reads them must still handshake, or join by a single-use token.

use crate::LinkError;
use tidegate_proto::channel::CircuitToken;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MAGIC: &[u8; 3] = b"tg1";

/// What a connection is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Preface {
    /// The authority's API.
    Api,
    /// A control connection to the relay.
    Link,
    /// One half of a circuit.
    Circuit(CircuitToken),
}

impl Preface {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        match self {
            Self::Api => bytes.push(b'A'),
            Self::Link => bytes.push(b'L'),
            Self::Circuit(token) => {
                bytes.push(b'C');
                bytes.extend_from_slice(&token.0);
            }
        }
        bytes
    }
}

/// Says what this connection is for.
///
/// # Errors
/// When the connection fails.
pub async fn preface(tcp: &mut TcpStream, preface: Preface) -> Result<(), LinkError> {
    Ok(tcp.write_all(&preface.encode()).await?)
}

/// Reads what a connection is for. Has no limit of its own: the caller bounds it.
///
/// # Errors
/// `Preface` when the bytes are not ours.
pub async fn read_preface(tcp: &mut TcpStream) -> Result<Preface, LinkError> {
    let mut bytes = [0; 4];
    tcp.read_exact(&mut bytes).await?;
    if &bytes[..3] != MAGIC {
        return Err(LinkError::Preface);
    }
    match bytes[3] {
        b'A' => Ok(Preface::Api),
        b'L' => Ok(Preface::Link),
        b'C' => {
            let mut token = [0; 16];
            tcp.read_exact(&mut token).await?;
            Ok(Preface::Circuit(CircuitToken(token)))
        }
        _ => Err(LinkError::Preface),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_has_these_bytes() {
        assert_eq!(Preface::Api.encode(), b"tg1A");
        assert_eq!(Preface::Link.encode(), b"tg1L");
        assert_eq!(
            Preface::Circuit(CircuitToken([b'x'; 16])).encode(),
            b"tg1Cxxxxxxxxxxxxxxxx"
        );
    }
}
