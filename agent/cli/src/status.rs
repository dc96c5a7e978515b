//! `tidegate status`: says what the agent holds open.
//! Not filled yet.

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Status {
    /// Print the whole snapshot as JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    #[allow(clippy::unused_async)]
    pub(crate) async fn run(self) -> Result<(), Failure> {
        Err(Failure::new(
            Exit::Internal,
            "this verb is not there yet",
            "it is being built",
            "try again later",
        ))
    }
}
