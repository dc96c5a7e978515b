//! The one task that owns the agent's state: orders and reports in, a whole snapshot out.
//! A newcomer would share the state behind a lock: nothing here is shared, everybody else sends a message.

mod account;
mod door;
mod forgetting;
mod membership;
mod orders;
mod owner;
mod services;
mod state;
mod view;

pub(crate) use orders::Order;
pub(crate) use owner::{Outside, Owner};
