//! The program's side of a session: its bytes, and a line to the agent beside them.
//! The program reads why it was ended in its own protocol; the window shows it from this line.

use std::time::Duration;

use tidegate_link::{Portal, PortalControl};
use tidegate_proto::problem::Problem;
use tidegate_proto::words::words;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// For the line: an agent that does not read is not waited for.
const TELL_LIMIT: Duration = Duration::from_millis(100);

/// What a session is carried over: a portal, or a stream in a test.
pub trait ProgramSide: AsyncRead + AsyncWrite + Unpin {
    /// Where a line can be said beside the bytes.
    fn beside(&self) -> Option<PortalControl>;
}

impl ProgramSide for Portal {
    fn beside(&self) -> Option<PortalControl> {
        Some(self.control())
    }
}

#[cfg(test)]
impl ProgramSide for tokio::io::DuplexStream {
    fn beside(&self) -> Option<PortalControl> {
        None
    }
}

/// Says why the session ends, before the program's last words: whoever has read those has had this.
pub(super) async fn tell(beside: Option<PortalControl>, problem: &Problem) {
    if let Some(beside) = beside {
        let line = words(problem).line();
        let _ = timeout(TELL_LIMIT, beside.notice(problem.code.number(), &line)).await;
    }
}
