//! The door on the laptop: a listener on localhost for one service.
//! A newcomer would bind first and ask later: nothing is dialled for a program before it is known to be our own user's.

pub(crate) mod bind;
pub(crate) mod host;
pub(crate) mod listen;
pub(crate) mod postgres;
mod tcp;
pub(crate) mod visit;
