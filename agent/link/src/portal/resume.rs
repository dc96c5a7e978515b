//! A portal's second line: cutting the old one, saying what came, going on with the new one.
//! Who may do so is decided elsewhere: this only makes sure that every byte arrives once.

use super::{Line, PortalControl};
use crate::{PortalError, Secure};
use std::time::Duration;
use tidegate_proto::frame::Frame;
use tokio::{sync::watch, time::timeout};

impl PortalControl {
    /// Whether something carries the portal. `Over` for one that ends with its circuit anyway. Changes to the same when our side
    /// finishes, so that whoever waits asks [`Self::is_finishing`] again.
    #[must_use]
    pub fn line(&self) -> watch::Receiver<Line> {
        match &self.0.out().kept {
            Some(kept) => kept.stands.subscribe(),
            None => watch::Sender::new(Line::Over).subscribe(),
        }
    }

    /// Cuts the present line, if there is one, and says what has come so far: the places that the peer must not send again.
    /// Nothing more is heard until [`Self::attach`].
    ///
    /// # Errors
    /// When the portal has ended, or ends with its circuit.
    pub fn detach(&self) -> Result<u64, PortalError> {
        let mut out = self.0.out();
        if let Some(error) = out.ended() {
            return Err(error);
        }
        if out.kept.is_none() {
            return Err(PortalError::CircuitLost);
        }
        out.cut();
        Ok(out.intake.begin())
    }

    /// Whether both sides have finished, and the peer has taken every byte: only the last acknowledgements are missing.
    #[must_use]
    pub fn is_finishing(&self) -> bool {
        let out = self.0.out();
        let kept = out.kept.as_ref();
        let is_taken = kept.is_some_and(|kept| kept.replay.is_empty());
        out.has_said_fin() && out.intake.is_finished() && is_taken
    }

    /// Whether the peer has shown that it heard of the portal: by anything but a PING, or by coming back for it. Always so
    /// for one that ends with its circuit anyway.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let out = self.0.out();
        out.kept.as_ref().is_none_or(|kept| *kept.met.borrow())
    }

    /// As [`Self::is_met`], and asks for a sign by a PING if there was none: whoever answers has read what was said before.
    /// While our own reader takes nothing, nothing is heard.
    pub async fn meets(&self, limit: Duration) -> bool {
        let met = self.0.out().kept.as_ref().map(|kept| kept.met.subscribe());
        let Some(mut met) = met.filter(|met| !*met.borrow()) else {
            return true;
        };
        let asking = async {
            // A circuit that takes nothing more may still bring the sign.
            let _ = self.send(&Frame::Ping(0)).await;
            met.wait_for(|met| *met).await.is_ok()
        };
        timeout(limit, asking).await == Ok(true)
    }

    /// What is to be done when the portal is ended here and nothing carries the word to its peer, who would wait for it:
    /// is told the code of that RESET, and what had come as [`Self::detach`] says it. Runs at once, and must not touch the portal.
    pub fn when_unheard(&self, tell: impl FnOnce(u16, u64) + Send + 'static) {
        if let Some(kept) = &mut self.0.out().kept {
            kept.unheard = Some(Box::new(tell));
        }
    }

    /// Whether a line can begin where the peer says that it stands. One that says otherwise lies.
    #[must_use]
    pub fn can_go_on_from(&self, place: u64) -> bool {
        let out = self.0.out();
        let kept = out.kept.as_ref();
        kept.is_some_and(|kept| kept.replay.can_rewind(place))
    }

    /// Goes on over `secure`, whose peer has everything before `place`. To be called after [`Self::detach`].
    ///
    /// # Errors
    /// When the portal has ended, or ends now because the peer lies.
    pub fn attach(&self, secure: Secure, place: u64) -> Result<(), PortalError> {
        let (facts, reader, writer) = secure.into_parts();
        self.0.out().connect((facts, reader), writer, place)
    }
}
