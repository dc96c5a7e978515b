//! Whom an event is about, so that a person can be shown what was recorded of them, and nothing of anybody else.
//! Many events name nobody and go on with something that an earlier one began: those are found by that thing's name.

use super::{EventKind, PortalOpened, PortalRefused, PortalResumed};
use crate::{
    names::Subject,
    statement::{GrantId, RevokeTarget},
};

/// Whom an event is about: the people it names, and what it begins or goes on with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    pub people: Vec<Subject>,
    /// Everybody whom an event of the same thread named is meant, too.
    pub thread: Option<Thread>,
}

/// Events that belong together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thread {
    /// A device or a grant: the authority knows whose it is, and no outlet's word counts for that.
    Authority(String),
    /// A portal or a role: whoever keeps the record knows. It is over with an event that `ends` it.
    Keeper { name: String, ends: bool },
}

impl Thread {
    fn device(device: impl std::fmt::Display) -> Self {
        Self::Authority(format!("device {device}"))
    }

    fn grant(id: &GrantId) -> Self {
        Self::Authority(format!("grant {id}"))
    }

    fn portal(channel: &str, number: u64) -> Self {
        let name = format!("portal {channel} {number}");
        Self::Keeper { name, ends: false }
    }

    fn role(role: &str) -> Self {
        let name = format!("role {role}");
        Self::Keeper { name, ends: false }
    }

    fn ends(self) -> Self {
        match self {
            Self::Keeper { name, .. } => Self::Keeper { name, ends: true },
            Self::Authority(_) => self,
        }
    }

    /// The same for all events of one thread in the record of one keeper.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Authority(name) | Self::Keeper { name, .. } => name,
        }
    }
}

impl About {
    fn person(sub: &Subject) -> Self {
        Self {
            people: vec![sub.clone()],
            thread: None,
        }
    }

    fn on(self, thread: Thread) -> Self {
        Self {
            thread: Some(thread),
            ..self
        }
    }

    fn thread(thread: Thread) -> Self {
        Self::default().on(thread)
    }

    fn with(mut self, other: Option<&Subject>) -> Self {
        self.people.extend(other.cloned());
        self
    }
}

impl EventKind {
    /// Whom this is about; nobody, where it is about an org or a service.
    #[must_use]
    pub fn about(&self) -> About {
        match self {
            Self::PortalOpened(PortalOpened {
                peer,
                channel,
                portal: number,
                ..
            })
            | Self::PortalResumed(PortalResumed {
                peer,
                channel,
                portal: number,
                ..
            }) => About::person(&peer.sub).on(Thread::portal(channel, *number)),
            Self::PortalRefused(PortalRefused { peer, .. }) => {
                About::default().with(peer.as_ref().map(|peer| &peer.sub))
            }
            Self::PortalClosed(closed) => {
                About::thread(Thread::portal(&closed.channel, closed.portal).ends())
            }
            Self::PortalSuspended {
                channel, portal, ..
            } => About::thread(Thread::portal(channel, *portal)),
            Self::PortalAbandoned {
                channel, portal, ..
            } => About::thread(Thread::portal(channel, *portal).ends()),
            Self::DeviceEnrolled { sub, device, .. }
            | Self::DeviceVouched { sub, device, .. }
            | Self::CredentialIssued { sub, device, .. } => {
                About::person(sub).on(Thread::device(device))
            }
            Self::Revoked { who, .. } => match who {
                RevokeTarget::Subject(sub) => About::person(sub),
                RevokeTarget::Device(device) => About::thread(Thread::device(device)),
            },
            Self::RoleMade { sub, role, .. } => About::person(sub).on(Thread::role(role)),
            Self::RoleDropped { role, .. } => About::thread(Thread::role(role).ends()),
            Self::Statements(statements) => About::person(&statements.sub),
            Self::StatementsNotListed { sub, .. } => About::default().with(sub.as_ref()),
            Self::AccessAsked(_)
            | Self::AccessApproved(_)
            | Self::AccessDenied { .. }
            | Self::AccessWithdrawn { .. }
            | Self::GrantTakenBack { .. }
            | Self::GrantUsed { .. } => self.about_access(),
            Self::Started { .. }
            | Self::Stopped {}
            | Self::RefusalsNotListed { .. }
            | Self::StandingChanged { .. }
            | Self::KillSwitch { .. }
            | Self::OutletEnrolled { .. }
            | Self::StatementsRecorded { .. }
            | Self::AuditBegunAnew { .. } => About::default(),
        }
    }

    /// Who asked is named once; who decided sees what they did, and does not see from then on what the other one does.
    fn about_access(&self) -> About {
        match self {
            Self::AccessAsked(asked) => About::person(&asked.sub).on(Thread::grant(&asked.grant)),
            Self::AccessApproved(approved) => About::thread(Thread::grant(&approved.grant)),
            Self::AccessDenied { grant: id, .. }
            | Self::AccessWithdrawn { grant: id }
            | Self::GrantTakenBack { grant: id, .. }
            | Self::GrantUsed { grant: id } => About::thread(Thread::grant(id)),
            _ => About::default(),
        }
    }

    /// Whether those whom it is about may read it: why exactly somebody was refused is for whoever keeps the door.
    #[must_use]
    pub fn is_for_them(&self) -> bool {
        !matches!(self, Self::PortalRefused(_) | Self::Statements(_))
    }

    /// Who did it, where that is somebody else than whom it is about: it is in their record as well.
    #[must_use]
    pub fn done_by(&self) -> Option<&Subject> {
        match self {
            Self::AccessApproved(approved) => Some(&approved.by),
            Self::AccessDenied { by, .. } => Some(by),
            Self::GrantTakenBack { by, .. } => by.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        event::{AccessApproved, PortalClosed},
        identity::PeerId,
        problem::Code,
        statement::{Extent, StatementHash},
        testing::{key, warehouse},
    };

    const GRANT: GrantId = StatementHash([7; 32]);

    fn ana() -> Subject {
        "00uana".parse().unwrap()
    }

    fn device() -> PeerId {
        key(3).verify_key().peer_id()
    }

    fn name(event: &EventKind) -> String {
        event.about().thread.unwrap().name().to_owned()
    }

    #[test]
    fn what_names_nobody_goes_on_with_what_named_somebody() {
        let enrolled = EventKind::DeviceEnrolled {
            sub: ana(),
            device: device(),
            ticket: "t".into(),
        };
        let revoked = EventKind::Revoked {
            who: RevokeTarget::Device(device()),
            epoch: 2,
        };
        let made = EventKind::RoleMade {
            service: warehouse(),
            role: "tg_1".into(),
            sub: ana(),
            grant: None,
        };
        let dropped = EventKind::RoleDropped {
            service: warehouse(),
            role: "tg_1".into(),
        };

        for (first, next) in [(enrolled, revoked), (made, dropped)] {
            assert_eq!(first.about().people, [ana()]);
            assert!(next.about().people.is_empty());
            assert_eq!(name(&first), name(&next));
        }
    }

    #[test]
    fn a_portal_is_told_from_another_of_the_same_channel() {
        let closed = |portal| {
            EventKind::PortalClosed(PortalClosed {
                channel: "c".into(),
                portal,
                service: warehouse(),
                sent: 0,
                received: 0,
                reason: Code::DisconnectedByYou,
            })
        };

        assert_ne!(name(&closed(1)), name(&closed(2)));
    }

    #[test]
    fn whoever_approves_does_not_see_what_becomes_of_it() {
        let approved = EventKind::AccessApproved(AccessApproved {
            grant: GRANT,
            statement: StatementHash([8; 32]),
            by: "00ubob".parse().unwrap(),
            device: device(),
            extent: Extent {
                seconds: 60,
                read_only: false,
            },
        });
        let used = EventKind::GrantUsed { grant: GRANT };

        assert_eq!(approved.done_by(), Some(&"00ubob".parse().unwrap()));
        assert!(approved.about().people.is_empty());
        assert_eq!(name(&approved), name(&used));
    }
}
