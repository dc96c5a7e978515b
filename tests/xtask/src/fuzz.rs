//! `cargo xtask fuzz`: lets libFuzzer look for bytes that break the PostgreSQL parts, and keeps what reached something new.
//! Corpora are kept as text, one input a line in hex, so that a change of them can be read; `agent/postgres/tests/fuzzed.rs` plays them.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::board::Board;
use crate::place::Place;

const CRATE: &str = "agent/postgres/fuzz";
const TARGETS: [&str; 7] = [
    "follow", "login", "opening", "inflow", "outflow", "answer", "swallow",
];
/// For each target, unless `--seconds` says otherwise.
const SECONDS: u64 = 600;
const BUILD: Duration = Duration::from_secs(1800);
/// Inputs in bytes, memory in MiB, and time for one in seconds.
const BOUNDS: [&str; 3] = ["-max_len=2048", "-rss_limit_mb=1024", "-timeout=20"];
/// Counts branches for libFuzzer; any compiler can, and none of it is unsafe to find.
const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";
const HOST: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(place: &Place, board: &mut Board, words: &[String]) -> bool {
    let asked = after(words, "--seconds").and_then(|word| word.parse().ok());
    let seconds = asked.unwrap_or(SECONDS);
    let only = after(words, "--target");
    let target_dir = place.at("target/fuzz");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--release", "--target", HOST])
        .current_dir(place.at(CRATE))
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", COUNTED);
    if !board.step("build the fuzzer", BUILD, &build).good {
        return false;
    }
    let fuzzer = target_dir.join(HOST).join("release/tidegate-postgres-fuzz");
    let wanted = TARGETS
        .iter()
        .filter(|name| only.is_none_or(|only| only == **name));
    let mut good = true;
    for name in wanted {
        good &= fuzz(place, board, &fuzzer, (name, seconds));
    }
    good
}

/// One target: what is known is where it begins, and what is left of it and of what was found is kept.
fn fuzz(place: &Place, board: &mut Board, fuzzer: &Path, (name, seconds): (&str, u64)) -> bool {
    let kept = place.at(CRATE).join("corpus").join(format!("{name}.txt"));
    let work = place.at("target/fuzz").join(name);
    let (inputs, least, found) = (work.join("inputs"), work.join("least"), work.join("found"));
    let made = unpack(&kept, &inputs)
        .and_then(|()| empty(&least))
        .and_then(|()| fs::create_dir_all(&found));
    if let Err(error) = made {
        board.failed(&format!("fuzz {name}"), &error.to_string());
        return false;
    }
    let mut search = Command::new(fuzzer);
    search
        .arg(&inputs)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(BOUNDS)
        .env("TIDEGATE_FUZZ", name);
    let limit = Duration::from_secs(seconds + 300);
    let good = board.step(&format!("fuzz {name}"), limit, &search).good;
    let mut merge = Command::new(fuzzer);
    merge
        .arg("-merge=1")
        .args([&least, &inputs])
        .args(BOUNDS)
        .env("TIDEGATE_FUZZ", name);
    let merged = board
        .step(&format!("keep what {name} needs"), BUILD, &merge)
        .good;
    good && merged && pack(&least, &kept).is_ok()
}

fn after<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let found = words.iter().skip_while(|word| *word != name).nth(1);
    found.map(String::as_str)
}

/// A folder with a file for each line that is kept.
fn unpack(kept: &Path, folder: &Path) -> io::Result<()> {
    empty(folder)?;
    let text = fs::read_to_string(kept).unwrap_or_default();
    for (n, line) in text.lines().enumerate() {
        fs::write(folder.join(n.to_string()), bytes(line))?;
    }
    Ok(())
}

fn empty(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

fn pack(folder: &Path, kept: &Path) -> io::Result<()> {
    let files = fs::read_dir(folder)?.flatten();
    let mut lines = files
        .map(|file| fs::read(file.path()).map(|bytes| hex(&bytes)))
        .collect::<io::Result<Vec<_>>>()?;
    lines.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    fs::write(kept, lines.join("\n") + "\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    let pairs = line.as_bytes().chunks(2);
    let read = pairs.map_while(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_found() {
        let all: Vec<u8> = (0..=255).collect();

        assert_eq!(bytes(&hex(&all)), all);
        assert_eq!(bytes(""), b"");
    }

    #[test]
    fn every_target_has_a_file_of_its_own() {
        let targets = include_str!("../../../agent/postgres/fuzz/src/targets/mod.rs");

        for name in TARGETS {
            assert!(targets.contains(&format!("(\"{name}\"")), "{name}");
        }
    }
}
