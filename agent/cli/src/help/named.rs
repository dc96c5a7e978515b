//! Every command that our own words tell somebody to run is one that this program takes.
//! A newcomer would trust the sentence: a verb is renamed, an option becomes required, and the advice is refused.

use std::path::{Path, PathBuf};

use clap::Command;
use tidegate_agent::{Code, words};
use tidegate_proto::problem::Problem;

use super::command;

/// What the program says in code, and what a person reads beside it.
const PLACES: [&str; 5] = ["agent", "src-tauri", "ui/src", "tests/xtask", "README.md"];

#[test]
fn every_command_that_is_named_anywhere_is_one_that_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tidegate = command();
    let mut found = 0;
    let mut wrong = Vec::new();
    for file in PLACES.iter().flat_map(|place| files(&root.join(place))) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for named in named(&text) {
            found += 1;
            if let Err(why) = taken(&tidegate, &named) {
                wrong.push(format!("{}: `{named}`: {why}", file.display()));
            }
        }
    }
    assert!(found > 150, "only {found} were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_in_the_words_is_one_that_is_taken() {
    let tidegate = command();
    let mut found = 0;
    for code in Code::ALL {
        let words = words(&Problem::new(*code));
        let line = words.line();
        for (at, _) in line.match_indices("tidegate ") {
            let named = line[at..].split(['`', '.', ';', ',', '(']).next();
            let named = named.unwrap_or_default();
            found += 1;
            assert_eq!(taken(&tidegate, named), Ok(()), "{code}: {named}");
        }
    }
    assert!(found > 3, "only {found} were found");
}

/// Commands between backticks, and lines of a page that a person copies.
fn named(text: &str) -> Vec<String> {
    let ticked = text.match_indices("`tidegate ").map(|(at, _)| {
        let rest = &text[at + 1..];
        rest.split(['`', '\n']).next().unwrap_or_default()
    });
    let lines = text.lines().filter_map(|line| {
        let bare = line.trim_start().trim_start_matches("sudo ");
        let at = bare
            .find("tidegate ")
            .filter(|at| *at == 0 || bare.starts_with("-u "))?;
        // What it does is explained behind it.
        let command = bare[at..].split(" #").next().unwrap_or_default();
        Some(command.split("   ").next().unwrap_or_default())
    });
    ticked.chain(lines).map(str::to_owned).collect()
}

/// Whether verbs and options of a command exist, and whether the options that it cannot do without are there once any is.
fn taken(tidegate: &Command, named: &str) -> Result<(), String> {
    let mut words = named.split_whitespace().skip(1).peekable();
    let mut command = tidegate;
    while let Some(verb) = words.peek().and_then(|word| command.find_subcommand(word)) {
        command = verb;
        words.next();
    }
    let rest: Vec<_> = words
        .take_while(|word| *word != "--" && !"|<>&;".contains(*word))
        .collect();
    if rest.first().is_some_and(|word| word.contains('|')) {
        return Ok(()); // several at once
    }
    let is_verb = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    if command.has_subcommands() && rest.first().is_some_and(is_verb) {
        return Err(format!("{} has no {}", command.get_name(), rest[0]));
    }
    let options: Vec<_> = rest
        .iter()
        .filter_map(|word| word.strip_prefix("--"))
        .collect();
    let options: Vec<_> = options.iter().map(|word| trimmed(word)).collect();
    let known = |name: &&str| {
        let all = command.get_arguments().chain(tidegate.get_arguments());
        let usual = ["help", "version"].contains(name);
        usual
            || all
                .filter_map(clap::Arg::get_long)
                .any(|long| long == *name)
    };
    if let Some(unknown) = options.iter().find(|name| !known(name)) {
        return Err(format!("{} has no --{unknown}", command.get_name()));
    }
    let required = command
        .get_arguments()
        .filter(|argument| argument.is_required_set());
    let mut lacking = required
        .filter_map(clap::Arg::get_long)
        .filter(|long| !options.contains(long));
    // A sentence about one option names it alone; a command has a value behind it.
    let is_command = rest.len() > 1;
    match lacking.next() {
        Some(missing) if is_command && !options.is_empty() => Err(format!("it lacks --{missing}")),
        _ => Ok(()),
    }
}

fn trimmed(word: &str) -> &str {
    let end = word.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    &word[..end.unwrap_or(word.len())]
}

fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let inside = entries.filter(|entry| {
        let name = entry.file_name();
        !["target", "node_modules", "dist", "snapshots"]
            .iter()
            .any(|skipped| name == *skipped)
    });
    let all = inside.flat_map(|entry| files(&entry.path()));
    let is_read = |file: &PathBuf| {
        let end = file.extension().and_then(|end| end.to_str());
        matches!(end, Some("rs" | "md" | "ts" | "svelte" | "toml"))
    };
    all.filter(is_read).collect()
}
