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

/// A Rust file without its tests: neither the module at its end, nor the lines that name files of tests.
pub(crate) fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        // What stands between the two says where the file is.
        let attributes: Vec<_> =
            std::iter::from_fn(|| lines.next_if(|l| l.starts_with("#["))).collect();
        match lines.peek() {
            Some(module) if module.starts_with("mod ") && module.ends_with('{') => break,
            Some(module) if module.starts_with("mod ") => drop(lines.next()),
            _ => {
                kept.push(line);
                kept.extend(attributes);
            }
        }
    }
    kept.join("\n") + "\n"
}

#[test]
fn code_behind_the_name_of_a_file_of_tests_is_seen() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nfn one() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod x;\n\
                #[cfg(test)]\nfn two() {}\n#[cfg(test)]\nmod tests {\n    fn three() {}\n}\n";

    let seen = without_tests(text);

    assert_eq!(seen, "use a;\nfn one() {}\n#[cfg(test)]\nfn two() {}\n");
}

pub(crate) fn code_contains(text: &str, word: &str) -> bool {
    text.lines()
        .any(|line| !line.trim_start().starts_with("//") && line.contains(word))
}
