//! Tokio under the PostgreSQL wire: bytes both ways between a program and a server, until one of them ends or somebody ends both.
//! An inlet's server is a portal, an outlet's is the database; what their ends mean is for the caller to say.

mod copy;
mod say;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use copy::{Broken, down, up};
pub use say::{ending, refusing, say};
use tidegate_postgres::{Inflow, Outflow};
use tidegate_proto::problem::Problem;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a message under way may take to end once the connection is over.
pub const FINISH_LIMIT: Duration = Duration::from_millis(500);
/// How long the other end may take to read its last words.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// How long a server that takes nothing more may still say why. It said it before it closed, so only what is lost on the
/// way and sent again can be late; a portal's peer gets as long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a session came to an end.
#[derive(Debug)]
pub enum Carried<Why> {
    /// The program, or the way to it, broke.
    ProgramLost,
    /// The server closed in good order, and everything it said has been passed on.
    ServerEnded,
    /// The way to the server broke; everything that had come before has been passed on.
    ServerBroke(io::Error),
    Ended(Why),
}

/// The two ends, and what is between them. Each direction closes by itself: an answer that comes after the program's
/// last word is not lost.
pub struct Carry<P, S> {
    program: P,
    server: S,
    inflow: Inflow,
    outflow: Outflow,
}

impl<P, S> Carry<P, S>
where
    P: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// `outflow` may hold what the server has said already.
    pub fn new(program: P, server: S, inflow: Inflow, outflow: Outflow) -> Self {
        Self {
            program,
            server,
            inflow,
            outflow,
        }
    }

    /// Carries until the end. Both ends stay open: what happens to them is the caller's to decide.
    pub async fn run<Why>(&mut self, ended: impl Future<Output = Why>) -> Carried<Why> {
        let (mut from_program, mut to_program) = tokio::io::split(&mut self.program);
        let (mut from_server, mut to_server) = tokio::io::split(&mut self.server);
        let mut up = pin!(up(&mut from_program, &mut to_server, &mut self.inflow));
        let mut down = pin!(down(&mut from_server, &mut to_program, &mut self.outflow));
        let mut ended = pin!(ended);
        let mut up_is_over = false;
        let mut deaf: Option<(io::Error, Instant)> = None;
        loop {
            select! {
                biased;
                why = &mut ended => return Carried::Ended(why),
                end = &mut up, if !up_is_over => match end {
                    Err(Broken::Program) => return Carried::ProgramLost,
                    Ok(()) => up_is_over = true,
                    // What the server says about its own end comes from the other direction.
                    Err(Broken::Server(error)) => {
                        up_is_over = true;
                        deaf = Some((error, Instant::now() + LAST_WORDS));
                    }
                },
                end = &mut down => return match end {
                    Ok(()) => Carried::ServerEnded,
                    Err(Broken::Program) => Carried::ProgramLost,
                    Err(Broken::Server(error)) => Carried::ServerBroke(error),
                },
                error = silence(&mut deaf) => return Carried::ServerBroke(error),
            }
        }
    }

    /// Last call: the program begins nothing new, and what the server is doing goes on until it has answered.
    /// Gives `None` then; a program that has nothing under way is answered already.
    ///
    /// Statements that were sent ahead lie in the server's socket, out of our reach: so the first answer is the last one,
    /// and the caller ends the rest. Only between that answer and the caller's end can the server begin another.
    pub async fn run_out<Why>(&mut self, ended: impl Future<Output = Why>) -> Option<Carried<Why>> {
        self.inflow.last_call();
        let answered = self.outflow.ready_for_query();
        let mut ended = pin!(ended);
        let (mut from_program, mut to_program) = tokio::io::split(&mut self.program);
        let (mut from_server, mut to_server) = tokio::io::split(&mut self.server);
        let (mut up_is_over, mut deaf) = (false, None);
        loop {
            let ready = self.outflow.ready_for_query();
            if ready > answered || self.inflow.leaves_idle(ready) {
                return None;
            }
            let up_rests = up_is_over || self.inflow.is_shut();
            select! {
                biased;
                why = &mut ended => return Some(Carried::Ended(why)),
                step = copy::up_once(&mut from_program, &mut to_server, &mut self.inflow), if !up_rests => match step {
                    Err(Broken::Program) => return Some(Carried::ProgramLost),
                    Ok(more) => up_is_over = !more,
                    Err(Broken::Server(error)) => {
                        up_is_over = true;
                        deaf = Some((error, Instant::now() + LAST_WORDS));
                    }
                },
                step = copy::down_once(&mut from_server, &mut to_program, &mut self.outflow) => match step {
                    Ok(true) => {}
                    Ok(false) => return Some(Carried::ServerEnded),
                    Err(Broken::Program) => return Some(Carried::ProgramLost),
                    Err(Broken::Server(error)) => return Some(Carried::ServerBroke(error)),
                },
                error = silence(&mut deaf) => return Some(Carried::ServerBroke(error)),
            }
        }
    }

    /// Lets the message under way end, which only the server can do, and tells the program why.
    pub async fn finish(&mut self, problem: &Problem) {
        self.outflow.finish_with(ending(problem));
        let finished = down(&mut self.server, &mut self.program, &mut self.outflow);
        // Out of time or broken: the program sees the connection close, which is true.
        let _ = timeout(FINISH_LIMIT, finished).await;
    }

    /// As `finish`, when the server has nothing more to say. A program that said goodbye, or that the server has told why,
    /// hears nothing more.
    pub async fn finish_closed(&mut self, problem: &Problem) {
        let words = match self.needs_no_words() {
            true => Vec::new(),
            false => ending(problem),
        };
        self.outflow.finish_with(words);
        let finished = down(tokio::io::empty(), &mut self.program, &mut self.outflow);
        let _ = timeout(FINISH_LIMIT, finished).await;
    }

    fn needs_no_words(&self) -> bool {
        self.inflow.has_terminated() || self.outflow.ends_with_an_error()
    }

    /// Whether the server itself told the program why it ends.
    #[must_use]
    pub fn ends_with_an_error(&self) -> bool {
        self.outflow.ends_with_an_error()
    }

    /// Whether the server has answered everything that the program asked.
    #[must_use]
    pub fn leaves_idle(&self) -> bool {
        self.inflow.leaves_idle(self.outflow.ready_for_query())
    }

    pub fn program(&self) -> &P {
        &self.program
    }

    pub fn server(&mut self) -> &mut S {
        &mut self.server
    }

    #[must_use]
    pub fn into_ends(self) -> (P, S) {
        (self.program, self.server)
    }
}

/// Ends when a server that takes nothing more has been silent about it for too long.
async fn silence(deaf: &mut Option<(io::Error, Instant)>) -> io::Error {
    if let Some((_, until)) = deaf {
        sleep_until(*until).await;
    }
    match deaf.take() {
        Some((error, _)) => error,
        None => std::future::pending().await,
    }
}

/// Closes our direction and reads the other to its end: closing over unread bytes would reset the connection,
/// and a reset takes the last words with it.
pub async fn close(mut end: impl AsyncRead + AsyncWrite + Unpin) {
    let closing = async {
        end.shutdown().await?;
        let mut unread = [0; 4096];
        while end.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(DRAIN_LIMIT, closing).await;
}

#[cfg(test)]
mod tests;
