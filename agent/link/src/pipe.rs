//! Copies both ways until both directions have ended, or until the right to do so is withdrawn.
//! Never a `select!` over two copies: that loses the reply that follows a half-close.

use crate::{
    Meter, Portal, PortalError,
    flow::{Flow, FlowError},
};
use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// How a pipe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeEnd<Why> {
    /// Both directions ended cleanly, in whatever order.
    Finished,
    /// The right was withdrawn.
    Withdrawn(Why),
    /// The plain side failed.
    Plain(io::ErrorKind),
    /// The portal failed or was reset.
    Portal(PortalError),
}

/// Copies between a plain connection and a portal. Both stay with the caller, who must end what did not end cleanly:
/// dropping the portal resets it, [`crate::abort`] resets a TCP connection.
///
/// `meter` counts as seen from the plain side: `sent` into the portal, `received` out of it.
pub async fn pipe<A, Why>(
    plain: &mut A,
    portal: &mut Portal,
    meter: &Meter,
    withdrawn: impl Future<Output = Why>,
) -> PipeEnd<Why>
where
    A: AsyncRead + AsyncWrite + Unpin,
{
    let mut withdrawn = pin!(withdrawn);
    let (mut into, mut out_of) = (Flow::new(), Flow::new());
    poll_fn(|cx| {
        if let Poll::Ready(why) = withdrawn.as_mut().poll(cx) {
            return Poll::Ready(PipeEnd::Withdrawn(why));
        }
        let out_of_done = match out_of.poll(cx, portal, plain, &meter.received) {
            Poll::Ready(Err(FlowError::Read(error))) => return Poll::Ready(portal_end(&error)),
            Poll::Ready(Err(FlowError::Write(error))) => {
                return Poll::Ready(PipeEnd::Plain(error.kind()));
            }
            done => done.is_ready(),
        };
        let into_done = match into.poll(cx, plain, portal, &meter.sent) {
            Poll::Ready(Err(FlowError::Read(error))) => {
                return Poll::Ready(PipeEnd::Plain(error.kind()));
            }
            Poll::Ready(Err(FlowError::Write(error))) => return Poll::Ready(portal_end(&error)),
            done => done.is_ready(),
        };
        if into_done && out_of_done {
            return Poll::Ready(PipeEnd::Finished);
        }
        // After the peer's FIN nobody reads the portal any more, but a RESET must still arrive.
        if out_of.read_to_end() && !into.read_to_end() {
            return portal.poll_broken(cx).map(PipeEnd::Portal);
        }
        Poll::Pending
    })
    .await
}

fn portal_end<Why>(error: &io::Error) -> PipeEnd<Why> {
    PipeEnd::Portal(PortalError::of(error).unwrap_or(PortalError::CircuitLost))
}

/// Copies between two plain connections until both directions have ended; what a relay does.
///
/// # Errors
/// The first failure of either side.
pub async fn join<A, B>(a: &mut A, b: &mut B, meter: &Meter) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Flow::new(), Flow::new());
    poll_fn(|cx| {
        let there = there.poll(cx, a, b, &meter.sent).map_err(either)?;
        let back = back.poll(cx, b, a, &meter.received).map_err(either)?;
        if there.is_ready() && back.is_ready() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

fn either(error: FlowError) -> io::Error {
    match error {
        FlowError::Read(error) | FlowError::Write(error) => error,
    }
}
