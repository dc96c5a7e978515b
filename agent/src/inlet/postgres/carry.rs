//! Bytes both ways between a program and its portal, as at the outlet between portal and database.
//! The two loops look alike and differ in every end: here a broken portal must still become a sentence.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use tidegate_link::{Portal, PortalControl, PortalError};
use tidegate_postgres::{Inflow, Outflow};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::select;
use tokio::time::timeout;

use super::first::Line;
use crate::inlet::door::Door;
use crate::inlet::visit::VisitEnd;
use crate::{Code, Problem};

/// How long a message under way may take to end once the connection is over.
const FINISH_LIMIT: Duration = Duration::from_millis(500);

/// How it came to an end.
pub(super) enum Carried {
    ProgramLost,
    /// The other side closed in good order, and everything it said has been passed on.
    PortalEnded,
    PortalBroke(PortalError),
    Closed(Problem),
}

/// Which end of a copy broke.
enum Broken {
    Program,
    Portal(io::Error),
}

/// The two ends, and what is between them.
pub(super) struct Carry {
    pub(super) line: Line,
    pub(super) portal: Portal,
    inflow: Inflow,
    outflow: Outflow,
}

impl Carry {
    pub(super) fn new(line: Line, portal: Portal, outflow: Outflow) -> Self {
        Self {
            line,
            portal,
            inflow: Inflow::starting_with(Vec::new()),
            outflow,
        }
    }

    pub(super) async fn run(&mut self, closed: impl Future<Output = Problem>) -> Carried {
        let (mut from_program, mut to_program) = tokio::io::split(&mut self.line);
        let (mut from_portal, mut to_portal) = tokio::io::split(&mut self.portal);
        let mut up = pin!(carry_up(
            &mut from_program,
            &mut to_portal,
            &mut self.inflow
        ));
        let mut down = pin!(carry_down(
            &mut from_portal,
            &mut to_program,
            &mut self.outflow
        ));
        let mut closed = pin!(closed);
        let mut up_is_over = false;
        loop {
            let end = select! {
                biased;
                why = &mut closed => return Carried::Closed(why),
                end = &mut up, if !up_is_over => end,
                end = &mut down => match end {
                    Ok(()) => return Carried::PortalEnded,
                    broken => broken,
                },
            };
            match end {
                // An answer may still come.
                Ok(()) => up_is_over = true,
                Err(Broken::Program) => return Carried::ProgramLost,
                Err(Broken::Portal(error)) => return Carried::PortalBroke(portal_error(&error)),
            }
        }
    }

    /// Lets the message under way end, which only the portal can do, and says `words`.
    pub(super) async fn finish(&mut self, words: Vec<u8>) {
        self.outflow.finish_with(words);
        let finished = carry_down(&mut self.portal, &mut self.line, &mut self.outflow);
        // Out of time or broken: the program sees the connection close, which is true.
        let _ = timeout(FINISH_LIMIT, finished).await;
    }

    /// As `finish`, when nothing more comes out of the portal.
    pub(super) async fn finish_alone(&mut self, words: Vec<u8>) {
        self.outflow.finish_with(words);
        let finished = carry_down(tokio::io::empty(), &mut self.line, &mut self.outflow);
        let _ = timeout(FINISH_LIMIT, finished).await;
    }

    /// Nothing that the program still says can arrive: finishes our direction too, so that the circuit can be used again.
    pub(super) async fn finish_portal(&mut self) {
        let _ = timeout(FINISH_LIMIT, self.portal.shutdown()).await;
    }

    /// An outlet that ends a session tells the program in its own protocol, and us beside it.
    pub(super) fn end_told_beside(&self, door: &Door) -> VisitEnd {
        let told =
            newest_notice(&self.portal.control()).filter(|_| self.outflow.ends_with_an_error());
        match told.and_then(|(number, _)| Code::try_from(number).ok()) {
            Some(code) => VisitEnd::Ended(Problem::new(code).service(door.service())),
            None => VisitEnd::Finished,
        }
    }

    /// Whether the program said goodbye, or was told why already.
    pub(super) fn needs_no_words(&self) -> bool {
        self.inflow.has_terminated() || self.outflow.ends_with_an_error()
    }
}

/// The newest line that is there already.
fn newest_notice(control: &PortalControl) -> Option<(u16, String)> {
    std::iter::from_fn(|| control.next_notice().now_or_never().flatten()).last()
}

fn portal_error(error: &io::Error) -> PortalError {
    PortalError::of(error).unwrap_or(PortalError::CircuitLost)
}

/// Program to portal; closes that direction at the program's end.
async fn carry_up(
    mut program: impl AsyncRead + Unpin,
    mut portal: impl AsyncWrite + Unpin,
    flow: &mut Inflow,
) -> Result<(), Broken> {
    loop {
        while !flow.pending().is_empty() {
            let count = wrote(portal.write(flow.pending()).await).map_err(Broken::Portal)?;
            flow.written(count);
        }
        let read = read_on(&mut program, &mut portal, flow.space()).await;
        match read.map_err(Broken::Portal)? {
            Ok(0) => return portal.shutdown().await.map_err(Broken::Portal),
            Ok(count) => flow.filled(count),
            Err(_) => return Err(Broken::Program),
        }
    }
}

/// Portal to program, until the portal's end or until the last words are said.
async fn carry_down(
    mut portal: impl AsyncRead + Unpin,
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
        let read = read_on(&mut portal, &mut program, flow.space()).await;
        match read.map_err(|_| Broken::Program)? {
            Ok(0) => return Ok(()),
            Ok(count) => flow.filled(count),
            Err(error) => return Err(Broken::Portal(error)),
        }
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
