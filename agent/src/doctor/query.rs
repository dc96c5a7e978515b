//! The whole way at once: a query from this computer through inlet, relay and outlet to the database and back.
//! Only what is connected is asked; a service that is not is opened by `tidegate doctor SERVICE` first, as an audited connection like any other.

use std::time::{Duration, Instant};

use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Check;
use crate::{ServiceKind, ServiceState, ServiceView};

const NAME: &str = "query";
const LIMIT: Duration = Duration::from_secs(10);
/// Longest message that is looked at, in bytes.
const MOST: usize = 64 * 1024;

pub(crate) async fn check(view: &ServiceView) -> Check {
    match (&view.state, view.kind) {
        (ServiceState::Failed(problem), _) => Check::problem(NAME, problem),
        (ServiceState::Connected { .. }, ServiceKind::Postgres) => asked(view).await,
        (ServiceState::Connected { .. }, ServiceKind::Tcp) => Check::ok(
            NAME,
            "The outlet has answered; what is behind it speaks its own language.",
        ),
        (ServiceState::Idle | ServiceState::Connecting { .. } | ServiceState::Disconnecting, _) => {
            Check::skipped(
                NAME,
                &format!(
                    "It is not connected; `tidegate doctor {}` tries it.",
                    view.name
                ),
            )
        }
    }
}

async fn asked(view: &ServiceView) -> Check {
    let begun = Instant::now();
    match timeout(LIMIT, select_one(view.port)).await {
        Ok(Ok(())) => Check::ok(
            NAME,
            &format!(
                "SELECT 1 was answered after {} ms.",
                begun.elapsed().as_millis()
            ),
        ),
        Ok(Err(Said::Fatal(text))) => Check::fail(
            NAME,
            "The database or the outlet refused.",
            &text.unwrap_or_else(|| "Look into the outlet's log.".into()),
        ),
        Ok(Err(Said::Broken)) => {
            Check::problem(NAME, &Problem::new(Code::CircuitLost).service(&view.name))
        }
        Err(_) => Check::problem(NAME, &Problem::new(Code::TimedOut).service(&view.name)),
    }
}

/// Why there was no answer.
enum Said {
    /// The sentence of a FATAL or ERROR, which names cause and next step.
    Fatal(Option<String>),
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
            b'E' => return Err(Said::Fatal(sentence(&body))),
            _ => {}
        }
    }
}

/// The text (`M`) and hint (`H`) of an error message.
fn sentence(body: &[u8]) -> Option<String> {
    let fields = body.split(|byte| *byte == 0);
    let wanted = fields.filter(|field| matches!(field.first(), Some(b'M' | b'H')));
    let texts: Vec<_> = wanted
        .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
        .collect();
    let plain = |c: char| !tidegate_proto::text::deceives(c);
    let text: String = texts.join(" ").chars().filter(|c| plain(*c)).collect();
    (!text.is_empty()).then_some(text)
}
