//! A portal that is only bytes: what carries HTTP between an agent or outlet and the authority.
//! Its end is authenticated like a portal's, so a truncated answer is an error and not a short answer.

use crate::{Portal, Secure};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tidegate_proto::{channel::HandshakeHash, identity::NoisePublic};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes over records, both ends authenticated.
pub struct SecureStream {
    pub hash: HandshakeHash,
    pub peer: NoisePublic,
    portal: Portal,
}

impl SecureStream {
    pub(crate) fn new(secure: Secure) -> Self {
        Self {
            hash: secure.hash,
            peer: secure.peer,
            portal: Portal::new(secure),
        }
    }
}

impl AsyncRead for SecureStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.portal).poll_read(cx, buf)
    }
}

impl AsyncWrite for SecureStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.portal).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.portal).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.portal).poll_shutdown(cx)
    }
}
