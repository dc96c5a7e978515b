//! Requests for access in the snapshot: one's own, and those of others that wait for this person.
//! All texts are safe to show. What was asked for, and by whom, is what the asking device signed; names, states and who
//! approved or saw it are the hub's words.

use crate::{ServiceName, UnixTime};
use serde::{Deserialize, Serialize};

/// A request that concerns this person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestShown {
    /// Names it in `Action::Decide` and others.
    pub id: String,
    pub service: ServiceName,
    /// Who asks, as the provider names them: signed by their device and believed by outlets.
    pub by: String,
    /// Their address, by the hub's word alone. Never shown without `by`.
    pub name: Option<String>,
    /// This person asks.
    pub mine: bool,
    /// On this device, which is the only one that may use it.
    pub here: bool,
    /// Waits for this person's decision.
    pub yours: bool,
    /// In the words of whoever asks.
    pub reason: String,
    /// What was asked for, in seconds from the first use.
    pub seconds: u64,
    pub read_only: bool,
    /// Break-glass.
    pub emergency: bool,
    /// It is to follow that one.
    pub extends: Option<String>,
    pub asked: UnixTime,
    /// How many people must approve, and who has.
    pub needs: u8,
    pub approved: Vec<String>,
    /// Who has it before their eyes.
    pub seen: Vec<String>,
    /// This person is among them.
    #[serde(default)]
    pub seen_by_me: bool,
    pub state: RequestAt,
}

/// Where a request is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestAt {
    Waiting {
        until: UnixTime,
    },
    /// `until`: when it ends, once it is in use. Unused it ends at `claim_by`.
    Granted {
        seconds: u64,
        read_only: bool,
        claim_by: UnixTime,
        until: Option<UnixTime>,
    },
    Denied {
        by: String,
        because: String,
    },
    Withdrawn,
    Expired,
    TakenBack {
        by: String,
        because: String,
    },
    Over {
        used: bool,
    },
}

/// What was granted to this device for a service, and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantHere {
    /// Names it in `Action::Extend` and `Action::TakeBack`.
    pub request: String,
    /// In seconds from the first use.
    pub seconds: u64,
    pub read_only: bool,
    /// When it ends, once it is in use. Unused it ends at `claim_by`.
    pub until: Option<UnixTime>,
    pub claim_by: UnixTime,
    /// The last warning that is due: it ends within so many minutes (15, 5 or 1). Whoever shows it tells a person when it
    /// changes. Nothing while there is no need to: it has long to go, or something that was granted follows.
    pub warning: Option<u8>,
    /// What was asked for to go on afterwards.
    pub follower: Follower,
}

/// What follows a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follower {
    Nothing,
    /// Somebody was asked.
    Asked,
    /// Programs are carried on by themselves.
    Granted,
}

/// That a service has to be asked for, and on what terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Askable {
    /// Longest and usual time, in seconds.
    pub longest: u64,
    pub usual: u64,
    /// How many people must approve.
    pub approvals: u8,
}
