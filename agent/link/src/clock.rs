//! The wall clock, where tokio meets the protocol.
//! The protocol itself never asks for the time; its callers pass this in.

use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_proto::time::UnixTime;

/// Now. A clock that stands before 1970 reads as 1970, when nothing is valid yet.
#[must_use]
pub fn now() -> UnixTime {
    UnixTime(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs()),
    )
}
