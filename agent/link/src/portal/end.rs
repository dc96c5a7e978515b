//! How a portal ends: both sides have finished and know it, or whoever drops it says RESET.
//! A circuit goes home only when nothing of the portal is under way any more, in either direction.

use super::{NO_REASON, Portal, Returned};
use crate::{PortalError, Secure};
use socket2::SockRef;
use std::{
    future::{Future, poll_fn},
    net::Shutdown,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How long the side that finishes last waits for its peer to close, so that the last bytes cannot be cut off.
const LINGER: Duration = Duration::from_secs(5);
/// How long a peer whose portal was ended may take to hear it.
const PARTING: Duration = Duration::from_millis(700);
/// What is thrown away at most when a portal is dropped with bytes unread.
const DISCARD: usize = 1 << 20;

impl Portal {
    /// Whether the peer has finished its direction; there may be bytes that the user has not taken.
    pub(super) fn has_finished(&self) -> bool {
        self.shared.out().intake.is_finished()
    }

    /// The peer has finished and everything was taken. If we have finished too, its acknowledgement is waited for, and the
    /// circuit goes home or is closed with care.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        if self.number.is_some() && self.shared.out().has_said_fin() {
            ready!(self.poll_known(cx))?;
        }
        if !self.is_over() || self.hand_back() {
            return Poll::Ready(Ok(()));
        }
        self.poll_linger(cx).map(Ok)
    }

    /// Both have finished: ready when both know it.
    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        while !self.is_home {
            {
                let mut out = self.shared.out();
                if let Some(error) = out.ended() {
                    return Poll::Ready(Err(error));
                }
                out.acknowledge_now();
            }
            // Looked at after that: our own acknowledgement may have been all that was missing, and then no frame comes.
            if self.is_over() {
                break;
            }
            ready!(self.poll_frame(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nothing of this portal is under way any more, in either direction.
    fn is_over(&self) -> bool {
        let mut out = self.shared.out();
        !self.has_unread() && out.intake.is_finished() && out.is_through()
    }

    /// Ends the portal, unless that was done, and sees to it that the peer hears it: takes what is still under way to
    /// us until the peer has closed. Closing over bytes that come makes a kernel throw our RESET away, and a peer that has
    /// not heard it keeps what can be resumed. For at most 700 ms; dropping the portal is the same without the care.
    pub async fn part(mut self) {
        self.take_up();
        self.shared.out().reset(NO_REASON);
        let Some((_, reader)) = &mut self.line else {
            return;
        };
        let _ = SockRef::from(reader.tcp()).shutdown(Shutdown::Write);
        let closed = poll_fn(|cx| {
            while ready!(reader.poll_record(cx)).is_ok() {}
            Poll::Ready(())
        });
        let _ = timeout(PARTING, closed).await;
    }

    /// Gives the circuit to whoever lent it; whether it is theirs now.
    fn hand_back(&mut self) -> bool {
        if self.is_home {
            return true;
        }
        // A line that came since everything was said carries nothing that is anybody's.
        self.take_up();
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
            self.is_home = true;
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
        if !self.lingers {
            self.lingers = true;
            let _ = SockRef::from(reader.tcp()).shutdown(Shutdown::Write);
            self.timer = Some(Box::pin(sleep(LINGER)));
        }
        loop {
            match reader.poll_record(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    let timer = self.timer.as_mut();
                    return timer.map_or(Poll::Ready(()), |timer| timer.as_mut().poll(cx));
                }
            }
        }
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.take_up();
        let over = self.is_home || self.is_over();
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
