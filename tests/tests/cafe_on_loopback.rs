//! The café scene as it is played where a machine forbids namespaces: on plain loopback, saying what that does not prove.
//! Machines that allow namespaces play it too, or nobody would notice that it broke; elsewhere `cafe` has played just this.

use std::process::ExitCode;

use tidegate_tests::narrator::asked_for;
use tidegate_tests::perform::perform_in;
use tidegate_tests::{Stage, scene};

fn main() -> ExitCode {
    if !asked_for("cafe scene on loopback") {
        return ExitCode::SUCCESS;
    }
    perform_in("tests/out/loopback", async |narrator| {
        let stage = Stage::set_on_loopback("this test plays it there")?;
        scene::play_on(narrator, stage).await
    })
}
