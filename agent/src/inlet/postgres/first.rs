//! A program's first packets: encryption questions are answered here, in any order PostgreSQL allows.
//! TLS ends in the inlet. It protects nothing (both ends are on this computer); it lets `sslmode=require` work.

use std::io::Cursor;
use std::time::Duration;

use tidegate_postgres::{Asked, Opening, OpeningError, Side};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::certificate;
use crate::Code;

/// For the first packets, and once more for those inside of TLS.
const OPENING_LIMIT: Duration = Duration::from_secs(10);

/// A program's connection, plain or inside of TLS.
pub(super) type Line = Box<dyn Duplex>;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Why a program got no further than its first packets.
pub(super) enum Unheard {
    /// It left, or said nothing for too long.
    Left,
    /// It did not agree to our TLS.
    Tls(Code),
    Opening(OpeningError),
}

/// What the program wants, a startup or a cancel, and the connection to go on with.
pub(super) async fn first(
    mut program: TcpStream,
    tls: &TlsAcceptor,
) -> Result<(Line, Asked), (Option<Line>, Unheard)> {
    let mut opening = Opening::new(Side::Inlet);
    let (reply, early) = match hear(&mut program, &mut opening).await {
        Ok(Asked::Tls { reply, early }) => (reply, early),
        Ok(asked) => return Ok((Box::new(program), asked)),
        Err(unheard) => return Err((Some(Box::new(program)), unheard)),
    };
    let secured = timeout(OPENING_LIMIT, secure(program, reply, early, tls)).await;
    let mut line = secured
        .unwrap_or(Err(Unheard::Left))
        .map_err(|unheard| (None, unheard))?;
    opening.tls_started();
    match hear(&mut line, &mut opening).await {
        Ok(asked) => Ok((line, asked)),
        Err(unheard) => Err((Some(line), unheard)),
    }
}

/// Reads packets until one wants more than a byte.
async fn hear(
    line: &mut (impl AsyncRead + AsyncWrite + Unpin),
    opening: &mut Opening,
) -> Result<Asked, Unheard> {
    let hearing = async {
        let mut buffer = [0; 1024];
        loop {
            let count = line.read(&mut buffer).await.map_err(|_| Unheard::Left)?;
            if count == 0 {
                return Err(Unheard::Left);
            }
            match opening
                .handle_input(&buffer[..count])
                .map_err(Unheard::Opening)?
            {
                Asked::Nothing => {}
                Asked::Encryption(answer) => {
                    line.write_all(&[answer]).await.map_err(|_| Unheard::Left)?;
                    line.flush().await.map_err(|_| Unheard::Left)?;
                }
                asked => return Ok(asked),
            }
        }
    };
    timeout(OPENING_LIMIT, hearing)
        .await
        .unwrap_or(Err(Unheard::Left))
}

async fn secure(
    mut program: TcpStream,
    reply: &[u8],
    early: Vec<u8>,
    tls: &TlsAcceptor,
) -> Result<Line, Unheard> {
    program.write_all(reply).await.map_err(|_| Unheard::Left)?;
    let (reader, writer) = program.into_split();
    let replayed = tokio::io::join(Cursor::new(early).chain(reader), writer);
    match tls.accept(replayed).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(certificate::refused(&error).map_or(Unheard::Left, Unheard::Tls)),
    }
}
