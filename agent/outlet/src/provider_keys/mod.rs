//! The identity provider's signing keys at an outlet that may have no way to the internet but the relay's tunnel.
//! The authority never mirrors them: whoever holds the hub must not be able to invent a person.

pub use tidegate_link::provider::FetchError;
