//! The tree as git sees it, and its files as text.
//! Shared by the rules beside it; it holds no rule itself.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Files under version control: what lies around untracked is nobody's house.
pub(crate) fn tracked() -> Vec<String> {
    let answer = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(answer.stdout).unwrap();
    let names: Vec<String> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 50, "git lists only {} files", names.len());
    names
        .into_iter()
        .filter(|name| root().join(name).exists())
        .collect()
}

pub(crate) fn rust_files() -> Vec<String> {
    tracked()
        .into_iter()
        .filter(|file| file.ends_with(".rs"))
        .collect()
}

pub(crate) fn is_code(file: &str) -> bool {
    [".rs", ".ts", ".svelte", ".mjs", ".py"]
        .iter()
        .any(|ending| file.ends_with(ending))
}

pub(crate) fn is_test(file: &str) -> bool {
    file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.ends_with(".test.ts")
        || file.contains("/testing")
}

/// The part of a Rust file before its tests.
pub(crate) fn without_tests(text: &str) -> String {
    text.split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn code_contains(text: &str, word: &str) -> bool {
    text.lines()
        .any(|line| !line.trim_start().starts_with("//") && line.contains(word))
}
