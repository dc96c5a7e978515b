//! How a person's devices let each other in, as the window shows it: who asks, the six words, and the list of what is let in.
//! A newcomer would offer Approve at once: it is there only beside the words, because comparing them is what makes it safe.

use serde::{Deserialize, Serialize};
use tidegate_agent::{
    AccountView, Action, DeviceRequest, DeviceRequestState, DeviceView, Enrolling, OrgSnapshot,
};
use tidegate_proto::names::OrgName;
use tidegate_proto::time::UnixTime;
use ts_rs::TS;

use crate::activity::device_label;
use crate::intent::Copyable;
use crate::label::label;
use crate::scene::Scene;
use crate::time_left::time_left;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Devices {
    /// New devices that ask this one.
    pub requests: Vec<Request>,
    /// Set while this device itself asks another one.
    pub asking: Option<Asking>,
    /// Newest first.
    pub list: Vec<Device>,
    /// Set where this computer can let another one in: the link that is pasted there can be copied here.
    pub link: Option<LinkCopy>,
}

/// The link for another computer; its text goes to the clipboard, not into the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
pub struct LinkCopy {
    pub copied: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Request {
    pub id: String,
    /// `A new device (ana's phone)`
    pub who: String,
    pub left: String,
    pub state: RequestState,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RequestState {
    Asking,
    Comparing,
    Words { words: Vec<String> },
    Elsewhere,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Asking {
    /// Its person has to sign in here first.
    SignIn,
    Waiting {
        left: String,
    },
    Words {
        words: Vec<String>,
        left: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub this: bool,
    pub revoked: bool,
    #[ts(type = "number")]
    pub enrolled: UnixTime,
    #[ts(type = "number | null")]
    pub seen: Option<UnixTime>,
}

/// What a person can do about devices. The ids come from the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceAct {
    Compare { request: String },
    Approve { request: String },
    Decline { request: String },
    Revoke { device: String },
}

impl DeviceAct {
    pub fn action(self, org: OrgName) -> Action {
        match self {
            Self::Compare { request } => Action::CompareDevice { org, request },
            Self::Approve { request } => Action::ApproveDevice { org, request },
            Self::Decline { request } => Action::DeclineDevice { org, request },
            Self::Revoke { device } => Action::RevokeDevice { org, device },
        }
    }
}

pub fn devices(scene: &Scene<'_>, org: &OrgSnapshot) -> Devices {
    let now = scene.now;
    let requests = org.device_requests.iter();
    Devices {
        requests: requests.map(|request| request_view(request, now)).collect(),
        asking: org
            .enrolling
            .as_ref()
            .map(|enrolling| asking(enrolling, now)),
        list: org.devices.iter().map(device).collect(),
        link: link(scene, org),
    }
}

/// Only who is in and signed in is asked about other computers.
fn link(scene: &Scene<'_>, org: &OrgSnapshot) -> Option<LinkCopy> {
    let is_in = matches!(org.account, AccountView::SignedIn { .. }) && org.enrolling.is_none();
    let what = Copyable::DeviceLink {
        org: org.name.clone(),
    };
    (is_in && !org.link.is_empty()).then(|| LinkCopy {
        copied: scene.copied().is_some_and(|copied| copied.what == what),
    })
}

fn request_view(request: &DeviceRequest, now: UnixTime) -> Request {
    Request {
        id: request.id.clone(),
        who: device_label(request),
        left: time_left(now, request.until),
        state: match &request.state {
            DeviceRequestState::Asking => RequestState::Asking,
            DeviceRequestState::Comparing => RequestState::Comparing,
            DeviceRequestState::Words { words } => RequestState::Words {
                words: words.clone(),
            },
            DeviceRequestState::Elsewhere => RequestState::Elsewhere,
        },
    }
}

fn asking(enrolling: &Enrolling, now: UnixTime) -> Asking {
    match enrolling {
        Enrolling::SignIn => Asking::SignIn,
        Enrolling::Asking { until } => Asking::Waiting {
            left: time_left(now, *until),
        },
        Enrolling::Words { words, until } => Asking::Words {
            words: words.clone(),
            left: time_left(now, *until),
        },
    }
}

fn device(device: &DeviceView) -> Device {
    let name = if device.label.is_empty() {
        &device.name
    } else {
        &device.label
    };
    Device {
        id: device.id.clone(),
        name: label(name),
        this: device.this,
        revoked: device.revoked,
        enrolled: device.enrolled,
        seen: device.seen,
    }
}
