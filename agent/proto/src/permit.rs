//! The right to connect, as a value: without a `Permit` no outlet opens a socket to a target.
//! Only `Allowed::recorded` makes one, so policy has allowed it and the audit record is durable. It is used up by the dialler.
//!
//! Others can take one, but not make one, copy one, or skip the record:
//!
//! ```
//! # use tidegate_proto::{event::Recorded, permit::Permit};
//! fn dial(permit: Permit, recorded: &Recorded) -> u64 { permit.portal() }
//! ```
//!
//! ```compile_fail,E0451
//! # use tidegate_proto::permit::Permit;
//! let forged = Permit { opened: todo!(), principal: todo!(), purpose: todo!() };
//! ```
//!
//! ```compile_fail,E0599
//! # fn twice(permit: tidegate_proto::permit::Permit) {
//! let second = permit.clone();
//! # }
//! ```
//!
//! ```compile_fail,E0451
//! # use tidegate_proto::event::Recorded;
//! let pretended = Recorded { what: todo!() };
//! ```

use crate::{
    event::{EventKind, PortalOpened, Recorded, Used},
    frame::Purpose,
    names::ServiceName,
    principal::Principal,
    refusal::{Phase, Refusal, RefusalReason},
    time::UnixTime,
};

/// Policy has allowed a portal; the audit does not hold it yet.
#[derive(Debug)]
#[must_use = "a portal that was allowed must be recorded or refused"]
pub struct Allowed {
    opened: PortalOpened,
    principal: Principal,
    purpose: Purpose,
}

impl Allowed {
    pub(crate) fn new(opened: PortalOpened, principal: Principal, purpose: Purpose) -> Self {
        Self {
            opened,
            principal,
            purpose,
        }
    }

    /// What the audit must hold before anything is dialled.
    #[must_use]
    pub fn event(&self) -> &PortalOpened {
        &self.opened
    }

    /// Turns into the permit, given the proof that exactly this was recorded.
    ///
    /// # Errors
    /// `OtherRecord` when the proof is of something else.
    pub fn recorded(self, proof: Recorded) -> Result<Permit, Refusal> {
        match proof.into_kind() {
            EventKind::PortalOpened(opened) if opened == self.opened => Ok(Permit {
                opened,
                principal: self.principal,
                purpose: self.purpose,
            }),
            _ => Err(Refusal::new(Phase::Opening, RefusalReason::OtherRecord)),
        }
    }
}

/// The right to open one portal. Plain data; the outlet pairs it with its revocation watch.
#[derive(Debug)]
#[must_use = "a permit is there to be used once"]
pub struct Permit {
    opened: PortalOpened,
    principal: Principal,
    purpose: Purpose,
}

impl Permit {
    /// The service it opens.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        &self.opened.service
    }

    /// Who it was given to.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What was granted, where it is not a standing right.
    #[must_use]
    pub fn grant(&self) -> Option<&Used> {
        self.opened.grant.as_ref()
    }

    /// Names the channel, as the audit does.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.opened.channel
    }

    /// The agent's number for the portal.
    #[must_use]
    pub fn portal(&self) -> u64 {
        self.opened.portal
    }

    /// When the portal must be closed, unless a REAUTH moved the session's deadline.
    #[must_use]
    pub fn deadline(&self) -> UnixTime {
        self.opened.deadline
    }

    /// Whether to carry a connection or only to look.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}
