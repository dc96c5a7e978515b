//! The pipes of a relay, which all of its circuits share: few, lent while bytes are in flight, and never handed on with a byte in
//! them. Whoever gets none copies.

use rustix::{
    fd::OwnedFd,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};
use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::net::TcpStream;

/// Room in a pipe, where the system gives it; 64 KiB otherwise.
const ROOM: usize = 256 * 1024;
/// Pipes at a time. All of one user who is not root may hold 64 MiB.
const MOST: usize = 128;
/// Pipes kept for reuse.
const KEPT: usize = 16;
const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

/// A pipe that holds what is on its way; lent, and given back when it is dropped.
pub(super) struct Pipe {
    ends: Option<Ends>,
    holds: usize,
}

struct Ends {
    out: OwnedFd,
    into: OwnedFd,
}

/// The pipes of this program.
struct Pipes {
    free: Vec<Ends>,
    lent: usize,
}

static PIPES: Mutex<Pipes> = Mutex::new(Pipes {
    free: Vec::new(),
    lent: 0,
});

fn pipes() -> MutexGuard<'static, Pipes> {
    PIPES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    /// None when too many are in use, or the system gives none.
    pub(super) fn take() -> Option<Self> {
        let mut pipes = pipes();
        if pipes.lent >= MOST {
            return None;
        }
        let ends = pipes.free.pop().or_else(|| Ends::make().ok())?;
        pipes.lent += 1;
        Some(Self {
            ends: Some(ends),
            holds: 0,
        })
    }

    /// How much is on its way.
    pub(super) fn holds(&self) -> usize {
        self.holds
    }

    /// Takes in what a socket has. Only when it holds nothing: then it is the socket that has no more, not the pipe no room.
    pub(super) fn fill(&mut self, from: &TcpStream) -> io::Result<usize> {
        let ends = self.ends.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        self.holds = splice(from, None, &ends.into, None, ROOM, FLAGS)?;
        Ok(self.holds)
    }

    /// Gives a socket what it takes.
    pub(super) fn pour(&mut self, to: &TcpStream) -> io::Result<usize> {
        let ends = self.ends.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let poured = splice(&ends.out, None, to, None, self.holds, FLAGS)?;
        self.holds -= poured;
        Ok(poured)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut pipes = pipes();
        pipes.lent -= 1;
        // Nobody may ever get what was meant for somebody else.
        let empty = self.ends.take().filter(|_| self.holds == 0);
        if let Some(ends) = empty
            && pipes.free.len() < KEPT
        {
            pipes.free.push(ends);
        }
    }
}

impl Ends {
    fn make() -> rustix::io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // It is as right with less room.
        let _ = fcntl_setpipe_size(&into, ROOM);
        Ok(Self { out, into })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::io::ioctl_fionread;
    use std::io::Write as _;

    #[tokio::test]
    async fn a_pipe_that_still_holds_something_is_never_lent_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        far.set_nonblocking(true).unwrap();
        let far = TcpStream::from_std(far).unwrap();
        near.write_all(b"for one person").unwrap();
        far.readable().await.unwrap();
        let mut pipe = Pipe::take().unwrap();
        assert_eq!(pipe.fill(&far).unwrap(), 14);

        drop(pipe);

        let mut lent: Vec<_> = (0..=KEPT).map(|_| Pipe::take().unwrap()).collect();
        for pipe in &mut lent {
            let ends = pipe.ends.as_ref().unwrap();
            assert_eq!(ioctl_fionread(&ends.out).unwrap(), 0);
        }
        drop(lent);
        assert!(pipes().free.len() <= KEPT);
    }
}
