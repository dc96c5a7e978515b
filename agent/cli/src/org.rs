//! `tidegate org init|sign`.
//! Not filled yet.

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Org {}

impl Org {
    #[allow(clippy::unused_async)]
    pub(crate) fn run(self) -> Result<(), Failure> {
        Err(Failure::new(
            Exit::Internal,
            "this verb is not there yet",
            "it is being built",
            "try again later",
        ))
    }
}
