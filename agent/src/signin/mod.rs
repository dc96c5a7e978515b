//! Sign-in: the system browser, the provider, and the session that comes back.
//! The ID token's nonce commits to this device's identity key: a token that was stolen on the way is useless with any other key.

pub(crate) mod browser;
mod code_flow;
pub(crate) mod flow;
pub(crate) mod goodbye;
pub(crate) mod http;
pub(crate) mod page;
pub(crate) mod porch;
pub(crate) mod provider;
pub(crate) mod redirect;
pub(crate) mod refresh;
mod request;
pub(crate) mod tokens;
