//! Awaits its owner.
