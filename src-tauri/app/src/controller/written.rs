//! Connections written down: on the clipboard, and in the person's own `pg_service.conf`. What was done is said for a while.
//! A newcomer would let the window hand over the text: it names what it wants, and the text comes from the agent.

use tidegate_agent::{ServiceRef, pg_service};
use tidegate_proto::problem::{Code, Problem};

use super::Controller;
use crate::agent::AgentHandle;
use crate::desktop::Desktop;
use crate::intent::Copyable;
use crate::problem::command;
use crate::scene::{Copied, Wrote};

/// How long "copied" is worth saying.
const COPIED_SAID_SECS: u64 = 15;
/// Somebody goes to a terminal and types what was said.
const WROTE_SAID_SECS: u64 = 60;

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    /// Says whether the text is on the clipboard now.
    pub(super) fn copy(&mut self, what: Copyable) -> bool {
        let Some(text) = self.text_of(&what) else {
            return false;
        };
        self.notes.forget(Code::ClipboardFailed);
        if self.desktop.copy(&text).is_err() {
            self.notes.copied = None;
            self.notes.desktop.push(Problem::new(Code::ClipboardFailed));
            return false;
        }
        let said_until = self.clock.now().plus(COPIED_SAID_SECS);
        self.notes.copied = Some(Copied { what, said_until });
        true
    }

    fn text_of(&self, what: &Copyable) -> Option<String> {
        match what {
            Copyable::SignInUrl { org } => self.sign_in(org)?.url.clone(),
            Copyable::DeviceLink { org } => {
                let link = &self.snapshot.as_ref()?.org(org)?.link;
                (!link.is_empty()).then(|| link.clone())
            }
            Copyable::Command { about } => command(self.scene().find(about)?),
            Copyable::Connection { service, form } => {
                let connection = &self.snapshot.as_ref()?.service(service)?.connection;
                connection.get((*form).into())
            }
        }
    }

    /// The agent did what was asked for: says under which name the service can be found now.
    pub(super) fn wrote(&mut self, service: Option<ServiceRef>) {
        let (Some(service), Some(snapshot)) = (service, &self.snapshot) else {
            return;
        };
        let Some(view) = snapshot.service(&service) else {
            return;
        };
        self.notes.forget(Code::PgServiceNotWritten);
        self.notes.wrote = Some(Wrote {
            section: pg_service::section(snapshot, &service.org, view),
            said_until: self.clock.now().plus(WROTE_SAID_SECS),
            service,
        });
    }
}
