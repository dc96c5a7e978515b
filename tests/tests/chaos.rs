//! A short chaos whose order of faults never changes; `cargo xtask chaos` plays the long one, and any other.
//! What must hold, and what is played, is in `tests/src/chaos`.

use std::process::ExitCode;

use tidegate_tests::chaos::{self, Plan};
use tidegate_tests::perform::perform_if_asked;

const PLAN: Plan = Plan {
    seed: 26,
    faults: 30,
};

fn main() -> ExitCode {
    perform_if_asked("chaos", async |narrator| {
        Box::pin(chaos::play(narrator, PLAN)).await.map(drop)
    })
}
