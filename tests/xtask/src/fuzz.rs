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

pub(crate) fn run(place: &Place, board: &mut Board, words: &[String]) -> bool {
    let (wanted, seconds) = match order(words) {
        Ok(order) => order,
        Err(mistake) => {
            eprintln!("xtask fuzz: {mistake}");
            return false;
        }
    };
    let Some(host) = host() else {
        board.failed("build the fuzzer", "rustc does not say what it builds for");
        return false;
    };
    let target_dir = place.at("target/fuzz");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--release", "--target", &host])
        .current_dir(place.at(CRATE))
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", COUNTED);
    if !board.step("build the fuzzer", BUILD, &build).good {
        return false;
    }
    let fuzzer = target_dir.join(host).join("release/tidegate-postgres-fuzz");
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
    let packed = pack(&least, &kept);
    if let Err(error) = &packed {
        board.failed(&format!("keep what {name} needs"), &error.to_string());
    }
    good && merged && packed.is_ok()
}

/// Which targets, and for how many seconds each.
fn order(words: &[String]) -> Result<(Vec<&'static str>, u64), String> {
    let seconds = match after(words, "--seconds") {
        None => SECONDS,
        Some(word) => word
            .parse()
            .map_err(|_| format!("--seconds {word:?} is no number of seconds"))?,
    };
    let targets = match after(words, "--target") {
        None => TARGETS.to_vec(),
        Some(word) => {
            let known = TARGETS.iter().copied().find(|name| *name == word);
            let all = TARGETS.join(", ");
            vec![known.ok_or(format!("there is no target {word:?}, but {all}"))?]
        }
    };
    Ok((targets, seconds))
}

/// The word behind a name; none where the name is not there.
fn after<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| word == name)?;
    Some(words.get(at + 1).map_or("", String::as_str))
}

/// What the compiler builds for where nobody says otherwise: only with a target of its own is what runs at build time not counted.
fn host() -> Option<String> {
    let told = Command::new("rustc").arg("-vV").output().ok()?.stdout;
    let told = String::from_utf8(told).ok()?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(host.to_owned())
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
    fn what_cannot_be_meant_is_refused_with_what_can() {
        let order = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(ToString::to_string).collect();
            super::order(&words)
        };

        assert_eq!(order(&[]), Ok((TARGETS.to_vec(), SECONDS)));
        let both = ["--target", "login", "--seconds", "5"];
        assert_eq!(order(&both), Ok((vec!["login"], 5)));
        let refused = order(&["--target", "logins"]);
        assert!(refused.is_err_and(|mistake| mistake.contains("follow, login")));
        for wrong in [&["--seconds", "long"][..], &["--seconds"], &["--target"]] {
            assert!(order(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_target_has_a_file_of_its_own() {
        let targets = include_str!("../../../agent/postgres/fuzz/src/targets/mod.rs");

        for name in TARGETS {
            assert!(targets.contains(&format!("(\"{name}\"")), "{name}");
        }
    }
}
