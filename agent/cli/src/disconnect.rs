//! `tidegate disconnect`: closes the inlet of a service.
//! Not filled yet.

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Disconnect {
    /// The service's name.
    service: String,
}

impl Disconnect {
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
