//! How much anybody may take.
//! Each bound decides what happens when it is reached; none of them is "wait".

/// Bounds of a relay.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that shake hands and have shown no pass; the oldest from where most came from makes room.
    /// Each costs about 5 KiB.
    pub strangers: usize,
    /// Links of all pseudonyms; more are refused.
    pub links: usize,
    /// Links of one pseudonym; the oldest makes room, since a laptop that slept dials again before we notice.
    pub links_per_pseudonym: usize,
    /// Circuits of all pseudonyms; more are refused.
    pub circuits: usize,
    /// Circuits that one pseudonym asked for; more are refused.
    pub circuits_per_pseudonym: usize,
    /// Key tunnels of one pseudonym at once; more are refused.
    pub tunnels_per_pseudonym: usize,
    /// Messages that one link may say at once: room for a laptop that opens all its circuits, and then some. A link
    /// that says more is ended; a pass counts as 32, a chain as 1024.
    pub messages_at_once: u32,
    /// So many of them are given back each second.
    pub messages_a_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers: 256,
            links: 16_384,
            links_per_pseudonym: 4,
            circuits: 32_768,
            circuits_per_pseudonym: 4_096,
            tunnels_per_pseudonym: 2,
            messages_at_once: 8192,
            messages_a_second: 1024,
        }
    }
}
