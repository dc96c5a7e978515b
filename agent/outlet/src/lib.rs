//! What runs beside a service: dials out only, checks everything itself, and holds the last word on who may connect.
//! Nothing opens a socket to a target but `dial::open`, and it takes a `Permit`, which only policy evaluation makes.

pub mod audit;
mod backoff;
pub mod clock;
pub mod config;
pub mod control;
pub mod keys;
pub mod kill;
pub mod login;
pub mod postgres;
pub mod provider_keys;
pub mod target_tls;

#[cfg(test)]
mod testing;
