//! The protocol of Tidegate without sockets, files or a clock: bytes, time and randomness are parameters.
//! Nothing here may ask the operating system; `SystemEntropy` is the one value a caller passes in to allow randomness.
//! One thing draws its own: aws-lc's ML-KEM takes no entropy (`channel::pq`).

pub mod api;
pub mod auth;
pub mod channel;
pub mod check;
pub mod entropy;
pub mod event;
pub mod frame;
pub mod grant;
#[cfg(feature = "testing")]
pub mod hostile;
pub mod identity;
pub mod idtoken;
pub mod introduction;
mod jws;
pub mod legs;
pub mod likely;
pub mod names;
pub mod permit;
pub mod policy;
pub mod principal;
pub mod problem;
pub mod refusal;
#[cfg(feature = "testing")]
pub mod rehearsal;
pub mod revocations;
pub mod session;
pub mod span;
pub mod sse;
pub mod statement;
pub mod strict;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code))]
mod testing;
pub mod text;
pub mod time;
pub mod wire;
pub mod words;
