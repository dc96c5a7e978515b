//! What a program was really sent: PostgreSQL's messages one after the other, listened to below the client's library.
//! That library passes some last words on to nobody: those that come while it closes a statement, or is in a COPY.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A kind and a length that counts itself.
const HEADER: usize = 5;
/// Of the body of an error; no reason of ours is longer.
const WORDS: usize = 4096;

/// As far as the server's messages have come.
#[derive(Default)]
pub(super) struct Heard {
    header: Vec<u8>,
    /// Of the body of the message under way, in bytes.
    left: usize,
    /// The body of the newest error.
    error: Vec<u8>,
}

impl Heard {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let size = (HEADER - self.header.len()).min(bytes.len());
                self.header.extend_from_slice(&bytes[..size]);
                bytes = &bytes[size..];
                let Ok([kind, length @ ..]) = <[u8; HEADER]>::try_from(&*self.header) else {
                    return;
                };
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.left = length.saturating_sub(HEADER - 1);
                if kind == b'E' {
                    self.error.clear();
                }
            }
            let size = self.left.min(bytes.len());
            if self.header.first() == Some(&b'E') {
                let room = WORDS - self.error.len().min(WORDS);
                self.error.extend_from_slice(&bytes[..size.min(room)]);
            }
            self.left -= size;
            bytes = &bytes[size..];
            if self.left == 0 {
                self.header.clear();
            }
        }
    }

    /// Whether the newest message has come in part only.
    pub(super) fn is_inside(&self) -> bool {
        !self.header.is_empty()
    }

    /// The words of the newest error, if that was the end of the session.
    pub(super) fn fatal(&self) -> Option<String> {
        let fields = self.error.split(|byte| *byte == 0);
        let field = |kind: u8| {
            let mut fields = fields.clone().filter_map(|field| field.split_first());
            let found = fields.find(|(first, _)| **first == kind)?;
            Some(String::from_utf8_lossy(found.1).into_owned())
        };
        let is_fatal = !self.is_inside() && field(b'V').as_deref() == Some("FATAL");
        is_fatal.then(|| {
            let hint = field(b'H').map_or_else(String::new, |hint| format!("\nHINT: {hint}"));
            format!("FATAL: {}{hint}", field(b'M').unwrap_or_default())
        })
    }
}

/// A connection that is listened to.
pub(super) struct Ear<S> {
    stream: S,
    heard: Arc<Mutex<Heard>>,
}

impl<S> Ear<S> {
    pub(super) fn on(stream: S) -> (Self, Arc<Mutex<Heard>>) {
        let heard = Arc::<Mutex<Heard>>::default();
        let ear = Self {
            stream,
            heard: Arc::clone(&heard),
        };
        (ear, heard)
    }
}

pub(super) fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + Unpin> AsyncRead for Ear<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        lock(&self.heard).take(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ear<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = b"D\0\0\0\x09hello";
    const FATAL: &[u8] = b"E\0\0\0\x19SFATAL\0VFATAL\0Mgone\0\0";

    fn heard(said: &[u8], size: usize) -> Heard {
        let mut heard = Heard::default();
        said.chunks(size).for_each(|piece| heard.take(piece));
        heard
    }

    #[test]
    fn last_words_are_heard_in_whatever_pieces_they_come() {
        for size in [1, 3, 100] {
            let heard = heard(&[ROW, FATAL].concat(), size);
            assert_eq!(heard.fatal().as_deref(), Some("FATAL: gone"));
            assert!(!heard.is_inside());
        }
    }

    #[test]
    fn a_message_that_is_cut_is_told_from_one_that_is_whole() {
        for cut in 1..ROW.len() {
            let heard = heard(&[ROW, &ROW[..cut]].concat(), 4);
            assert!(heard.is_inside() && heard.fatal().is_none());
        }
        assert!(!heard(ROW, 4).is_inside());
        let half = heard(&FATAL[..FATAL.len() - 1], 4);
        assert!(half.is_inside() && half.fatal().is_none(), "half a reason");
    }

    #[test]
    fn an_error_that_ends_nothing_is_no_last_word() {
        let error = b"E\0\0\0\x19SERROR\0VERROR\0Mgone\0\0";

        assert_eq!(heard(error, 9).fatal(), None);
    }
}
