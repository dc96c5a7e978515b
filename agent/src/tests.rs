//! Whole agents at a hub that does what the test says: connect, carry, disconnect, lose access, end.
//! Real sockets, real handshakes, real files; what is missing is a provider and an outlet that decides.
#![allow(clippy::unwrap_used)]

mod access;
mod adrift;
mod at_once;
mod devices;
mod doors;
mod hostile;
mod household;
#[cfg(target_os = "linux")]
mod keyring;
mod killed;
mod locked;
mod orgs;
mod overtaken;
mod peers;
mod ports;
mod relays;
mod sign_in;
mod sign_in_again;
mod sign_in_code;
