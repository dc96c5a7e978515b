//! `tidegate disconnect`: closes the inlets of services at the running agent.
//! It returns when the port refuses, not when the wish was heard.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, ServiceRef, ServiceState, Snapshot};

use super::report::Done;
use super::seat::Seat;
use super::which;
use crate::failure::Failure;
use crate::out::OutArgs;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate disconnect warehouse
  tidegate disconnect acme/warehouse    where two organisations have one
  tidegate disconnect --all")]
pub(crate) struct Disconnect {
    /// The service: `warehouse`, or `acme/warehouse`.
    #[arg(required_unless_present = "all")]
    service: Option<String>,
    /// Everything that is open.
    #[arg(long, conflicts_with = "service")]
    all: bool,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Disconnect {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::running().await?;
        let snapshot = seat.look(false).await?;
        let services = match &self.service {
            Some(text) => vec![which::service(&snapshot, text)?],
            None => open(&snapshot),
        };
        for service in &services {
            let service = service.clone();
            seat.act(Action::Disconnect { service }).await?;
        }
        let closed = |snapshot: &Snapshot| {
            if services.iter().any(|service| is_open(snapshot, service)) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(Ok(()))
            }
        };
        seat.watch().await?.until(LIMIT, closed).await?;
        let names: Vec<_> = services.iter().map(ToString::to_string).collect();
        let done = Done {
            done: "disconnected".into(),
            services: names.clone(),
            ..Done::default()
        };
        let words = || match names.as_slice() {
            [] => "Nothing was open.".into(),
            _ => format!("Disconnected from {}.", names.join(", ")),
        };
        self.out.answer(&done, words)
    }
}

fn open(snapshot: &Snapshot) -> Vec<ServiceRef> {
    let refs = snapshot.services().map(|(org, view)| org.service_ref(view));
    refs.filter(|service| is_open(snapshot, service)).collect()
}

pub(super) fn is_open(snapshot: &Snapshot, service: &ServiceRef) -> bool {
    match snapshot.service(service).map(|view| &view.state) {
        Some(
            ServiceState::Disconnecting
            | ServiceState::Connected { .. }
            | ServiceState::Connecting { .. },
        ) => true,
        Some(ServiceState::Idle | ServiceState::Failed(_)) | None => false,
    }
}
