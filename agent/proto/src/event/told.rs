//! An event as one sentence, for whoever reads a record: an administrator at the hub, an owner, the person it is about.
//! Every name from outside is shown safely; what a program should read is the event itself.

use super::{AccessAsked, EventKind, PortalClosed, PortalOpened, PortalRefused, PortalResumed};
use crate::{
    names::ServiceName,
    span,
    statement::{Extent, GrantId, RevokeTarget},
    text::Shown,
};

impl EventKind {
    /// What happened, without when and where: `opened warehouse`.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Started { version } => {
                format!("started, version {}", Shown::new(version).as_str())
            }
            Self::Stopped {} => "stopped".into(),
            Self::PortalOpened(opened) => portal_opened(opened),
            Self::PortalResumed(resumed) => portal_resumed(resumed),
            Self::PortalClosed(closed) => portal_closed(closed),
            Self::PortalRefused(refused) => portal_refused(refused),
            Self::PortalSuspended { service, .. } => {
                format!("connection to {service} lost its line and waits")
            }
            Self::PortalAbandoned { service, .. } => {
                format!("connection to {service} had ended when the outlet was not running")
            }
            Self::RefusalsNotListed { count } => {
                format!("{count} more were refused before they said who they are")
            }
            Self::StandingChanged { what } => format!("{} changed", Shown::new(what).as_str()),
            Self::Revoked { who, .. } => match who {
                RevokeTarget::Subject(sub) => format!("{sub} was shut out"),
                RevokeTarget::Device(device) => format!("device {device} was shut out"),
            },
            Self::KillSwitch { service, killed } => kill_switch(service.as_ref(), *killed),
            Self::StatementsRecorded { service, how } => format!(
                "statements of {service} are recorded: {}",
                Shown::new(how).as_str()
            ),
            Self::Statements(said) => {
                format!(
                    "{} words about statements at {}",
                    said.said.len(),
                    said.service
                )
            }
            Self::StatementsNotListed { count, .. } => {
                format!("{count} words about statements found no room")
            }
            Self::AuditBegunAnew { outlet, kept } => format!(
                "the record of outlet {outlet} was begun anew after {kept} lines that are kept here"
            ),
            Self::RoleMade { service, role, .. } => {
                format!("role {} was made at {service}", Shown::new(role).as_str())
            }
            Self::RoleDropped { service, role } => {
                format!("role {} is gone from {service}", Shown::new(role).as_str())
            }
            _ => self.told_of_access(),
        }
    }

    fn told_of_access(&self) -> String {
        match self {
            Self::DeviceEnrolled { device, .. } => format!("device {device} was enrolled"),
            Self::DeviceVouched { device, by, .. } => {
                format!("device {device} was let in by device {by}")
            }
            Self::OutletEnrolled {
                service, outlet, ..
            } => format!("outlet {outlet} was enrolled for {service}"),
            Self::CredentialIssued { device, .. } => {
                format!("signed in on device {device}: a credential was given")
            }
            Self::AccessAsked(asked) => asked_for(asked),
            Self::AccessApproved(approved) => {
                format!("approved by {}: {}", approved.by, extent(&approved.extent))
            }
            Self::AccessDenied { by, because, .. } => {
                format!("denied by {by}, because: {}", because.as_str())
            }
            Self::AccessWithdrawn { .. } => "the request was withdrawn".into(),
            Self::GrantTakenBack { by: Some(by), .. } => {
                format!("the access was taken back by {by}")
            }
            Self::GrantTakenBack { by: None, .. } => "the access was taken back".into(),
            Self::GrantUsed { .. } => {
                "the access was used for the first time: its time runs".into()
            }
            _ => "something happened that this version has no words for".into(),
        }
    }

    /// The service that it happened at, where it names one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::PortalOpened(opened) => Some(&opened.service),
            Self::PortalResumed(resumed) => Some(&resumed.service),
            Self::PortalClosed(closed) => Some(&closed.service),
            Self::PortalRefused(refused) => Some(&refused.service),
            Self::AccessAsked(asked) => Some(&asked.service),
            Self::Statements(statements) => Some(&statements.service),
            Self::KillSwitch { service, .. } => service.as_ref(),
            Self::PortalSuspended { service, .. }
            | Self::PortalAbandoned { service, .. }
            | Self::OutletEnrolled { service, .. }
            | Self::RoleMade { service, .. }
            | Self::RoleDropped { service, .. }
            | Self::StatementsRecorded { service, .. } => Some(service),
            _ => None,
        }
    }

    /// The request or grant that it is about.
    #[must_use]
    pub fn grant(&self) -> Option<GrantId> {
        match self {
            Self::PortalOpened(PortalOpened { grant, .. })
            | Self::PortalResumed(PortalResumed { grant, .. }) => {
                grant.as_ref().map(|used| used.id)
            }
            Self::AccessAsked(asked) => Some(asked.grant),
            Self::AccessApproved(approved) => Some(approved.grant),
            Self::AccessDenied { grant, .. }
            | Self::AccessWithdrawn { grant }
            | Self::GrantTakenBack { grant, .. }
            | Self::GrantUsed { grant } => Some(*grant),
            Self::RoleMade { grant, .. } => *grant,
            Self::Statements(statements) => statements.grant,
            _ => None,
        }
    }
}

fn portal_opened(opened: &PortalOpened) -> String {
    let what = match opened.purpose.as_str() {
        "probe" => "looked whether",
        _ => "opened",
    };
    let answers = if what == "opened" { "" } else { " answers" };
    let under = match &opened.grant {
        Some(used) if used.emergency => ", by break-glass",
        Some(_) => ", as approved",
        None => "",
    };
    let device = opened.peer.device_name.as_str();
    format!("{what} {}{answers} from {device}{under}", opened.service)
}

fn portal_resumed(resumed: &PortalResumed) -> String {
    let device = resumed.peer.device_name.as_str();
    format!("went on with {} from {device}", resumed.service)
}

fn portal_closed(closed: &PortalClosed) -> String {
    format!(
        "closed {}: {} bytes sent, {} received, {}",
        closed.service, closed.sent, closed.received, closed.reason
    )
}

fn portal_refused(refused: &PortalRefused) -> String {
    format!(
        "refused at {}: {} ({})",
        refused.service,
        Shown::new(&refused.exact).as_str(),
        refused.code
    )
}

fn kill_switch(service: Option<&ServiceName>, killed: bool) -> String {
    let did = if killed { "closed" } else { "opened again" };
    match service {
        Some(service) => format!("the owner {did} {service}"),
        None => format!("the owner {did} every service"),
    }
}

fn asked_for(asked: &AccessAsked) -> String {
    let how = if asked.emergency { "took" } else { "asked for" };
    let by = if asked.emergency {
        " by break-glass"
    } else {
        ""
    };
    format!(
        "{how} {}{by}, {}, because: {}",
        asked.service,
        extent(&asked.extent),
        asked.because.as_str()
    )
}

fn extent(extent: &Extent) -> String {
    let only = if extent.read_only { ", read-only" } else { "" };
    format!("{}{only}", span::text(extent.seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        event::AccessApproved,
        problem::Code,
        statement::StatementHash,
        testing::{key, warehouse},
    };

    #[test]
    fn what_happened_is_told_so() {
        let (service, device) = (warehouse(), key(3).verify_key().peer_id());
        let grant = StatementHash([7; 32]);
        let given = Extent {
            seconds: 5_400,
            read_only: true,
        };
        let all = [
            EventKind::AccessAsked(AccessAsked {
                grant,
                sub: "00uana".parse().unwrap(),
                device,
                service: service.clone(),
                extent: given,
                emergency: false,
                because: Shown::new("INC-42"),
            }),
            EventKind::AccessApproved(AccessApproved {
                grant,
                statement: grant,
                by: "00ubob".parse().unwrap(),
                device,
                extent: given,
            }),
            EventKind::GrantTakenBack { grant, by: None },
            EventKind::PortalClosed(PortalClosed {
                channel: "c".into(),
                portal: 1,
                service: service.clone(),
                sent: 5,
                received: 7,
                reason: Code::DisconnectedByYou,
            }),
            EventKind::PortalRefused(PortalRefused {
                channel: "c".into(),
                service: service.clone(),
                code: Code::NotAdmitted,
                exact: "no\u{202e}\n".into(),
                peer: None,
            }),
            EventKind::KillSwitch {
                service: None,
                killed: true,
            },
            EventKind::AuditBegunAnew {
                outlet: device,
                kept: 9,
            },
        ];

        let told: Vec<_> = all.iter().map(EventKind::told).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
