//! The table of bad inputs: every one has a test that exists, or a reason why it has to wait.
//! The names are looked up in the sources, so a renamed test breaks this one and the table stays true.

use std::collections::BTreeSet;

use crate::tree::{read, rust_files, tracked};

#[test]
fn every_bad_input_has_a_test_or_a_reason() {
    let table: toml::Table = read("tests/bad_inputs.toml").parse().unwrap();
    let tests = all_test_names();

    let asked = (1..=49).chain(60..=68).map(|id: u32| id.to_string());
    let all: BTreeSet<String> = table.keys().cloned().chain(asked).collect();
    for id in all {
        let entry = table.get(&id).and_then(|entry| entry.as_table());
        let entry =
            entry.unwrap_or_else(|| panic!("bad input {id} is not in tests/bad_inputs.toml"));
        let words = |key: &str| {
            entry
                .get(key)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        assert!(
            !words("what").is_empty(),
            "bad input {id} does not say what it is"
        );
        let names = tests_of(entry);
        assert!(
            !names.is_empty() || words("deferred").len() > 20,
            "bad input {id} has neither a test nor a reason"
        );
        for name in names {
            assert!(
                tests.contains(name),
                "bad input {id} names the test {name}, which does not exist"
            );
        }
    }
}

/// `test = "…"` or `tests = ["…"]`.
pub(crate) fn tests_of(entry: &toml::Table) -> Vec<&str> {
    match entry.get("tests").or_else(|| entry.get("test")) {
        Some(toml::Value::Array(names)) => names.iter().filter_map(|name| name.as_str()).collect(),
        Some(toml::Value::String(name)) => vec![name],
        _ => Vec::new(),
    }
}

/// Names of all test functions, of the steps of plays, and of the window's tests.
pub(crate) fn all_test_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in rust_files() {
        let text = read(&file);
        if file.starts_with("tests/tests/") {
            names.extend(quoted(&text).filter(|words| words.matches('_').count() > 2));
        }
        let mut after_attribute = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                after_attribute = true;
            } else if after_attribute
                && let Some(rest) = line
                    .strip_prefix("async ")
                    .unwrap_or(line)
                    .strip_prefix("fn ")
            {
                names.insert(rest.split(['(', '<']).next().unwrap().to_owned());
                after_attribute = false;
            } else if line.starts_with("fn ") && text.contains("proptest!") {
                names.insert(line[3..].split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
    for file in tracked().iter().filter(|file| file.ends_with(".test.ts")) {
        let text = read(file);
        let tests = text.match_indices("test(\"");
        let named = tests.filter_map(|(at, before)| text[at + before.len()..].split('"').next());
        names.extend(named.map(str::to_owned));
    }
    names
}

/// Whatever stands between quotation marks on one line: steps of plays are named so.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    let lines = text
        .lines()
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    lines.map(str::to_owned)
}
