//! Records on a TCP connection: length, then ciphertext; each direction by itself.
//! Both directions can be abandoned mid-wait without losing a byte: what was read or sealed stays here.

use crate::{
    LinkError,
    pool::{ReadBuffer, WriteBuffer},
};
use std::{
    future::poll_fn,
    io::ErrorKind,
    ops::Range,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tidegate_proto::channel::{ChannelError, Opener, Sealer, TAG};
use tokio::{net::TcpStream, time::Instant};

/// Bytes of the length in front of each record.
const LENGTH: usize = 2;
/// A direction goes on under a new key after this long, checked when it is used.
const REKEY_AFTER: Duration = Duration::from_secs(3600);

/// The receiving half of a channel.
pub struct RecordReader {
    tcp: Arc<TcpStream>,
    opener: Opener,
    /// Held only while bytes are in it.
    buffer: Option<ReadBuffer>,
    filled: Range<usize>,
    failed: Option<LinkError>,
}

impl RecordReader {
    pub(crate) fn new(tcp: Arc<TcpStream>, opener: Opener) -> Self {
        Self {
            tcp,
            opener,
            buffer: None,
            filled: 0..0,
            failed: None,
        }
    }

    /// The next record's plaintext. Safe to abandon.
    ///
    /// # Errors
    /// `Lost` at the end of the connection; any error is the last word of this direction.
    pub async fn recv_record(&mut self) -> Result<Vec<u8>, LinkError> {
        let range = poll_fn(|cx| self.poll_record(cx)).await?;
        Ok(self.bytes(range).to_vec())
    }

    /// Where in [`Self::bytes`] the next record's plaintext is; valid until the next call.
    pub(crate) fn poll_record(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Range<usize>, LinkError>> {
        if let Some(error) = self.failed {
            return Poll::Ready(Err(error));
        }
        loop {
            match self.open_next() {
                Ok(Some(plaintext)) => return Poll::Ready(Ok(plaintext)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
        }
    }

    /// The connection underneath.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer[range])
    }

    /// Whether the next record is here already. A length that cannot be counts as one: it is found out when it is opened.
    pub(crate) fn has_record(&self) -> bool {
        let buffer = self.buffer.as_ref();
        buffer.is_some_and(|buffer| whole(&buffer[self.filled.clone()]) != Ok(None))
    }

    fn fail(&mut self, error: LinkError) -> LinkError {
        self.failed = Some(error);
        error
    }

    /// Opens the first whole record in the buffer. Announcements of a rekey have no plaintext and are passed over.
    fn open_next(&mut self) -> Result<Option<Range<usize>>, LinkError> {
        let Some(buffer) = self.buffer.as_mut() else {
            return Ok(None);
        };
        while let Some(length) = whole(&buffer[self.filled.clone()])? {
            let start = self.filled.start + LENGTH;
            let plaintext = self
                .opener
                .open_in_place(&mut buffer[start..start + length])?
                .len();
            self.filled.start = start + length;
            if plaintext > 0 {
                return Ok(Some(start..start + plaintext));
            }
        }
        Ok(None)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            if self.filled.is_empty() {
                self.filled = 0..0;
                if self.tcp.poll_read_ready(cx).is_pending() {
                    self.buffer = None;
                    return Poll::Pending;
                }
            } else {
                ready!(self.tcp.poll_read_ready(cx))?;
            }
            let buffer = self.buffer.get_or_insert_with(ReadBuffer::take);
            if self.filled.start > 0 {
                // At most one partial record is ever moved.
                buffer.copy_within(self.filled.clone(), 0);
                self.filled = 0..self.filled.len();
            }
            match self.tcp.try_read(&mut buffer[self.filled.end..]) {
                Ok(0) => return Poll::Ready(Err(LinkError::Lost)),
                Ok(n) => {
                    self.filled.end += n;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

/// The length of the record at the start of `bytes`, once all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<usize>, LinkError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < TAG {
        return Err(ChannelError::Rejected.into());
    }
    Ok((rest.len() >= length).then_some(length))
}

/// The sending half of a channel.
pub struct RecordWriter {
    tcp: Arc<TcpStream>,
    sealer: Sealer,
    /// Sealed records that the socket has not taken yet; held only while there are some.
    buffer: Option<WriteBuffer>,
    written: usize,
    rekeyed: Instant,
    failed: Option<LinkError>,
}

impl RecordWriter {
    pub(crate) fn new(tcp: Arc<TcpStream>, sealer: Sealer) -> Self {
        Self {
            tcp,
            sealer,
            buffer: None,
            written: 0,
            rekeyed: Instant::now(),
            failed: None,
        }
    }

    /// Seals `plaintext` and waits until the socket has taken it. If abandoned, the record still goes out with the next.
    ///
    /// # Errors
    /// Any error is the last word of this direction.
    pub async fn send_record(&mut self, plaintext: &[u8]) -> Result<(), LinkError> {
        self.push(|out| out.extend_from_slice(plaintext))?;
        self.flush().await
    }

    /// Waits until the socket has taken everything sealed so far.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        while !self.try_flush()? {
            self.tcp.writable().await?;
        }
        Ok(())
    }

    /// Seals one record, whose plaintext `write` appends, behind those still waiting.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), LinkError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.rekeyed.elapsed() >= REKEY_AFTER {
            self.rekeyed = Instant::now();
            self.push_record(|_| {}, |sealer, out, _| sealer.rekey(out))?;
        }
        self.push_record(write, Sealer::seal_in_place)
    }

    fn push_record(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        seal: impl FnOnce(&mut Sealer, &mut Vec<u8>, usize) -> Result<(), ChannelError>,
    ) -> Result<(), LinkError> {
        let out = self.buffer.get_or_insert_with(WriteBuffer::take);
        let at = out.len();
        out.extend_from_slice(&[0; LENGTH]);
        write(out);
        if let Err(error) = seal(&mut self.sealer, out, at + LENGTH) {
            out.truncate(at);
            return Err(error.into());
        }
        let length = u16::try_from(out.len() - at - LENGTH).map_err(|_| ChannelError::Plaintext)?;
        out[at..at + LENGTH].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// The connection underneath, to wait on without holding the writer.
    pub(crate) fn tcp(&self) -> Arc<TcpStream> {
        Arc::clone(&self.tcp)
    }

    /// Bytes sealed and not yet taken by the socket.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer
            .as_ref()
            .map_or(0, |out| out.len() - self.written)
    }

    /// Gives the socket what it takes now; whether everything is gone.
    pub(crate) fn try_flush(&mut self) -> Result<bool, LinkError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while let Some(out) = self.buffer.as_ref() {
            if self.written == out.len() {
                self.buffer = None;
                self.written = 0;
                break;
            }
            match self.tcp.try_write(&out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    let error = error.into();
                    self.failed = Some(error);
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// As [`Self::try_flush`], and wakes `cx` when the socket takes more. One task at a time.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        while !self.try_flush()? {
            ready!(self.tcp.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}
