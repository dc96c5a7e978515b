//! A connection after its handshake, before anything flows: frames and records, one after the other.
//! `peer` has proven that it holds its key; only the initiator has compared that key with anything.

use crate::{LinkError, RecordReader, RecordWriter, SecureStream};
use std::sync::Arc;
use tidegate_proto::{
    channel::{Channel, HandshakeHash},
    frame::Frame,
    identity::NoisePublic,
};
use tokio::net::TcpStream;

/// A handshaken connection.
pub struct Secure {
    pub hash: HandshakeHash,
    pub peer: NoisePublic,
    reader: RecordReader,
    writer: RecordWriter,
}

/// What is known of a circuit apart from its bytes.
pub(crate) struct Facts {
    hash: HandshakeHash,
    peer: NoisePublic,
}

/// One received record that is known to be a frame.
pub struct Record(Vec<u8>);

impl Record {
    /// The frame.
    ///
    /// # Panics
    /// Never: a record is only made from bytes that decode.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::decode(&self.0).expect("a record was decoded when it was received")
    }
}

impl Secure {
    pub(crate) fn new(tcp: TcpStream, channel: Channel) -> Self {
        let tcp = Arc::new(tcp);
        Self {
            hash: channel.hash,
            peer: channel.peer,
            reader: RecordReader::new(Arc::clone(&tcp), channel.opener),
            writer: RecordWriter::new(tcp, channel.sealer),
        }
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// Any error is the last word of this direction.
    pub async fn send(&mut self, frame: &Frame<'_>) -> Result<(), LinkError> {
        self.writer.push(|out| frame.encode_into(out))?;
        self.writer.flush().await
    }

    /// Seals one frame that leaves together with whatever is sent next: for a frame that something follows at once, since each
    /// write to the socket wakes everybody on the way.
    ///
    /// # Errors
    /// Any error is the last word of this direction.
    pub fn send_with_next(&mut self, frame: &Frame<'_>) -> Result<(), LinkError> {
        self.writer.push(|out| frame.encode_into(out))
    }

    /// The next frame. Safe to abandon. Answers no pings: the caller does.
    ///
    /// # Errors
    /// `Lost` at the end of the connection; any error is the last word of this direction.
    pub async fn recv(&mut self) -> Result<Record, LinkError> {
        let record = self.reader.recv_record().await?;
        Frame::decode(&record)?;
        Ok(Record(record))
    }

    /// Sends one record that is not a frame.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_record(&mut self, plaintext: &[u8]) -> Result<(), LinkError> {
        self.writer.send_record(plaintext).await
    }

    /// The next record, whatever it is. Safe to abandon.
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub async fn recv_record(&mut self) -> Result<Vec<u8>, LinkError> {
        self.reader.recv_record().await
    }

    /// What is under the channel, for its options: whoever reads or writes there breaks it.
    #[must_use]
    pub fn socket(&self) -> Arc<TcpStream> {
        self.writer.tcp()
    }

    /// The two directions, for two tasks.
    #[must_use]
    pub fn into_split(self) -> (RecordReader, RecordWriter) {
        (self.reader, self.writer)
    }

    /// Plain bytes over the records, with authenticated ends.
    #[must_use]
    pub fn into_stream(self) -> SecureStream {
        SecureStream::new(self)
    }

    pub(crate) fn into_parts(self) -> (Facts, RecordReader, RecordWriter) {
        let facts = Facts {
            hash: self.hash,
            peer: self.peer,
        };
        (facts, self.reader, self.writer)
    }

    pub(crate) fn from_parts(facts: Facts, reader: RecordReader, writer: RecordWriter) -> Self {
        Self {
            hash: facts.hash,
            peer: facts.peer,
            reader,
            writer,
        }
    }
}
