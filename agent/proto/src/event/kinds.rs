//! What can happen that an audit keeps. A kind is added, never changed: files are kept for ever.
//! Texts from outside are `Shown` here: whoever reads an audit must not be deceived by a group's name.

use super::Statements;
use crate::{
    channel::HandshakeHash,
    frame::Purpose,
    grant::Granted,
    identity::PeerId,
    names::{ServiceName, Subject},
    principal::Principal,
    problem::Code,
    statement::{Assurance, Extent, GrantId, RevokeTarget, StatementHash},
    strict,
    text::Shown,
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// Most group names that are written out.
const MAX_GROUPS: usize = 16;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// The keeper of the chain started.
    Started {
        version: String,
    },
    Stopped {},
    PortalOpened(PortalOpened),
    PortalClosed(PortalClosed),
    PortalRefused(PortalRefused),
    /// Its circuit was lost; it waits for its agent.
    PortalSuspended {
        channel: String,
        portal: u64,
        service: ServiceName,
    },
    /// The same device came back, proved everything again, and was allowed again. Written and synced before the next byte flows.
    PortalResumed(PortalResumed),
    /// Found at a start: the outlet ended before it could close this portal's record. Its bytes are not known.
    PortalAbandoned {
        channel: String,
        portal: u64,
        service: ServiceName,
    },
    /// So many more were refused before they proved anything than one by one are worth writing down.
    RefusalsNotListed {
        count: u64,
    },
    /// Policies, catalogue, provider settings or keys changed.
    StandingChanged {
        what: String,
    },
    Revoked {
        who: RevokeTarget,
        epoch: u64,
    },
    /// The owner closed a service, or all of them, or opened them again.
    KillSwitch {
        service: Option<ServiceName>,
        killed: bool,
    },
    DeviceEnrolled {
        sub: Subject,
        device: PeerId,
        ticket: String,
    },
    /// One device of a person let another one in.
    DeviceVouched {
        sub: Subject,
        device: PeerId,
        by: PeerId,
        vouch: String,
    },
    OutletEnrolled {
        service: ServiceName,
        outlet: PeerId,
        ticket: String,
    },
    CredentialIssued {
        sub: Subject,
        device: PeerId,
        id: String,
    },
    /// Somebody asked for access. The line is what the seal on the request points at.
    AccessAsked(AccessAsked),
    /// Somebody approved. The line is what the seal on the approval points at.
    AccessApproved(AccessApproved),
    AccessDenied {
        grant: GrantId,
        by: Subject,
        because: Shown,
    },
    AccessWithdrawn {
        grant: GrantId,
    },
    GrantTakenBack {
        grant: GrantId,
        /// Nobody named: the authority, or an administrator by its words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Subject>,
    },
    /// The first use: from here on its time runs.
    GrantUsed {
        grant: GrantId,
    },
    /// What was asked of a database, in a chain of its own.
    Statements(Statements),
    /// So many words about statements found no room at the end of a session, and were dropped.
    StatementsNotListed {
        count: u64,
        /// The session, as in the record of its portal's opening; nothing of it where too many were counted together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        portal: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub: Option<Subject>,
    },
    /// A role was made at the database for a grant, or for a person who needs none.
    RoleMade {
        service: ServiceName,
        role: String,
        sub: Subject,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<GrantId>,
    },
    /// It is gone from the database: looked for, and not there.
    RoleDropped {
        service: ServiceName,
        role: String,
    },
    /// An outlet's chain does not follow from what was handed in before: a new one, from its first line on, is kept beside the old.
    AuditBegunAnew {
        outlet: PeerId,
        /// Lines of the old one.
        kept: u64,
    },
    /// From here on a service's statements are recorded, in a chain beside this one that must be there.
    StatementsRecorded {
        service: ServiceName,
        how: String,
    },
}

/// A request for access.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessAsked {
    pub grant: GrantId,
    pub sub: Subject,
    pub device: PeerId,
    pub service: ServiceName,
    pub extent: Extent,
    pub emergency: bool,
    pub because: Shown,
}

/// One person's approval.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessApproved {
    pub grant: GrantId,
    /// The `tg-grant`.
    pub statement: StatementHash,
    pub by: Subject,
    pub device: PeerId,
    pub extent: Extent,
}

/// Under what a portal was opened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    pub id: GrantId,
    pub extent: Extent,
    pub approvers: Vec<Subject>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
}

impl From<&Granted> for Used {
    fn from(granted: &Granted) -> Self {
        Self {
            id: granted.id,
            extent: granted.extent,
            approvers: granted.approvers(),
            emergency: granted.emergency,
        }
    }
}

/// Who was at the other end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub sub: Subject,
    pub device: PeerId,
    pub device_name: Shown,
    /// The first groups the provider named, and how many there were.
    pub groups: Vec<Shown>,
    pub group_count: u64,
    /// Written only where it is low, as after a device-code sign-in.
    #[serde(default = "high", skip_serializing_if = "is_high")]
    pub assurance: Assurance,
}

fn high() -> Assurance {
    Assurance::High
}

fn is_high(assurance: &Assurance) -> bool {
    *assurance == Assurance::High
}

impl From<&Principal> for Peer {
    fn from(principal: &Principal) -> Self {
        Self {
            sub: principal.sub.clone(),
            device: principal.device,
            device_name: Shown::new(&principal.device_name),
            groups: principal
                .groups
                .iter()
                .take(MAX_GROUPS)
                .map(|name| Shown::new(name))
                .collect(),
            group_count: principal.groups.len() as u64,
            assurance: principal.assurance,
        }
    }
}

/// A portal is about to be opened. Written and synced before the first byte flows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalOpened {
    /// Names the channel; with `portal`, names the portal.
    pub channel: String,
    pub portal: u64,
    pub service: ServiceName,
    pub purpose: String,
    pub peer: Peer,
    /// The credential's `jti`.
    pub credential: String,
    /// What it was opened under, where it was not a standing right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Used>,
    pub deadline: UnixTime,
    /// No beacon had come for 15 seconds.
    pub authority_away: bool,
}

impl PortalOpened {
    /// As the audit names a channel.
    #[must_use]
    pub fn channel_name(hash: &HandshakeHash) -> String {
        strict::to_base64url(&hash.0)
    }

    /// As the audit names a purpose.
    #[must_use]
    pub fn purpose_name(purpose: Purpose) -> &'static str {
        match purpose {
            Purpose::Connect | Purpose::Resumable => "connect",
            Purpose::Probe => "probe",
        }
    }
}

/// A portal goes on over another channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalResumed {
    /// As in its opening.
    pub channel: String,
    pub portal: u64,
    pub service: ServiceName,
    /// The channel that carries it now.
    pub over: String,
    pub generation: u64,
    /// Who came back for it, as proved anew.
    pub peer: Peer,
    /// The credential's `jti`.
    pub credential: String,
    /// What it goes on under, where that is not a standing right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Used>,
    pub deadline: UnixTime,
}

/// A portal has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalClosed {
    pub channel: String,
    pub portal: u64,
    pub service: ServiceName,
    /// Bytes to the target.
    pub sent: u64,
    /// Bytes from the target.
    pub received: u64,
    pub reason: Code,
}

/// Somebody was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalRefused {
    pub channel: String,
    pub service: ServiceName,
    /// What the peer was told.
    pub code: Code,
    /// The exact reason.
    pub exact: String,
    /// Who it was, if that had been proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
}
