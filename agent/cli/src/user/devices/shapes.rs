//! What `devices --json` prints.
//! A newcomer would print the agent's own values: these only grow, as all of `report` does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::{DeviceRequest, DeviceRequestState, DeviceView, OrgSnapshot};

/// The answer of `devices`, also after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Devices {
    pub(crate) org: String,
    /// Newest first; empty until the hub was asked.
    pub(crate) devices: Vec<Device>,
    /// What a new computer of this person joins with; it holds no right.
    #[serde(default)]
    pub(crate) link: String,
    /// New computers of this person that ask to be let in.
    pub(crate) requests: Vec<Request>,
}

/// A computer of this person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) id: String,
    /// As records call it, and `devices revoke`.
    pub(crate) name: String,
    /// As it called itself; may be empty.
    pub(crate) label: String,
    pub(crate) enrolled: u64,
    /// When it was last let in.
    pub(crate) seen: Option<u64>,
    /// The one that this runs on.
    pub(crate) this: bool,
    pub(crate) revoked: bool,
    /// The device that let it in.
    pub(crate) vouched_by: Option<String>,
}

/// A computer that asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Names it for `devices approve` and `devices decline`.
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) until: u64,
    /// `asking`, `comparing`, `words` or `elsewhere`.
    pub(crate) state: String,
    /// The words to compare, while they are shown here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) words: Vec<String>,
}

impl Devices {
    pub(crate) fn of(org: &OrgSnapshot) -> Self {
        Self {
            org: org.name.to_string(),
            devices: org.devices.iter().map(Device::of).collect(),
            link: org.link.clone(),
            requests: org.device_requests.iter().map(Request::of).collect(),
        }
    }
}

impl Device {
    fn of(device: &DeviceView) -> Self {
        Self {
            id: device.id.clone(),
            name: device.name.clone(),
            label: device.label.clone(),
            enrolled: device.enrolled.0,
            seen: device.seen.map(|seen| seen.0),
            this: device.this,
            revoked: device.revoked,
            vouched_by: device.vouched_by.clone(),
        }
    }
}

impl Request {
    fn of(request: &DeviceRequest) -> Self {
        let (state, words) = match &request.state {
            DeviceRequestState::Asking => ("asking", Vec::new()),
            DeviceRequestState::Comparing => ("comparing", Vec::new()),
            DeviceRequestState::Words { words } => ("words", words.clone()),
            DeviceRequestState::Elsewhere => ("elsewhere", Vec::new()),
        };
        Self {
            id: request.id.clone(),
            label: request.label.clone(),
            until: request.until.0,
            state: state.into(),
            words,
        }
    }
}
