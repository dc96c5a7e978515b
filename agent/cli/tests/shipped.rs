//! What comes with the command, used as a shell and a reader use it: completions, manual pages, streams that somebody stops reading.
//! A tool that is not on this machine is not pretended: the test says so and ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fn tidegate(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .stdin(Stdio::null());
    command
}

/// `status --follow` with an agent of its own, and the first line of it.
fn following(home: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = tidegate(home)
        .args(["status", "--follow", "--json", "--keys", "file"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(first.contains("\"event\":\"status\""), "{first}");
    (child, lines)
}

fn ends_well(mut child: Child) {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it goes on: {:?}", child.wait());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let home = tempfile::tempdir().unwrap();
    let (child, lines) = following(home.path());

    drop(lines);

    ends_well(child);
}

#[test]
fn following_ends_well_at_an_interrupt() {
    let home = tempfile::tempdir().unwrap();
    let (child, _lines) = following(home.path());

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();

    ends_well(child);
}

#[test]
fn every_manual_page_is_rendered_without_a_warning() {
    if !is_here("man") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let made = tidegate(home.path())
        .arg("man")
        .arg(home.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    let entries = std::fs::read_dir(home.path()).unwrap().flatten();
    let pages = entries.map(|entry| entry.path());
    let pages: Vec<_> = pages
        .filter(|path| path.extension().is_some_and(|end| end == "1"))
        .collect();
    for page in &pages {
        let shown = Command::new("man")
            .args(["--warnings", "-Tutf8", "-Z", "-l"])
            .arg(page)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(
            shown.status.success() && said.is_empty(),
            "{}: {said}",
            page.display()
        );
    }
    assert!(pages.len() > 20, "{pages:?}");
}

#[test]
fn bash_completes_what_was_begun() {
    let home = tempfile::tempdir().unwrap();
    let script = tidegate(home.path())
        .args(["completions", "bash"])
        .output()
        .unwrap();
    let file = home.path().join("tidegate.bash");
    std::fs::write(&file, script.stdout).unwrap();
    // As readline does it: the function that is registered for the command, the words, and where the cursor is.
    let ask = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        how=$(complete -p tidegate); how=${how##*-F }; "${how%% *}" tidegate "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}""#;
    let complete = |words: &[&str]| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", ask, "bash"])
            .arg(&file)
            .args(words);
        let answer = bash
            .env("PATH", std::env::var_os("PATH").unwrap())
            .output()
            .unwrap();
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    };

    assert_eq!(complete(&["tidegate", "logo"]), "logout");
    assert_eq!(complete(&["tidegate", "devices", "app"]), "approve");
    assert!(complete(&["tidegate", "bundle", "--le"]).contains("--level"));
}

/// Whether this shell is here. Where it is not, nothing is pretended.
/// Where everything is demanded, a shell that is not there is no excuse.
fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok();
    let demanded = std::env::var_os("TIDEGATE_REQUIRE_NETNS").is_some();
    assert!(here || !demanded, "{program} is demanded here");
    if !here {
        println!("not tried: there is no {program} here");
    }
    here
}

fn script_for(shell: &str, home: &Path, file: &str) -> std::path::PathBuf {
    let script = tidegate(home).args(["completions", shell]).output();
    let file = home.join(file);
    std::fs::write(&file, script.unwrap().stdout).unwrap();
    file
}

#[test]
fn fish_completes_what_was_begun() {
    if !is_here("fish") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let file = script_for("fish", home.path(), "tidegate.fish");
    let complete = |line: &str| {
        let ask = format!("source {}; complete -C '{line}'", file.display());
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", &ask])
            .env("HOME", home.path());
        let answer = fish.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stderr), "");
        String::from_utf8(answer.stdout).unwrap()
    };

    assert!(complete("tidegate logo").starts_with("logout\t"));
    assert!(complete("tidegate devices app").starts_with("approve\t"));
    assert!(complete("tidegate bundle --le").starts_with("--level"));
}

/// As at a terminal: the keys are pressed in a zsh of its own, and the line is read back.
const PRESS: &str = include_str!("press.zsh");

#[test]
fn zsh_completes_what_was_begun() {
    if !is_here("zsh") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    script_for("zsh", home.path(), "_tidegate");
    let complete = |line: &str| {
        let mut zsh = Command::new("timeout");
        zsh.args(["30", "zsh", "-f", "-c", PRESS, "zsh"])
            .arg(home.path())
            .args(["/usr/bin", line])
            .env("HOME", home.path());
        let answer = zsh.output().unwrap();
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    };

    assert_eq!(complete("tidegate logo"), "tidegate logout");
    assert_eq!(complete("tidegate devices app"), "tidegate devices approve");
    assert_eq!(complete("tidegate bundle --le"), "tidegate bundle --level=");
}
