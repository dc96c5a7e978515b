//! `tidegate disconnect`: closes the inlet of a service at the running agent.
//! It returns when the port refuses, not when the wish was heard.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, ServiceName, ServiceState};
use tidegate_proto::problem::Code;

use crate::failure::Failure;
use crate::seat::Seat;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Disconnect {
    /// The service's name.
    service: String,
}

impl Disconnect {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let service: ServiceName = self
            .service
            .parse()
            .map_err(|_| Failure::from(Code::NotAvailable))?;
        let mut seat = Seat::running().await?;
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
        println!("Disconnected from {service}.");
        Ok(())
    }
}
