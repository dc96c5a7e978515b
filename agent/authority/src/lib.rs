//! The authority: turns a verified sign-in on an enrolled device into a credential, and says who may no longer.
//! It is online and can be broken into, so nothing in here can grant access by itself: the org root key is never here.

mod access;
mod audit;
mod authority;
mod caller;
mod calls;
mod clock;
mod connection;
mod core;
mod in_force;
mod introductions;
mod keys;
mod pace;
mod patience;
mod provider_keys;
mod refusal;
mod signs;
pub mod store;
mod veil;

pub use audit::AuditError;
pub use authority::{Authority, AuthorityConfig, OpenError};
pub use clock::{Clock, SystemClock};
pub use in_force::{Anchor, BundleError, Change};
pub use keys::{AuthorityKeys, AuthorityPublic, KeysError};
