//! One direction each: everything that was read is written before more is read, and flushed before anybody waits.
//! Which end broke is told apart here, because the two are never the same news.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use tidegate_postgres::{Inflow, Outflow};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Which end of a copy broke.
pub(crate) enum Broken {
    Program,
    Server(io::Error),
}

/// Program to server; closes that direction at the program's end.
pub(crate) async fn up(
    mut program: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    flow: &mut Inflow,
) -> Result<(), Broken> {
    loop {
        while !flow.pending().is_empty() {
            let count = wrote(server.write(flow.pending()).await).map_err(Broken::Server)?;
            flow.written(count);
        }
        let read = read_on(&mut program, &mut server, flow.space()).await;
        match read.map_err(Broken::Server)? {
            Ok(0) => return server.shutdown().await.map_err(Broken::Server),
            Ok(count) => flow.filled(count),
            Err(_) => return Err(Broken::Program),
        }
    }
}

/// Server to program, until the server's end or until the last words are said.
pub(crate) async fn down(
    mut server: impl AsyncRead + Unpin,
    mut program: impl AsyncWrite + Unpin,
    flow: &mut Outflow,
) -> Result<(), Broken> {
    loop {
        while !flow.pending().is_empty() {
            let count = wrote(program.write(flow.pending()).await).map_err(|_| Broken::Program)?;
            flow.written(count);
        }
        if flow.is_over() {
            return program.flush().await.map_err(|_| Broken::Program);
        }
        let read = read_on(&mut server, &mut program, flow.space()).await;
        match read.map_err(|_| Broken::Program)? {
            Ok(0) => {
                flow.server_ended();
                if flow.pending().is_empty() {
                    return Ok(());
                }
            }
            Ok(count) => flow.filled(count),
            Err(error) => return Err(Broken::Server(error)),
        }
    }
}

/// One step of `up`, which may be abandoned at any time: nothing is lost between two of them. Gives whether there is more.
pub(crate) async fn up_once(
    mut program: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    flow: &mut Inflow,
) -> Result<bool, Broken> {
    if !flow.pending().is_empty() {
        let count = wrote(server.write(flow.pending()).await).map_err(Broken::Server)?;
        flow.written(count);
        return Ok(true);
    }
    let read = read_on(&mut program, &mut server, flow.space()).await;
    match read.map_err(Broken::Server)? {
        Ok(0) => server
            .shutdown()
            .await
            .map(|()| false)
            .map_err(Broken::Server),
        Ok(count) => {
            flow.filled(count);
            Ok(true)
        }
        Err(_) => Err(Broken::Program),
    }
}

/// One step of `down`, as `up_once`.
pub(crate) async fn down_once(
    mut server: impl AsyncRead + Unpin,
    mut program: impl AsyncWrite + Unpin,
    flow: &mut Outflow,
) -> Result<bool, Broken> {
    if !flow.pending().is_empty() {
        let count = wrote(program.write(flow.pending()).await).map_err(|_| Broken::Program)?;
        flow.written(count);
        return Ok(true);
    }
    let read = read_on(&mut server, &mut program, flow.space()).await;
    match read.map_err(|_| Broken::Program)? {
        Ok(0) => {
            flow.server_ended();
            Ok(!flow.pending().is_empty())
        }
        Ok(count) => {
            flow.filled(count);
            Ok(true)
        }
        Err(error) => Err(Broken::Server(error)),
    }
}

/// Reads; while there is nothing to read, everything written before is on its way.
async fn read_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    space: &mut [u8],
) -> Result<io::Result<usize>, io::Error> {
    let mut reading = pin!(from.read(space));
    let at_once = poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(read) = at_once.await {
        return Ok(read);
    }
    to.flush().await?;
    Ok(reading.await)
}

fn wrote(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        other => other,
    }
}
