//! The authority: turns a verified sign-in on an enrolled device into a credential, and says who may no longer.
//! It is online and can be broken into, so nothing in here can grant access by itself: the org root key is never here.

mod clock;
mod keys;
pub mod store;
mod veil;

pub use clock::{Clock, SystemClock};
pub use keys::{AuthorityKeys, AuthorityPublic, KeysError};
