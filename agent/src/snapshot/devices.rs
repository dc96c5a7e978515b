//! The person's devices, and how they let each other in, as window, tray and command line show it.
//! Names that devices give themselves are made safe to show before they are in here.

use serde::{Deserialize, Serialize};

use crate::UnixTime;

/// A device of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Names it in `Action::RevokeDevice`.
    pub id: String,
    /// As records call it: `dev-…`.
    pub name: String,
    /// As it called itself; empty for one that joined with a ticket.
    pub label: String,
    pub enrolled: UnixTime,
    /// When it was last let in.
    pub seen: Option<UnixTime>,
    /// The one the person sits at.
    pub this: bool,
    pub revoked: bool,
    /// The device that let it in.
    pub vouched_by: Option<String>,
}

/// A new device that asks to be let in by this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// Names it in `Action::CompareDevice`, `ApproveDevice` and `DeclineDevice`.
    pub id: String,
    pub label: String,
    pub until: UnixTime,
    pub state: DeviceRequestState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceRequestState {
    /// Nobody has looked yet: offer Compare and Decline.
    Asking,
    /// The words are on their way.
    Comparing,
    /// The same six words must be on both screens: offer Approve and Decline.
    Words { words: Vec<String> },
    /// Another device of the person shows them.
    Elsewhere,
}

/// A device that joined with a link without a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolling {
    /// Its person has to sign in here first.
    SignIn,
    /// Look at another device where the same person is signed in.
    Asking { until: UnixTime },
    /// The same six words must be on both screens.
    Words { words: Vec<String>, until: UnixTime },
}
