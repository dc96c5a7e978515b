//! Whether a service's port is free, or open for us.
//! It is tried by taking it, on both loopback addresses, which is what Connect does.

use super::Check;
use crate::inlet::bind;
use crate::{ServiceState, ServiceView, problems};

const NAME: &str = "port";

pub(super) async fn check(view: &ServiceView) -> Check {
    match &view.state {
        ServiceState::Idle | ServiceState::Failed(_) => match bind::bind(view.port).await {
            Ok(_) => Check::ok(NAME, &format!("{} is free.", view.port)),
            Err(error) => Check::problem(NAME, &problems::of_bind(error, &view.name)),
        },
        ServiceState::Connected { .. } => {
            Check::ok(NAME, &format!("{} is open and ours.", view.port))
        }
        ServiceState::Connecting { .. } | ServiceState::Disconnecting => {
            Check::skipped(NAME, "It is just being opened or closed.")
        }
    }
}
