//! What the hub's keeper tells the owner of the state, and what sets it back.
//! A setback is either a matter of time or the end: nothing in between, because somebody must know what to do.

use std::sync::Arc;

use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::api::access::RequestView;
use tidegate_proto::api::devices::{DeviceInfo, Introduction};
use tidegate_proto::api::turn::Turn;
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::IdpStatement;

use super::access::Access;
use super::trust::Trust;
use crate::snapshot::HubState;

/// What the owner of the state learns from this task.
pub(crate) enum HubReport {
    State(HubState),
    /// Rights were renewed; the catalogue may have changed.
    Granted(Arc<Access>),
    /// Rights came, but nothing can be built on them: why. What is open stays open.
    Withheld(Problem),
    /// New devices of the person that ask to be let in.
    Introductions(Vec<Introduction>),
    /// Requests for access that concern the person, and where that list stands among those that were said.
    Requests(Option<Turn>, Vec<RequestView>),
    /// The person's devices.
    Devices(Vec<DeviceInfo>),
    /// To be kept on disk.
    Learned(Box<Learned>),
    /// Goes on, but the person should know.
    Trouble(Problem),
    /// Troubles of these codes are over.
    Better(&'static [Code]),
    /// Access has ended: only a new sign-in, a new link or an administrator helps.
    Ended(Problem),
}

/// What a round taught us that must survive a restart.
pub(crate) struct Learned {
    pub(crate) trust: Trust,
    pub(crate) root: VerifyKey,
    pub(crate) services: Vec<CatalogueEntry>,
    pub(crate) idp: IdpStatement,
}

/// What a round that went well proves to be over.
pub(crate) const BETTER: &[Code] = &[
    Code::HubUnreachable,
    Code::HubNotTrusted,
    Code::AuthorityAway,
    Code::ProviderUnreachable,
    Code::TimedOut,
    Code::HubBusy,
    Code::ClockOff,
    Code::OrgNotRenewed,
    Code::PeerBrokeProtocol,
];

/// Why a round ended early.
pub(super) enum Setback {
    /// Try again later; what is open stays open.
    Away(Problem),
    /// Over.
    Final(Problem),
}

/// Whether asking again cannot help.
pub(super) fn is_final(code: Code) -> bool {
    !matches!(
        code,
        Code::HubBusy
            | Code::HubStopping
            | Code::TimedOut
            | Code::ProviderUnreachable
            | Code::NotRecorded
            | Code::AuthorityAway
            | Code::ClockOff
            | Code::OrgNotRenewed
            | Code::Internal
            | Code::PeerBrokeProtocol
    )
}
