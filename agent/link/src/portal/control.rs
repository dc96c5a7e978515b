//! Everything about a portal that is not bytes: renewal, notices, ending it, counting it.
//! A control may outlive its portal; it then only reports how the portal ended.

use super::{Shared, Traffic, intake::CRUMBS};
use crate::PortalError;
use futures_util::FutureExt as _;
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tidegate_proto::{frame::Frame, time::UnixTime};
use tokio::{sync::watch, time::timeout};

/// A handle on a portal, for as many tasks as need one.
#[derive(Clone)]
pub struct PortalControl(pub(super) Arc<Shared>);

impl PortalControl {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Agent: sends a newer AUTH under the same handshake hash.
    ///
    /// # Errors
    /// When the portal has ended.
    pub async fn reauth(&self, record: Vec<u8>) -> Result<(), PortalError> {
        self.send(&Frame::Reauth(&record)).await
    }

    /// Outlet: the next REAUTH; `None` after the portal has gone. Arrives while somebody reads the portal.
    pub async fn next_reauth(&self) -> Option<Vec<u8>> {
        self.0.reauths.lock().await.recv().await
    }

    /// Outlet: says until when the session lasts now.
    ///
    /// # Errors
    /// When the portal has ended.
    pub async fn admitted(&self, deadline: UnixTime) -> Result<(), PortalError> {
        self.send(&Frame::Admitted { deadline }).await
    }

    /// Agent: the deadline of the newest REAUTH that was admitted; `None` before the first.
    #[must_use]
    pub fn deadline(&self) -> watch::Receiver<Option<UnixTime>> {
        self.0.admitted.clone()
    }

    /// Sends a line for the person at the other end.
    ///
    /// # Errors
    /// When the portal has ended.
    pub async fn notice(&self, code: u16, text: &str) -> Result<(), PortalError> {
        self.send(&Frame::Notice { code, text }).await
    }

    /// The next line from the other end; `None` after the portal has gone.
    pub async fn next_notice(&self) -> Option<(u16, String)> {
        self.0.notices.lock().await.recv().await
    }

    /// Ends the portal now, in both directions, and tells the peer why if the socket takes it.
    pub fn reset(&self, code: u16) {
        self.0.out().reset(code);
    }

    /// How the portal ended, once it has: for a clean end too (`Withdrawn(0)`), after it was dropped.
    #[must_use]
    pub fn ended(&self) -> Option<PortalError> {
        self.0.out().ended()
    }

    /// Whether both control the same portal.
    #[must_use]
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Payload bytes so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let out = self.0.out();
        Traffic {
            sent: out.sent(),
            received: out.intake.bytes(),
        }
    }

    /// Resolves when our side has said more than this many bytes, or the portal has gone. For one who asks at a time; safe to
    /// abandon.
    pub async fn speaks(&self, more_than: u64) {
        let spoken = {
            let mut out = self.0.out();
            if out.sent() > more_than {
                return;
            }
            out.when_spoken()
        };
        // Gone with the portal: there is nothing more to wait for.
        let _ = spoken.await;
    }

    /// Whether the peer has not taken what it would have acknowledged by now: its own reader is slow, and it hears no question
    /// before that.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        let out = self.0.out();
        let kept = out.kept.as_ref();
        kept.is_some_and(|kept| kept.replay.unacknowledged() as u64 >= CRUMBS)
    }

    /// Whether something came over the present line that our own reader has not taken.
    #[must_use]
    pub fn has_unheard(&self) -> bool {
        let tcp = self.0.out().tcp();
        let peeked = tcp.map(|tcp| {
            let mut byte = [0];
            matches!(tcp.peek(&mut byte).now_or_never(), Some(Ok(1)))
        });
        peeked.unwrap_or(false)
    }

    /// Whether the peer shows within `limit` that it is there: asked by a PING, and any frame is an answer. While our own
    /// reader takes nothing, nothing is heard.
    pub async fn answers(&self, limit: Duration) -> bool {
        let asking = async {
            let mut answer = pin!(self.0.answered.notified());
            answer.as_mut().enable();
            self.0.asked.store(true, Ordering::Relaxed);
            tokio::select! {
                biased;
                () = &mut answer => return Ok(()),
                asked = self.send(&Frame::Ping(0)) => asked?,
            }
            answer.await;
            Ok::<_, PortalError>(())
        };
        let answered = timeout(limit, asking).await;
        self.0.asked.store(false, Ordering::Relaxed);
        matches!(answered, Ok(Ok(())))
    }

    pub(super) async fn send(&self, frame: &Frame<'_>) -> Result<(), PortalError> {
        while !self.0.out().try_control(frame)? {
            self.writable().await?;
        }
        while !self.0.out().try_flush()? {
            self.writable().await?;
        }
        Ok(())
    }

    async fn writable(&self) -> Result<(), PortalError> {
        let tcp = self.0.out().tcp()?;
        tcp.writable().await.map_err(|_| PortalError::CircuitLost)
    }
}
