//! Thieves with the real things: each attack takes what it names from a running company, and nothing opens.
//! Everything is real but the network: authority, relay, outlet and a target that counts who came, in this process on loopback.
#![allow(clippy::unwrap_used, dead_code)] // of what other tests' supports offer, only a part is used

#[path = "../../agent/authority/tests/api/support/client.rs"]
mod client;
#[path = "attacks/company.rs"]
mod company;
#[path = "attacks/deaf_relay.rs"]
mod deaf_relay;
#[path = "attacks/hostile_relay.rs"]
mod hostile_relay;
#[path = "attacks/hub.rs"]
mod hub;
#[path = "attacks/kept.rs"]
mod kept;
#[path = "attacks/laptop.rs"]
mod laptop;
#[path = "attacks/lying_hub.rs"]
mod lying_hub;
#[path = "../../agent/authority/tests/api/support/org.rs"]
mod org;
#[path = "attacks/papers.rs"]
mod papers;
#[path = "../../agent/authority/tests/api/support/provider.rs"]
mod provider;
#[path = "attacks/resumed.rs"]
mod resumed;
#[path = "attacks/revocation.rs"]
mod revocation;
#[path = "attacks/stolen_ends.rs"]
mod stolen_ends;
#[path = "attacks/stolen_hub.rs"]
mod stolen_hub;
#[path = "attacks/stolen_keys.rs"]
mod stolen_keys;
#[path = "attacks/stolen_papers.rs"]
mod stolen_papers;
#[path = "attacks/target.rs"]
mod target;
#[path = "attacks/unknown_or_forbidden.rs"]
mod unknown_or_forbidden;
#[path = "attacks/wire.rs"]
mod wire;
