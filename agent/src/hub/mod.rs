//! The agent's life with its hub: enrolment, credential, catalogue, events, relays.
//! A newcomer would poll: the authority pushes, and only silence is measured.

pub(crate) mod access;
pub(crate) mod api;
pub(crate) mod renewal;
