//! The agent's control socket: JSON lines for programs of the same user, and for nobody else.
//! Never TCP: any web page can reach a port on localhost.
//!
//! A line `{"act":…}` is answered by `{"done":null}` or `{"done":{problem}}`. After `{"snapshot":true}` every snapshot
//! comes as a line `{"snapshot":{…}}`, the current one first, and nothing more is read.

mod client;
mod server;

pub use client::{Client, ClientError, Snapshots};
pub(crate) use server::Server;

use serde::{Deserialize, Serialize};
use tidegate_proto::problem::Problem;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::{Action, Snapshot};

/// Longest line a client may send, in bytes.
const MAX_REQUEST: u64 = 64 * 1024;
/// Longest line a server may send, in bytes: a snapshot of some hundred services.
const MAX_REPLY: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Act(Action),
    Snapshot(bool),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Option<Problem>),
    Snapshot(Box<Snapshot>),
}

/// The next line without its end; `None` at the end of the stream or when the line is longer than `limit`.
async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    limit: u64,
) -> Option<zeroize::Zeroizing<String>> {
    let mut line = zeroize::Zeroizing::new(String::new());
    let read = from.take(limit).read_line(&mut line).await.ok()?;
    (read > 0 && line.ends_with('\n')).then_some(line)
}
