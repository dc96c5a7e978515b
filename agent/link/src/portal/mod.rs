//! One TCP connection carried over a channel: DATA with offsets, and ends that are authenticated.
//! The end of the transport is never the end of the stream: without FIN or RESET it is an error.

mod control;
mod out;
mod stream;

pub use control::PortalControl;
pub use stream::SecureStream;

use crate::{LinkError, PortalError, RecordReader, Secure, secure::Facts};
use out::Out;
use socket2::SockRef;
use std::{
    io,
    net::Shutdown,
    ops::Range,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tidegate_proto::{frame::Frame, time::UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::{Sleep, sleep},
};

/// How long the side that finishes last waits for its peer to close, so that the last bytes cannot be cut off.
const LINGER: Duration = Duration::from_secs(5);
/// REAUTH records waiting to be judged; more than these are dropped, since only the newest matters and comes again.
const REAUTHS: usize = 4;
/// Notices waiting to be shown; more than these are dropped.
const NOTICES: usize = 16;
/// What is thrown away at most when a portal is dropped with bytes unread.
const DISCARD: usize = 1 << 20;
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
    received: AtomicU64,
    reauths: AsyncMutex<mpsc::Receiver<Vec<u8>>>,
    notices: AsyncMutex<mpsc::Receiver<(u16, String)>>,
    admitted: watch::Receiver<Option<UnixTime>>,
}

impl Shared {
    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Gone once the circuit was handed back.
    line: Option<(Facts, RecordReader)>,
    home: Option<Home>,
    /// Payload in the reader's buffer that the user has not taken yet.
    unread: Range<usize>,
    finished: bool,
    linger: Option<Pin<Box<Sleep>>>,
    reauths: mpsc::Sender<Vec<u8>>,
    notices: mpsc::Sender<(u16, String)>,
    admitted: watch::Sender<Option<UnixTime>>,
}

impl Portal {
    /// The stream of a circuit on which OPENED has just been sent or received. The circuit ends with it.
    #[must_use]
    pub fn new(secure: Secure) -> Self {
        Self::of(secure, None)
    }

    /// As `new`, on a circuit that can carry another portal. `home` is given it at the moment when both sides have
    /// finished and everything was sent and taken; after any other end it is never called, and the circuit ends.
    /// What `home` gives back is closed.
    #[must_use]
    pub fn lent(
        secure: Secure,
        home: impl FnOnce(Returned) -> Option<Secure> + Send + Sync + 'static,
    ) -> Self {
        Self::of(secure, Some(Box::new(home)))
    }

    fn of(secure: Secure, home: Option<Home>) -> Self {
        let (facts, reader, writer) = secure.into_parts();
        let (reauths, reauths_in) = mpsc::channel(REAUTHS);
        let (notices, notices_in) = mpsc::channel(NOTICES);
        let (admitted, admitted_in) = watch::channel(None);
        let shared = Shared {
            out: Mutex::new(Out::new(writer)),
            received: AtomicU64::new(0),
            reauths: AsyncMutex::new(reauths_in),
            notices: AsyncMutex::new(notices_in),
            admitted: admitted_in,
        };
        Self {
            shared: Arc::new(shared),
            line: Some((facts, reader)),
            home,
            unread: 0..0,
            finished: false,
            linger: None,
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

    /// Ready when the portal breaks after the peer has finished its direction; handles the peer's control frames.
    pub(crate) fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<PortalError> {
        loop {
            if let Some(error) = self.shared.out().check_in(cx) {
                return Poll::Ready(error);
            }
            match ready!(self.poll_frame(cx)) {
                Ok(()) => {}
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// Reads and handles one frame.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        let Some((_, reader)) = &mut self.line else {
            return Poll::Ready(Err(PortalError::Withdrawn(NO_REASON)));
        };
        let handled = match ready!(reader.poll_record(cx)) {
            Ok(record) => self.handle(record),
            Err(error) => Err(error.into()),
        };
        Poll::Ready(handled.map_err(|error| self.shared.out().end(error)))
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.line
            .as_ref()
            .map_or(&[], |(_, reader)| reader.bytes(range))
    }

    fn handle(&mut self, record: Range<usize>) -> Result<(), PortalError> {
        let received = self.shared.received.load(Ordering::Relaxed);
        let frame = Frame::decode(self.bytes(record.clone())).map_err(LinkError::from)?;
        match frame {
            Frame::Data { offset, bytes } if offset == received && !self.finished => {
                self.shared
                    .received
                    .store(received + bytes.len() as u64, Ordering::Relaxed);
                self.unread = record.end - bytes.len()..record.end;
            }
            Frame::Fin { offset } if offset == received && !self.finished => self.finished = true,
            Frame::Reset { code } => return Err(PortalError::Reset(code)),
            Frame::Ping(number) => self.shared.out().pong(number),
            Frame::Pong(_) | Frame::Ack { .. } => {}
            // A full queue drops: its reader is behind, and what it misses is said again.
            Frame::Notice { code, text } => drop(self.notices.try_send((code, text.to_owned()))),
            Frame::Reauth(record) => drop(self.reauths.try_send(record.to_vec())),
            Frame::Admitted { deadline } => drop(self.admitted.send_replace(Some(deadline))),
            Frame::Data { .. }
            | Frame::Fin { .. }
            | Frame::Auth(_)
            | Frame::Open(_)
            | Frame::Opened { .. }
            | Frame::Refused { .. }
            | Frame::Resume(_) => return Err(PortalError::Broken(LinkError::OutOfTurn)),
        }
        Ok(())
    }

    /// Both sides have finished: the circuit goes home, or is closed with care.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hand_back() {
            return Poll::Ready(());
        }
        self.poll_linger(cx)
    }

    /// Whether nothing of this portal is under way any more, in either direction.
    fn is_over(&self) -> bool {
        self.finished && self.unread.is_empty() && self.shared.out().is_through()
    }

    /// Gives the circuit to whoever lent it; whether it is theirs now.
    fn hand_back(&mut self) -> bool {
        if self.line.is_none() {
            return true;
        }
        let Some(home) = self.home.take() else {
            return false;
        };
        let Some(writer) = self.shared.out().give_up_writer() else {
            return false;
        };
        let Some((facts, reader)) = self.line.take() else {
            return false;
        };
        let returned = Returned {
            circuit: Secure::from_parts(facts, reader, writer),
            admitted: *self.admitted.borrow(),
        };
        let Some(unwanted) = home(returned) else {
            self.shared.out().end(PortalError::Withdrawn(NO_REASON));
            return true;
        };
        let (facts, reader, writer) = unwanted.into_parts();
        self.line = Some((facts, reader));
        self.shared.out().take_back_writer(writer);
        false
    }

    /// Closes our direction of the transport and waits for the peer to close its own.
    /// Closing at once could make the kernel throw away what the peer has not received yet.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((_, reader)) = &mut self.line else {
            return Poll::Ready(());
        };
        let timer = self.linger.get_or_insert_with(|| {
            let _ = SockRef::from(reader.tcp()).shutdown(Shutdown::Write);
            Box::pin(sleep(LINGER))
        });
        loop {
            match reader.poll_record(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return timer.as_mut().poll(cx),
            }
        }
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
            if !this.unread.is_empty() || buf.remaining() == 0 {
                let length = this.unread.len().min(buf.remaining());
                let start = this.unread.start;
                buf.put_slice(this.bytes(start..start + length));
                this.unread.start += length;
                return Poll::Ready(Ok(()));
            }
            if this.line.is_none() {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = this.shared.out().check_in(cx) {
                return Poll::Ready(Err(error.into()));
            }
            if this.finished {
                if this.is_over() {
                    ready!(this.poll_over(cx));
                }
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_frame(cx))?;
        }
    }
}

impl AsyncWrite for Portal {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.out().poll_data(cx, bytes).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.out().poll_flush(cx).map_err(Into::into)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.is_none() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.shared.out().poll_fin(cx))?;
        if self.is_over() {
            ready!(self.poll_over(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let over = self.line.is_none() || self.is_over();
        if over && self.hand_back() {
            return;
        }
        {
            let mut out = self.shared.out();
            if !over {
                out.reset(NO_REASON);
            }
            out.end(PortalError::Withdrawn(NO_REASON));
        }
        let Some((_, reader)) = &self.line else {
            return;
        };
        // Unread bytes in the kernel would turn the close into a TCP reset and take our RESET with them.
        let mut scratch = [0; 4096];
        for _ in 0..DISCARD / scratch.len() {
            if !matches!(reader.tcp().try_read(&mut scratch), Ok(1..)) {
                break;
            }
        }
        // Controls may outlive the portal; the connection must not.
        let _ = SockRef::from(reader.tcp()).shutdown(Shutdown::Both);
    }
}
