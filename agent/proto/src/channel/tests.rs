//! Awaits.
