//! The authority over real TCP, the real channel and a real TLS provider, asked by honest and hostile clients.
//! Every test ends by `Stage::end`, which waits for the task of every connection.
#![allow(clippy::unwrap_used)]

mod access;
mod bundle;
mod credential;
mod door;
mod enrolment;
mod hostile;
mod introduction;
mod introduction_at_once;
mod outlets;
mod provider_trouble;
mod record;
mod revocation;
mod support;
