//! What is said inside channels other than portals.
//! Portal frames live in `frame`, because both ends of a portal speak them and a relay never does.

pub mod chain;
pub mod link;
