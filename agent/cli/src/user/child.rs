//! Runs a program with a connection in its environment.
//! Ctrl-C reaches the program by itself, being in the same foreground group: here it must only not end us first, and SIGTERM is handed on.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use tidegate_agent::ConnectionStrings;
use tokio::process::{Child, Command};

use crate::failure::{Exit, Failure};
use crate::signals::{Signal, Signals};

/// Waits until the program has ended, and gives its exit code; 128 and the signal's number where it was killed, as shells do.
pub(super) async fn run(
    words: &[OsString],
    connection: &ConnectionStrings,
    mut signals: Signals,
) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(connection.variables())
        .spawn()
        .map_err(|error| not_started(program, &error))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.next() => if matches!(signal, Signal::End) { hand_on(&child) },
        }
    };
    let status = status.map_err(|error| not_started(program, &error))?;
    Ok(ExitCode::from(code(status)))
}

fn not_started(program: &OsString, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::ThisComputer,
        format!("{} did not run", program.display()),
        error.to_string(),
        "check its name, and that it is installed",
    )
}

#[cfg(unix)]
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let killed = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(killed).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> u8 {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

/// A program that ends on Ctrl-C already has it, and a second signal tells it nothing new; whoever was sent SIGTERM was sent it alone.
#[cfg(unix)]
fn hand_on(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn hand_on(_: &Child) {}
