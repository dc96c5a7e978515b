//! `tidegate login`: signs in with the system browser.
//! Not filled yet.

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Login {}

impl Login {
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
