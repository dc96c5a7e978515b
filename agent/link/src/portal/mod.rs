//! One TCP connection carried over a channel: DATA with offsets, and ends that are authenticated.
//! The end of the transport is never the end of the stream: without FIN or RESET it is an error.

mod budget;
mod control;
mod end;
mod frames;
mod held;
mod intake;
#[cfg(test)]
mod model;
mod out;
mod replay;
mod resume;
mod stream;

pub use budget::Budget;
pub use control::PortalControl;
pub use out::Line;
pub use stream::SecureStream;

use crate::{RecordReader, Secure, secure::Facts};
use budget::Share;
use held::Held;
use out::{Kept, Out};
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tidegate_proto::time::UnixTime;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Mutex as AsyncMutex, Notify, mpsc, watch},
    time::Sleep,
};

/// REAUTH records waiting to be judged; more than these are dropped, since only the newest matters and comes again.
const REAUTHS: usize = 4;
/// Notices waiting to be shown; more than these are dropped.
const NOTICES: usize = 16;
/// The code of a RESET that nobody gave a reason for.
const NO_REASON: u16 = 0;

/// Bytes through a portal, as counted at this end.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub sent: u64,
    pub received: u64,
}

/// What the portal and its controls share.
struct Shared {
    out: Mutex<Out>,
    reauths: AsyncMutex<mpsc::Receiver<Vec<u8>>>,
    notices: AsyncMutex<mpsc::Receiver<(u16, String)>>,
    admitted: watch::Receiver<Option<UnixTime>>,
    /// Somebody asked whether the peer is there: any frame is an answer.
    asked: AtomicBool,
    answered: Notify,
}

impl Shared {
    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame came.
    fn heard(&self) {
        if self.asked.load(Ordering::Relaxed) {
            self.answered.notify_waiters();
        }
    }
}

/// A circuit whose portal ended cleanly on both sides, on its way back.
pub struct Returned {
    pub circuit: Secure,
    /// The deadline of the newest REAUTH that was admitted while the portal was open.
    pub admitted: Option<UnixTime>,
}

/// Takes a circuit back, or gives it up to be closed.
type Home = Box<dyn FnOnce(Returned) -> Option<Secure> + Send + Sync>;

/// A portal after OPENED, at either end.
///
/// Writing buffers: flush before waiting for an answer (the pipe does). Shutting down sends FIN; dropping before both
/// sides have finished sends RESET if the socket takes it.
pub struct Portal {
    shared: Arc<Shared>,
    /// Gone once the circuit was handed back, and while a portal that can be resumed has none.
    line: Option<(Facts, RecordReader)>,
    /// Which line that is, if there may be several.
    number: Option<u32>,
    home: Option<Home>,
    /// Whether the circuit was handed back.
    is_home: bool,
    /// Payload that came before `unread` and is not in the reader's buffer any more.
    held: Held,
    /// Payload in the reader's buffer that the user has not taken yet.
    unread: Range<usize>,
    /// Until the peer hears what the user took, or has closed.
    timer: Option<Pin<Box<Sleep>>>,
    lingers: bool,
    reauths: mpsc::Sender<Vec<u8>>,
    notices: mpsc::Sender<(u16, String)>,
    admitted: watch::Sender<Option<UnixTime>>,
}

impl Portal {
    /// The stream of a circuit on which OPENED has just been sent or received. The circuit ends with it.
    #[must_use]
    pub fn new(secure: Secure) -> Self {
        Self::of(secure, None, None)
    }

    /// As `new`, on a circuit that can carry another portal. `home` is given it at the moment when both sides have
    /// finished and everything was sent and taken; after any other end it is never called, and the circuit ends.
    /// What `home` gives back is closed.
    #[must_use]
    pub fn lent(
        secure: Secure,
        home: impl FnOnce(Returned) -> Option<Secure> + Send + Sync + 'static,
    ) -> Self {
        Self::of(secure, Some(Box::new(home)), None)
    }

    /// As `lent`, and it outlives its circuit: when that is lost, the portal waits for [`PortalControl::attach`]. The peer's
    /// portal must be resumable too: what is sent is kept until it says that it was taken.
    /// What that takes counts against `budget`. A circuit that the portal went on with is never lent further.
    #[must_use]
    pub fn resumable(
        secure: Secure,
        budget: &Arc<Budget>,
        home: impl FnOnce(Returned) -> Option<Secure> + Send + Sync + 'static,
    ) -> Self {
        let kept = Kept::new(Share::new(budget, replay::FIRST_LIMIT));
        let mut portal = Self::of(secure, Some(Box::new(home)), Some(kept));
        portal.held = Held::new(Some(Share::new(budget, held::OWN)));
        portal
    }

    fn of(secure: Secure, home: Option<Home>, kept: Option<Kept>) -> Self {
        let (facts, reader, writer) = secure.into_parts();
        let (reauths, reauths_in) = mpsc::channel(REAUTHS);
        let (notices, notices_in) = mpsc::channel(NOTICES);
        let (admitted, admitted_in) = watch::channel(None);
        let number = kept.as_ref().map(|kept| kept.line);
        let shared = Shared {
            out: Mutex::new(Out::new(writer, kept)),
            reauths: AsyncMutex::new(reauths_in),
            notices: AsyncMutex::new(notices_in),
            admitted: admitted_in,
            asked: AtomicBool::new(false),
            answered: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
            line: Some((facts, reader)),
            number,
            home,
            is_home: false,
            held: Held::new(None),
            unread: 0..0,
            timer: None,
            lingers: false,
            reauths,
            notices,
            admitted,
        }
    }

    /// A handle for everything that is not bytes.
    #[must_use]
    pub fn control(&self) -> PortalControl {
        PortalControl::new(Arc::clone(&self.shared))
    }

    /// Bytes that are here for the user.
    fn has_unread(&self) -> bool {
        !self.held.is_empty() || !self.unread.is_empty()
    }

    /// Gives the user as much of what is here as fits.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let given = if self.held.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            let range = self.unread.start..self.unread.start + length;
            buf.put_slice(self.bytes(range));
            self.unread.start += length;
            length
        } else {
            self.held.give(buf)
        };
        if self.number.is_some() {
            self.shared.out().intake.take(given);
        }
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.line
            .as_ref()
            .map_or(&[], |(_, reader)| reader.bytes(range))
    }
}

impl AsyncRead for Portal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.has_unread() || buf.remaining() == 0 {
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            if this.is_home {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = this.shared.out().check_in(cx) {
                return Poll::Ready(Err(error.into()));
            }
            if this.has_finished() {
                return this.poll_end(cx).map_err(Into::into);
            }
            ready!(this.poll_frame(cx))?;
        }
    }
}

impl AsyncWrite for Portal {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = self.shared.out().poll_data(cx, bytes);
            if written.is_ready() || !self.shared.out().is_held_back() {
                return written.map_err(Into::into);
            }
            ready!(self.poll_behind(cx))?;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.out().poll_flush(cx).map_err(Into::into)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_home {
            return Poll::Ready(Ok(()));
        }
        loop {
            let said = self.shared.out().poll_fin(cx);
            if let Poll::Ready(said) = said {
                said?;
                break;
            }
            // Once the peer has finished nobody else reads, and only whoever reads finds the end of a line.
            if self.number.is_none() || !self.has_finished() || self.has_unread() {
                return Poll::Pending;
            }
            ready!(self.poll_frame(cx))?;
        }
        if self.has_finished() && !self.has_unread() {
            ready!(self.poll_end(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}
