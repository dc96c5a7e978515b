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

/// Names of all tests that run: functions, the steps of plays, and the window's.
pub(crate) fn all_test_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in rust_files() {
        let text = read(&file);
        if file.starts_with("tests/tests/") {
            names.extend(steps(&text));
        }
        names.extend(functions(&text));
    }
    for file in tracked().iter().filter(|file| file.ends_with(".test.ts")) {
        let text = read(file);
        let tests = text.match_indices("test(\"");
        let named = tests.filter_map(|(at, before)| text[at + before.len()..].split('"').next());
        names.extend(named.map(str::to_owned));
    }
    names
}

/// Test functions, also those inside of `proptest!`; one that nobody runs unasked is none.
fn functions(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in text.lines().map(str::trim) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_ignored |= line.starts_with("#[ignore");
        let declared = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = declared.strip_prefix("fn ") {
            if is_test && !is_ignored {
                names.push(rest.split(['(', '<']).next().unwrap().to_owned());
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    names
}

/// What a play calls its steps: the first thing that it hands to `step`.
fn steps(text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .collect();
    let code = code.join("\n");
    let calls = code.split(".step(").skip(1);
    let name = |call: &str| {
        Some(
            call.trim_start()
                .strip_prefix('"')?
                .split('"')
                .next()?
                .to_owned(),
        )
    };
    calls.filter_map(name).collect()
}

#[test]
fn only_what_is_run_counts_as_a_test() {
    let source = r#"
        #[test]
        fn runs() {}
        #[tokio::test(start_paused = true)]
        async fn runs_too() {}
        #[test]
        #[ignore = "started by another"]
        fn waits_to_be_started() {}
        fn helps_others_a_lot() {}
    "#;
    let play = r#"
        // .step("only_in_a_comment", x)
        let words = "not_a_step_at_all";
        narrator
            .step(
                "she_connects_and_reads",
                connects(world),
            )
            .await?;
        let _ = narrator.step("on_one_line", quick(world)).await;
    "#;

    assert_eq!(functions(source), ["runs", "runs_too"]);
    assert_eq!(steps(play), ["she_connects_and_reads", "on_one_line"]);
}
