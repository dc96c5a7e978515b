//! One task per org that owns its state: orders and reports in, its part of the snapshot out; and the household above them.
//! A newcomer would share the state behind a lock: nothing here is shared, everybody else sends a message.

mod access;
mod account;
mod board;
mod devices;
mod door;
mod effects;
mod forgetting;
mod household;
mod joining;
mod keeping;
mod leaving;
mod membership;
mod orders;
mod owner;
mod rights;
mod services;
mod signing_in;
mod sockets;
mod state;
mod troubles;
mod view;
mod waking;

pub(crate) use board::Board;
pub(crate) use forgetting::Forgotten;
pub(crate) use household::{Household, ORDERS, Route};
pub(crate) use orders::{Answered, Order};
pub(crate) use owner::Kit;
pub(crate) use sockets::Sockets;
