//! What is asked of the authority about access: ask, decide, withdraw, take back, fetch; and what it tells by itself.
//! Nothing in an answer gives anything: what was approved is believed for the signatures in it (`grant`), words for the requester's own.

use serde::{Deserialize, Serialize};

use super::{bytes, turn::Turn};
use crate::{
    grant::Grant,
    identity::VerifyKey,
    legs::Legs,
    names::{OrgName, ServiceName, Subject},
    statement::{AccessRequest, Extent, GrantId, Statement, StatementError, StatementHash},
    text::{MAX_SHOWN, Shown},
    time::UnixTime,
};

/// How long a request waits for somebody to decide, in seconds.
pub const WAITS: u64 = 86_400;
/// Most requests in one answer or event: one's own that count, alarms, and those that wait for the caller first.
pub const MAX_VIEWS: usize = 48;
/// Longest reason of a denial or of taking something back, in characters: what is shown is all of it.
pub const MAX_BECAUSE: usize = MAX_SHOWN;

/// A signed-in device does something about access.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCall {
    pub legs: Legs,
    /// Signature of the identity over `auth::proof_input` of this channel's handshake hash.
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
    pub act: AccessAct,
}

/// What it does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccessAct {
    /// Nothing but being told how things are.
    Look {},
    /// Asks for access (`tg-request`).
    Ask {
        request: String,
    },
    Withdraw {
        id: GrantId,
    },
    /// Approves (`tg-grant`), for which the call's own legs stand.
    Approve {
        id: GrantId,
        grant: String,
    },
    Deny {
        id: GrantId,
        because: String,
    },
    /// Ends what was granted.
    TakeBack {
        id: GrantId,
        because: String,
    },
    /// Wants what was granted, to present it.
    Fetch {
        id: GrantId,
    },
    /// The person has these before their eyes.
    Seen {
        ids: Vec<GrantId>,
    },
}

/// How things are afterwards.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessAnswer {
    /// The request that the call was about, if it was about one: which one an `Ask` became, merged or new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<GrantId>,
    /// Where this list stands among all that the authority has said; one that does not say is believed as it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// All that concern the caller.
    pub requests: Vec<RequestView>,
    /// For `Fetch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// A person as others see them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    pub sub: Subject,
    /// An e-mail address, where the provider says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
}

impl Named {
    /// For a sentence.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.name
            .clone()
            .unwrap_or_else(|| Shown::new(self.sub.as_str()))
    }
}

/// Somebody at a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NamedAt {
    pub who: Named,
    pub at: UnixTime,
}

/// A request as those whom it concerns see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestView {
    /// `tg-request`: whatever is shown of it is read from here.
    pub request: String,
    /// The key that signed it.
    pub key: VerifyKey,
    pub by: Named,
    /// Whether the person who is told may decide it now.
    pub yours: bool,
    /// How many people must approve.
    pub needs: u8,
    pub approved: Vec<NamedAt>,
    pub seen: Vec<NamedAt>,
    pub state: RequestState,
}

/// Where a request is in its life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestState {
    /// For somebody to decide, until then.
    Waiting {
        until: UnixTime,
    },
    /// It may be used: for the first time until `claim_by`, and for as long as `extent` says from then on.
    Granted {
        extent: Extent,
        claim_by: UnixTime,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_use: Option<UnixTime>,
    },
    Denied {
        by: Named,
        because: Shown,
    },
    Withdrawn {},
    /// Nobody decided in time.
    Expired {},
    TakenBack {
        by: Named,
        because: Shown,
    },
    /// Its time is over; `used` says whether anybody made use of it.
    Over {
        used: bool,
    },
}

impl RequestView {
    /// How it is named.
    #[must_use]
    pub fn id(&self) -> GrantId {
        StatementHash::of(&self.request)
    }

    /// What was asked for in this org, in the words of whoever asked. Names, states and who approved are the hub's words.
    ///
    /// # Errors
    /// When the device that it names did not sign it, or for another org.
    pub fn read(&self, org: &OrgName) -> Result<AccessRequest, StatementError> {
        let request = AccessRequest::verify_for(&self.request, &self.key, org)?;
        if request.device == self.key.peer_id() && request.sub == self.by.sub {
            Ok(request)
        } else {
            Err(StatementError::Content)
        }
    }
}

/// A service that has to be asked for, and the terms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Askable {
    pub service: ServiceName,
    /// Longest and usual work window, in seconds.
    pub longest: u64,
    pub usual: u64,
    /// How many people must approve.
    pub approvals: u8,
}

/// What an outlet hears about the grants of its services, and tells of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantNews {
    pub used: Vec<FirstUse>,
    pub taken_back: Vec<TakenBack>,
}

/// When a grant was first used, as some outlet says.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstUse {
    pub grant: GrantId,
    pub at: UnixTime,
    /// It matters until then.
    pub until: UnixTime,
}

/// A grant that counts no more.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenBack {
    pub grant: GrantId,
    /// It could have been used until then.
    pub until: UnixTime,
}

impl GrantNews {
    /// Most entries in one piece of news, of both kinds together: what an event or a call can hold. More come in several.
    pub const MAX: usize = 400;
}
