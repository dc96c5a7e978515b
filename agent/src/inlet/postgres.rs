//! The front of a `postgres` service: answers the startup, keeps the program waiting politely, ends with a FATAL that says why.
//! Until it is filled it passes bytes like `tcp`.

use tokio::net::TcpStream;

use super::door::Door;
use super::visit::VisitEnd;

/// What all programs at the inlets of one agent share: the inlet's own TLS certificate.
pub(crate) struct Front {}

impl Front {
    /// Makes the certificate. Called once per agent, and cheap enough to be called at its start.
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Serves one admitted program until either side or `door.closed()` ends it.
    pub(crate) async fn serve(&self, program: TcpStream, door: &Door) -> VisitEnd {
        super::tcp::serve(program, door).await
    }
}
