//! The person's devices in the window, and how they let each other in.
//! A newcomer would offer Approve at once: it comes with the words, because only comparing them proves anything.

use serde::Serialize;
use tidegate_agent::{DeviceRequestState, Enrolling, OrgSnapshot};
use tidegate_proto::time::UnixTime;
use ts_rs::TS;

use crate::scene::Scene;
use crate::time_left::time_left;

/// A device of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct DeviceLine {
    /// What to ask for.
    pub id: String,
    /// `dev-…`
    pub name: String,
    /// As it called itself; may be empty.
    pub label: String,
    #[ts(type = "number")]
    pub enrolled: UnixTime,
    #[ts(type = "number | null")]
    pub seen: Option<UnixTime>,
    /// The one in front of the person.
    pub this: bool,
    pub revoked: bool,
}

/// A new device that asks to be let in by this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct RequestView {
    pub id: String,
    pub label: String,
    pub left: String,
    pub state: RequestState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RequestState {
    Asking,
    Comparing,
    Words { words: Vec<String> },
    Elsewhere,
}

/// This computer, on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum EnrollingView {
    SignIn,
    Asking { left: String },
    Words { words: Vec<String>, left: String },
}

pub(super) fn device_lines(org: &OrgSnapshot) -> Vec<DeviceLine> {
    let lines = org.devices.iter().map(|device| DeviceLine {
        id: device.id.clone(),
        name: device.name.clone(),
        label: device.label.clone(),
        enrolled: device.enrolled,
        seen: device.seen,
        this: device.this,
        revoked: device.revoked,
    });
    lines.collect()
}

pub(super) fn request_views(scene: &Scene<'_>, org: &OrgSnapshot) -> Vec<RequestView> {
    let requests = org.device_requests.iter().map(|request| RequestView {
        id: request.id.clone(),
        label: request.label.clone(),
        left: time_left(scene.now, request.until),
        state: match &request.state {
            DeviceRequestState::Asking => RequestState::Asking,
            DeviceRequestState::Comparing => RequestState::Comparing,
            DeviceRequestState::Words { words } => RequestState::Words {
                words: words.clone(),
            },
            DeviceRequestState::Elsewhere => RequestState::Elsewhere,
        },
    });
    requests.collect()
}

pub(super) fn enrolling_view(scene: &Scene<'_>, enrolling: &Enrolling) -> EnrollingView {
    match enrolling {
        Enrolling::SignIn => EnrollingView::SignIn,
        Enrolling::Asking { until } => EnrollingView::Asking {
            left: time_left(scene.now, *until),
        },
        Enrolling::Words { words, until } => EnrollingView::Words {
            words: words.clone(),
            left: time_left(scene.now, *until),
        },
    }
}
