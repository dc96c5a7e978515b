//! The whole way at once: a query from this computer through inlet, relay and outlet to the database and back.
//! A newcomer would trust the port that is open: behind it, a database can hang, or a limit can be reached.

use std::time::{Duration, Instant};

use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Check;
use crate::ServiceView;

const NAME: &str = "query";
const LIMIT: Duration = Duration::from_secs(10);
/// Longest message that is looked at, in bytes.
const MOST: usize = 64 * 1024;

/// Of a service that is connected.
pub(crate) async fn check(view: &ServiceView) -> Check {
    let begun = Instant::now();
    match timeout(LIMIT, select_one(view.port)).await {
        Ok(Ok(())) => Check::ok(
            NAME,
            &format!(
                "SELECT 1 was answered after {} ms.",
                begun.elapsed().as_millis()
            ),
        ),
        Ok(Err(Said::Fatal { cause, next })) => Check::fail(
            NAME,
            &cause.unwrap_or_else(|| "The database or the outlet refused.".into()),
            &next.unwrap_or_else(|| {
                "Ask the owner of the service: the outlet's log says more.".into()
            }),
        ),
        Ok(Err(Said::Broken)) => {
            Check::problem(NAME, &Problem::new(Code::CircuitLost).service(&view.name))
        }
        Err(_) => Check::problem(NAME, &Problem::new(Code::TimedOut).service(&view.name)),
    }
}

/// Why there was no answer.
enum Said {
    /// The sentences of a FATAL or ERROR.
    Fatal {
        cause: Option<String>,
        next: Option<String>,
    },
    Broken,
}

impl From<std::io::Error> for Said {
    fn from(_: std::io::Error) -> Self {
        Self::Broken
    }
}

/// The least of the protocol that gets one row: startup without TLS, one simple query.
async fn select_one(port: u16) -> Result<(), Said> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let parameters = b"user\0tidegate\0application_name\0tidegate doctor\0\0";
    stream
        .write_all(&message(None, &[&196_608_u32.to_be_bytes(), parameters]))
        .await?;
    until(&mut stream, b'Z').await?;
    stream
        .write_all(&message(Some(b'Q'), &[b"SELECT 1\0"]))
        .await?;
    until(&mut stream, b'D').await?;
    until(&mut stream, b'Z').await?;
    stream.write_all(&message(Some(b'X'), &[])).await?;
    Ok(())
}

fn message(tag: Option<u8>, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let tag = tag.into_iter().collect::<Vec<_>>();
    [tag, length.to_be_bytes().to_vec(), body].concat()
}

/// Reads messages until one with this tag.
async fn until(stream: &mut TcpStream, tag: u8) -> Result<(), Said> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if !(4..MOST).contains(&length) {
            return Err(Said::Broken);
        }
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await?;
        match head[0] {
            found if found == tag => return Ok(()),
            b'E' => {
                return Err(Said::Fatal {
                    cause: field(&body, b'M'),
                    next: field(&body, b'H'),
                });
            }
            _ => {}
        }
    }
}

/// One field of an error message: `M` is its text, `H` its hint.
fn field(body: &[u8], wanted: u8) -> Option<String> {
    let mut fields = body.split(|byte| *byte == 0);
    let found = fields.find(|field| field.first() == Some(&wanted))?;
    let plain = |c: &char| !tidegate_proto::text::deceives(*c);
    let text: String = String::from_utf8_lossy(&found[1..])
        .chars()
        .filter(plain)
        .collect();
    (!text.is_empty()).then_some(text)
}
