//! `[[relay]]` in org.toml: relays beside the one in the hub. Every catalogue entry names all of them.
//! An outlet keeps a link to each, and an agent takes the first that is up, so the hub's own comes first.

use tidegate_link::settings_file::Reader;
use tidegate_proto::statement::Relay;

/// Most relays that a catalogue entry may name.
const MOST: usize = 8;

/// The hub's and all others, as the entries will name them.
pub(super) fn relays(top: &mut Reader<'_>, hub: Option<Relay>) -> Vec<Relay> {
    let mut relays: Vec<Relay> = hub.into_iter().collect();
    for mut table in top.optional_tables("relay", "[[relay]] with address and noise, for each") {
        let address = table.parsed(
            "address",
            "host and port: address = \"relay.example.com:7443\"",
        );
        let printed = "the key that `tidegate relay keys` printed on the relay";
        let noise = table.parsed("noise", printed);
        if let (Some(address), Some(noise)) = (address, noise) {
            let relay = Relay { address, noise };
            note_doubles(&table, &relays, &relay);
            relays.push(relay);
        }
        table.finish();
    }
    if relays.len() > MOST {
        let fix = "at most seven beside the hub's own";
        top.note("relay", "there are too many", fix);
    }
    relays
}

fn note_doubles(table: &Reader<'_>, relays: &[Relay], relay: &Relay) {
    if relays.iter().any(|other| other.address == relay.address) {
        let fix = "give each relay, and the hub, an address of its own";
        table.note("address", "another relay has this address", fix);
    }
    if relays.iter().any(|other| other.noise == relay.noise) {
        let fix = "run `tidegate relay keys` on each relay, and never copy a key";
        table.note("noise", "another relay has this key", fix);
    }
}
