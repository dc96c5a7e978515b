//! `tidegate join`: enrols this computer with a join link.
//! Not filled yet.

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Join {
    /// The link, `tidegate://join?…`.
    link: String,
}

impl Join {
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
