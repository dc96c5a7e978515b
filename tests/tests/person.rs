//! The café scene for somebody at a display (`cargo xtask demo --person`), played by a robot that knows nothing but its words.
//! It reads what the demo prints and does that with keyboard, tray and browser of a display of its own.

use std::process::ExitCode;

use tidegate_tests::narrator::{Narrator, asked_for};
use tidegate_tests::perform::perform_in;
use tidegate_tests::{Outcome, stage};

#[path = "person/demo.rs"]
mod demo;
#[path = "person/display.rs"]
mod display;
#[path = "person/robot.rs"]
mod robot;

const OUT: &str = "tests/out/person";

fn main() -> ExitCode {
    if !asked_for("a person's demo") {
        return ExitCode::SUCCESS;
    }
    perform_in(OUT, play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let out = stage::checkout()?.join(OUT);
    narrator
        .step(
            "whoever_does_what_the_lines_ask_sees_the_demo_end_well_also_after_wrong_clicks",
            robot::plays(narrator, &out),
        )
        .await?;
    narrator
        .step(
            "whoever_does_nothing_is_told_what_is_waited_for_and_how_long",
            robot::does_nothing(narrator, &out.join("nobody")),
        )
        .await
}
