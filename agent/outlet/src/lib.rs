//! What runs beside a service: dials out only, checks everything itself, and holds the last word on who may connect.
//! Nothing opens a socket to a target but `dial::open`, and it takes a `Permit`, which only policy evaluation makes.

pub mod audit;
mod authority;
mod circuit;
pub mod clock;
pub mod config;
pub mod control;
pub mod dial;
pub mod doctor;
pub mod enrolment;
mod grants;
pub mod keys;
pub mod kill;
mod known;
mod links;
pub mod login;
mod outlet;
mod owner;
pub mod postgres;
mod premises;
mod provider_keys;
mod relays;
pub mod target_tls;

pub use config::OutletConfig;
pub use known::KeptError;
pub use outlet::{Outlet, StartError};
pub use owner::OwnerError;

#[cfg(test)]
mod testing;
