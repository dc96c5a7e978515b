//! Copies both ways until both directions have ended, or until the right to do so is withdrawn.
//! Never a `select!` over two copies: that loses the reply that follows a half-close.

use crate::{
    Meter, Portal, PortalError,
    flow::{Flow, FlowError},
};
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep},
};

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

/// How long a portal that takes no more bytes is still read for its peer's reason. It was sent before the peer closed, so
/// only what is lost on the way and sent again can be late.
const REASON_LIMIT: Duration = Duration::from_secs(1);

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
    let mut pipe = Pipe {
        into: Flow::new(),
        out_of: Flow::new(),
        broken: None,
    };
    poll_fn(|cx| match withdrawn.as_mut().poll(cx) {
        Poll::Ready(why) => Poll::Ready(PipeEnd::Withdrawn(why)),
        Poll::Pending => pipe.poll(cx, plain, portal, meter),
    })
    .await
}

struct Pipe {
    into: Flow,
    out_of: Flow,
    /// Why nothing more goes into the portal, and until when it is asked for a better reason.
    broken: Option<(PortalError, Pin<Box<Sleep>>)>,
}

impl Pipe {
    fn poll<A, Why>(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut A,
        portal: &mut Portal,
        meter: &Meter,
    ) -> Poll<PipeEnd<Why>>
    where
        A: AsyncRead + AsyncWrite + Unpin,
    {
        let out_of_done = match self.out_of.poll(cx, portal, plain, &meter.received) {
            Poll::Ready(Err(FlowError::Read(error))) => {
                return Poll::Ready(PipeEnd::Portal(how(&error)));
            }
            Poll::Ready(Err(FlowError::Write(error))) => {
                return Poll::Ready(PipeEnd::Plain(error.kind()));
            }
            done => done.is_ready(),
        };
        let into_done = match self.into.poll(cx, plain, portal, &meter.sent) {
            Poll::Ready(Err(FlowError::Read(error))) => {
                return Poll::Ready(PipeEnd::Plain(error.kind()));
            }
            Poll::Ready(Err(FlowError::Write(error))) => {
                self.broken = Some((how(&error), Box::pin(sleep(REASON_LIMIT))));
                true
            }
            done => done.is_ready(),
        };
        if let Some((error, limit)) = &mut self.broken {
            return if out_of_done || limit.as_mut().poll(cx).is_ready() {
                Poll::Ready(PipeEnd::Portal(*error))
            } else {
                Poll::Pending
            };
        }
        if into_done && out_of_done {
            return Poll::Ready(PipeEnd::Finished);
        }
        // After the peer's FIN nobody reads the portal any more, but a RESET must still arrive.
        if self.out_of.read_to_end() && !self.into.read_to_end() {
            return portal.poll_broken(cx).map(PipeEnd::Portal);
        }
        Poll::Pending
    }
}

fn how(error: &io::Error) -> PortalError {
    PortalError::of(error).unwrap_or(PortalError::CircuitLost)
}

/// Copies between two plain connections until both directions have ended; what a relay does.
/// A side that takes no more bytes may have said why before: that is passed on first.
///
/// # Errors
/// The first failure of either side.
pub async fn join<A, B>(a: &mut A, b: &mut B, meter: &Meter) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Flow::new(), Flow::new());
    both(|cx| {
        let there = there.poll(cx, a, b, &meter.sent);
        (there, back.poll(cx, b, a, &meter.received))
    })
    .await
}

/// Moves both directions on until both have ended, or one cannot be read.
pub(crate) async fn both(
    mut step: impl FnMut(&mut Context<'_>) -> (Flowed, Flowed),
) -> io::Result<()> {
    let mut refused = None;
    poll_fn(|cx| {
        let (there, back) = step(cx);
        let there = unless_read(there, &mut refused)?;
        let back = unless_read(back, &mut refused)?;
        if there.is_ready() && back.is_ready() {
            Poll::Ready(refused.take().map_or(Ok(()), Err))
        } else {
            Poll::Pending
        }
    })
    .await
}

type Flowed = Poll<Result<(), FlowError>>;

/// Keeps a failure to write for later; a failure to read is the end.
fn unless_read(flow: Flowed, refused: &mut Option<io::Error>) -> Poll<io::Result<()>> {
    flow.map(|end| match end {
        Ok(()) => Ok(()),
        Err(FlowError::Read(error)) => Err(error),
        Err(FlowError::Write(error)) => {
            refused.get_or_insert(error);
            Ok(())
        }
    })
}
