//! Which names this computer keeps on disk: whoever replaces them in a text needs all of them, also when no agent answers.
//! Nothing is verified and nothing refused: a damaged or foreign file gives what can be read of it, for a name too many does no harm.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{LEFT, LIMIT, STATE};

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameOf {
    Org,
    /// Host, with or without a port.
    Hub,
    /// Host, with or without a port.
    Relay,
    Device,
    Person,
    Service,
    Title,
    Database,
    /// Of a program that somebody chose.
    Program,
}

/// The names in the files of `data`, the agent's data directory; in no order, some of them more than once.
#[must_use]
pub fn names_on_disk(data: &Path) -> Vec<(NameOf, String)> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(data.join("orgs")).into_iter().flatten();
    for entry in entries.flatten() {
        let org = entry.file_name().to_string_lossy().into_owned();
        names.push((NameOf::Org, org));
        for file in [STATE, LEFT] {
            names.extend(json(&entry.path().join(file)).iter().flat_map(of_org));
        }
    }
    // The one org of an older version.
    names.extend(json(&data.join(STATE)).iter().flat_map(of_org));
    let given = json(&data.join("ports.json"));
    let given = given.iter().filter_map(Value::as_object).flatten();
    names.extend(given.flat_map(|(service, _)| of_service(service)));
    names.retain(|(_, name)| !name.is_empty());
    names
}

/// `acme/warehouse` or `warehouse`.
#[must_use]
pub fn of_service(name: &str) -> Vec<(NameOf, String)> {
    match name.split_once('/') {
        Some((org, service)) => vec![
            (NameOf::Org, org.to_owned()),
            (NameOf::Service, service.to_owned()),
        ],
        None => vec![(NameOf::Service, name.to_owned())],
    }
}

fn json(path: &Path) -> Option<Value> {
    let found = std::fs::metadata(path).ok()?;
    if !found.is_file() || found.len() > LIMIT as u64 {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn of_org(state: &Value) -> Vec<(NameOf, String)> {
    let mut names = texts(
        state,
        &[
            (NameOf::Org, "org"),
            (NameOf::Hub, "hub"),
            (NameOf::Device, "device"),
            (NameOf::Person, "last"),
        ],
    );
    for promised in all(state, "promised") {
        let fields = [(NameOf::Service, "service"), (NameOf::Title, "title")];
        names.extend(texts(promised, &fields));
    }
    for entry in all(state, "services") {
        let statement = entry["jws"].as_str().and_then(payload);
        names.extend(statement.iter().flat_map(of_statement));
    }
    names
}

/// A service as its organisation signed it.
fn of_statement(statement: &Value) -> Vec<(NameOf, String)> {
    let mut names = texts(
        statement,
        &[
            (NameOf::Service, "service"),
            (NameOf::Title, "title"),
            (NameOf::Database, "database"),
        ],
    );
    for relay in all(statement, "relays") {
        names.extend(texts(relay, &[(NameOf::Relay, "address")]));
    }
    names
}

fn texts(value: &Value, fields: &[(NameOf, &str)]) -> Vec<(NameOf, String)> {
    let text = |(of, field): &(NameOf, &str)| Some((*of, value[*field].as_str()?.to_owned()));
    fields.iter().filter_map(text).collect()
}

fn all<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn payload(jws: &str) -> Option<Value> {
    let encoded = jws.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_found_in_whole_files_and_beside_damaged_ones() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path();
        let (whole, damaged) = (data.join("orgs/acme"), data.join("orgs/beta"));
        std::fs::create_dir_all(&whole).unwrap();
        std::fs::create_dir_all(&damaged).unwrap();
        let signed = r#"{"service":"ledger","title":"The books","database":"gl","relays":[{"address":"relay.other.example:443"}]}"#;
        let jws = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(signed));
        let state = format!(
            r#"{{"org":"acme","hub":"hub.acme.example:443","device":"Ana's laptop","last":"ana@acme.example","services":[{{"jws":"{jws}"}}]}}"#
        );
        std::fs::write(whole.join(STATE), state).unwrap();
        std::fs::write(damaged.join(STATE), "{").unwrap();
        std::fs::write(data.join("ports.json"), r#"{"beta/orders":{}}"#).unwrap();

        let mut found: Vec<_> = names_on_disk(data)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        found.sort();
        found.dedup();

        let expected = [
            "Ana's laptop",
            "The books",
            "acme",
            "ana@acme.example",
            "beta",
            "gl",
            "hub.acme.example:443",
            "ledger",
            "orders",
            "relay.other.example:443",
        ];
        assert_eq!(found, expected);
        assert!(names_on_disk(&data.join("nowhere")).is_empty());
    }
}
