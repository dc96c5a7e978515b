//! What may lie where, how long a file may be, and what every file must and must not say.
//! Only files under version control count: what lies around untracked is nobody's house.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{
    code_contains, is_code, is_test, read, root, rust_files, tracked, without_tests,
};

/// Everything that may lie at the top of the tree.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "agent",
    "docs",
    "icons",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src-tauri",
    "tests",
    "ui",
];

const LONGEST_FILE: usize = 450;
const LONGEST_GLUE: usize = 600;

/// Files that may be longer, and why splitting them would make them worse.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[(
    "agent/proto/src/words.rs",
    "one table: every sentence for people is in one place, so that they are read together",
)];

/// Words of a pure crate's source that would mean it asks the machine for something.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "files are read by whoever calls"),
    ("std::net::Tcp", "sockets belong to link"),
    ("SystemTime::now", "time is a parameter"),
    ("Instant::now", "time is a parameter"),
    ("std::env::", "configuration is a parameter"),
    ("rand::fill", "randomness is a parameter"),
    ("SystemRandom", "randomness is a parameter"),
    ("DecapsulationKey::generate", "randomness is a parameter"),
];

/// Where the words of [`IMPURE`] may stand all the same.
const IMPURE_FOR_A_REASON: &[(&str, &str, &str)] = &[
    (
        "agent/proto/src/entropy.rs",
        "rand::fill",
        "it is what callers pass in to allow randomness",
    ),
    (
        "agent/proto/src/channel/pq.rs",
        "DecapsulationKey::generate",
        "aws-lc's ML-KEM takes no entropy",
    ),
];

#[test]
fn nothing_lies_at_the_top_of_the_tree_but_what_belongs_there() {
    let top: BTreeSet<String> = tracked()
        .iter()
        .map(|file| file.split('/').next().unwrap().to_owned())
        .collect();

    for entry in top {
        assert!(
            TOP.contains(&entry.as_str()),
            "{entry} lies at the top of the tree; see \"The house\" in README.md"
        );
    }
}

#[test]
fn files_are_short_enough_to_be_one_idea() {
    let long: BTreeMap<&str, &str> = LONG_FOR_A_REASON.iter().copied().collect();
    for name in long.keys() {
        assert!(
            tracked().iter().any(|file| file == name),
            "{name} is excused but does not exist"
        );
    }

    for file in tracked()
        .iter()
        .filter(|file| is_code(file) && !is_test(file))
    {
        let lines = without_tests(&read(file)).lines().count();
        assert!(
            lines <= LONGEST_FILE || long.contains_key(file.as_str()),
            "{file} has {lines} lines: which two ideas is it?"
        );
    }
}

#[test]
fn every_rust_file_says_first_what_it_is_for() {
    let dumb: Vec<String> = rust_files()
        .into_iter()
        .filter(|file| !introduces_itself(file, &read(file)))
        .collect();

    assert!(
        dumb.is_empty(),
        "`//!` lines, what for and (except in tests) what a newcomer gets wrong, are missing in:\n{}",
        dumb.join("\n")
    );
}

fn introduces_itself(file: &str, text: &str) -> bool {
    let mut lines = text.lines();
    let (first, second) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let purpose = first.starts_with("//! ") && !first.contains("Placeholder");
    purpose && (second.starts_with("//!") || is_test(file) || file.starts_with("tests/tests/"))
}

#[test]
fn the_glue_stays_glue() {
    let glue = rust_files()
        .into_iter()
        .filter(|file| file.starts_with("src-tauri/") && !file.starts_with("src-tauri/app/"));
    let lines: usize = glue.map(|file| read(&file).lines().count()).sum();

    assert!(
        lines < LONGEST_GLUE,
        "src-tauri has {lines} lines: something in it is a decision and belongs into app"
    );
}

#[test]
fn no_file_tells_where_it_was_written() {
    // Put together here, so that this file does not contain what it forbids.
    let machine = [
        ["/wo", "rk/"].concat(),
        ["mcp", "__"].concat(),
        [".lib", "rary/"].concat(),
        [".mir", "ror/"].concat(),
    ];
    let here = root();
    let here = here.to_string_lossy();

    for file in tracked()
        .iter()
        .filter(|file| !file.ends_with(".png") && !file.ends_with(".ico"))
    {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else {
            continue;
        };
        for word in machine.iter().map(String::as_str).chain([&*here]) {
            assert!(!text.contains(word), "{file} contains {word}");
        }
        assert!(
            !(file.ends_with("package-lock.json") && text.contains("\"resolved\": \"http")),
            "{file} names a registry's host"
        );
    }
}

#[test]
fn the_pure_crates_ask_the_machine_for_nothing() {
    for folder in ["agent/proto/src", "agent/postgres/src"] {
        for file in rust_files()
            .into_iter()
            .filter(|file| file.starts_with(folder) && !is_test(file))
        {
            let text = without_tests(&read(&file));
            for (word, reason) in IMPURE {
                let excused = IMPURE_FOR_A_REASON
                    .iter()
                    .any(|(path, what, _)| *path == file && what == word);
                let says = code_contains(&text, word);
                assert!(!says || excused, "{file} says {word}: {reason}");
                assert!(says || !excused, "{file} no longer says {word}");
            }
        }
    }
}
