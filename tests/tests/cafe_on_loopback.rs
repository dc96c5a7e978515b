//! The café scene as it is played where a machine forbids namespaces: on plain loopback, saying what that does not prove.
//! Machines that allow them play it too, without the rights that an ordinary container has not: or nobody would notice that it broke.

use std::process::{Command, ExitCode};

use tidegate_tests::narrator::asked_for;
use tidegate_tests::perform::perform_in;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::{Stage, scene};

/// Set for the one that plays.
const CONFINED: &str = "TIDEGATE_CONFINED";

fn main() -> ExitCode {
    if !asked_for("cafe scene on loopback") {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(CONFINED).is_none() {
        return confined().unwrap_or_else(|trouble| {
            println!("{trouble}");
            ExitCode::FAILURE
        });
    }
    perform_in("tests/out/loopback", async |narrator| {
        // It was not asked for: the stage has to find out.
        let stage = Stage::set()?;
        if stage.ground().network().is_some() {
            return Err(Trouble::new("this machine allows namespaces after all"));
        }
        scene::play_on(narrator, stage).await
    })
}

/// Plays in a process that may not make namespaces, whoever runs it.
fn confined() -> Outcome<ExitCode> {
    let this = std::env::current_exe()?;
    let mut play = if rustix::process::geteuid().is_root() {
        let mut play = Command::new("setpriv");
        play.args(["--bounding-set", "-sys_admin,-net_admin"]);
        play.args(["--inh-caps", "-sys_admin,-net_admin"]).arg(this);
        play
    } else {
        Command::new(this)
    };
    let played = play
        .args(std::env::args_os().skip(1))
        .env(CONFINED, "yes")
        .env_remove("TIDEGATE_REQUIRE_NETNS")
        .status()?;
    Ok(if played.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
