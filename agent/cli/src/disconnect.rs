//! `tidegate disconnect`: closes the inlet of a service at the running agent.
//! It returns when the port refuses, not when the wish was heard.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, ServiceState};

use crate::failure::Failure;
use crate::seat::Seat;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Disconnect {
    /// The service's name; with several organisations `org/service` where it is not clear.
    service: String,
}

impl Disconnect {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::running().await?;
        let service = seat.now().await?.find(&self.service)?;
        seat.act(Action::Disconnect {
            service: service.clone(),
        })
        .await?;
        let closed = |snapshot: &tidegate_agent::Snapshot| {
            let state = snapshot.service(&service).map(|view| &view.state);
            match state {
                Some(
                    ServiceState::Disconnecting
                    | ServiceState::Connected { .. }
                    | ServiceState::Connecting { .. },
                ) => ControlFlow::Continue(()),
                Some(ServiceState::Idle | ServiceState::Failed(_)) | None => {
                    ControlFlow::Break(Ok(()))
                }
            }
        };
        seat.watch().await?.until(LIMIT, closed).await?;
        println!("Disconnected from {}.", service.service);
        Ok(())
    }
}
