//! Which picture the tray shows. Shapes differ by state, colours by panel.
//! A newcomer would let "connected" hide a problem: somebody must act, so the problem wins.

use tidegate_agent::{AccountView, OrgSnapshot, ServiceState, ServiceView};
use tidegate_proto::problem::{Problem, Severity};

use crate::scene::Scene;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icon {
    pub state: IconState,
    pub panel: Panel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IconState {
    Off,
    Connecting,
    Connected,
    Problem,
}

/// The colour of what the icon stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    Light,
    Dark,
}

impl Panel {
    /// The best guess from `$XDG_CURRENT_DESKTOP` and what the desktop says it prefers (`None`: it does not say).
    /// GNOME's panel is dark whatever the windows are; where nobody says anything, dark panels are the common case.
    pub fn guess(current_desktop: &str, prefers_dark: Option<bool>) -> Self {
        if current_desktop.split(':').any(|name| name == "GNOME") {
            return Self::Dark;
        }
        match prefers_dark {
            Some(false) => Self::Light,
            Some(true) | None => Self::Dark,
        }
    }
}

pub fn icon_state(scene: &Scene<'_>) -> IconState {
    let is_error = |problem: &Problem| problem.code.severity() == Severity::Error;
    if scene
        .problems()
        .iter()
        .any(|(_, problem)| is_error(problem))
    {
        return IconState::Problem;
    }
    let Some(snapshot) = scene.snapshot else {
        return IconState::Off;
    };
    let any = |wanted: fn(&ServiceState) -> bool| {
        snapshot
            .services()
            .any(|(_, service)| wanted(&service.state))
    };
    let reconnects = |(_, service): (_, &ServiceView)| service.reconnecting.is_some();

    if any(|state| matches!(state, ServiceState::Failed(_))) {
        return IconState::Problem;
    }
    if snapshot.services().any(reconnects) {
        return IconState::Connecting;
    }
    if any(ServiceState::is_connected) {
        return IconState::Connected;
    }
    let signing_in = |org: &OrgSnapshot| matches!(org.account, AccountView::SigningIn(_));
    if snapshot.joining
        || snapshot.orgs.iter().any(signing_in)
        || any(|state| matches!(state, ServiceState::Connecting { .. }))
    {
        return IconState::Connecting;
    }
    IconState::Off
}
