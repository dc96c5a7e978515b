//! One service, from its outlet to an answer: who stands in the way, the outlet, the rules, the database or the query.
//! Only what is connected is asked; a service that is not is opened by `tidegate doctor SERVICE` first, as an audited connection like any other.

use tidegate_proto::problem::{Code, Problem};

use super::{Check, bounded, query};
use crate::{ServiceKind, ServiceState, ServiceView};

pub(super) async fn checks(view: &ServiceView) -> Vec<Check> {
    match &view.state {
        ServiceState::Failed(problem) => vec![failed(problem, target(view.kind))],
        ServiceState::Connected { .. } => {
            let mut checks = vec![
                Check::ok(
                    "outlet",
                    "It is there, and its key is the one that was signed.",
                ),
                Check::ok(
                    "access",
                    "The rules of the organisation and of the owner let you in.",
                ),
            ];
            let answers = match view.kind {
                ServiceKind::Postgres => "The outlet trusts it and is logged in.",
                ServiceKind::Tcp => "It takes connections; what it speaks is its own affair.",
            };
            checks.push(Check::ok(target(view.kind), answers));
            if view.kind == ServiceKind::Postgres {
                checks.push(bounded(query::check(view)).await);
            }
            checks
        }
        ServiceState::Idle | ServiceState::Connecting { .. } | ServiceState::Disconnecting => {
            let tries = format!(
                "It is not connected; `tidegate doctor {}` tries it.",
                view.name
            );
            vec![Check::skipped("query", &tries)]
        }
    }
}

/// What is behind the outlet.
fn target(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Postgres => "database",
        ServiceKind::Tcp => "target",
    }
}

/// The line that a failed connection belongs to: a person looks for the part that is broken, not for the moment.
fn failed(problem: &Problem, target: &'static str) -> Check {
    let line = match problem.code {
        Code::RelayRefused
        | Code::OutletAbsent
        | Code::OutletNotTrusted
        | Code::HubBusy
        | Code::HubStopping
        | Code::NotRecorded
        | Code::OutletStopping
        | Code::KillSwitch => "outlet",
        Code::TargetClosed
        | Code::TargetLoginRefused
        | Code::TargetNotTrusted
        | Code::TargetSilent
        | Code::TargetSpeaksOtherwise
        | Code::TargetLoginMissing
        | Code::DatabaseMissing => target,
        code if code.number() / 1000 == 2 || code == Code::BrowserSignInNeeded => "access",
        _ => "query",
    };
    Check::problem(line, problem)
}
