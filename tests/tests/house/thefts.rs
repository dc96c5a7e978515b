//! The table of single thefts in the protocol's README: each thing that can be stolen has tests that steal it.
//! The names are looked up in the sources, so a renamed test breaks this one and the table stays true.

use crate::inputs::all_test_names;
use crate::tree::read;

const PAGE: &str = "agent/proto/PROTOCOL.md";
const HEADING: &str = "### What one theft is worth";

/// Nothing on this list may be missing from the table: the promise is about each of them.
const STOLEN: &[&str] = &[
    "the hub's data directory and its place in the network",
    "the authority's signing key, with a device that was never enrolled",
    "the provider's signing key, with a device that was never enrolled",
    "an ID token",
    "a credential",
    "a circuit token",
    "an outlet's link key and pass",
    "a laptop's device key",
];

#[test]
fn every_single_theft_is_in_the_table_with_tests_that_try_it() {
    let page = read(PAGE);
    let section = page.split(HEADING).nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let tests = all_test_names();

    let stolen: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(stolen, STOLEN, "the table in {PAGE} is another one");
    for row in rows {
        let [stolen, _, stopped_by, proved_by] = row[..] else {
            panic!("a row of the table has four cells: {row:?}");
        };
        assert!(!stopped_by.is_empty(), "what stops {stolen}?");
        let names: Vec<&str> = proved_by.split('`').skip(1).step_by(2).collect();
        assert!(
            !names.is_empty(),
            "nothing proves that {stolen} is not enough"
        );
        for name in names {
            assert!(
                tests.contains(name),
                "{stolen}: there is no test called {name}"
            );
        }
    }
}
