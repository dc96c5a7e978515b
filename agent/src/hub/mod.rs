//! The agent's life with its hub: enrolment, credential, catalogue, events, relays.
//! A newcomer would poll: the authority pushes, and only silence is measured.

pub(crate) mod access;
pub(crate) mod api;
mod beacon;
pub(crate) mod greeting;
pub(crate) mod keeper;
mod renewal;
pub(crate) mod report;
pub(crate) mod trust;
