//! What the front of an inlet may use while it serves one program: open the portal, know what is awaited, learn why it ends.
//! A front never sees the agent behind it, and it never decides who is served: whoever reaches it was admitted.

use std::pin::Pin;
use std::sync::Arc;

use tidegate_link::{Portal, PortalControl};
use tokio::sync::watch;

use crate::circuit::Asks;
use crate::{Problem, ServiceName};

/// Opens portals; the agent's circuits, or a test.
pub(crate) trait Opener: Send + Sync + 'static {
    /// A fresh portal to `service`, or why there is none. `first`: what the program said first, where the outlet has to
    /// know it; it is not sent again.
    fn open<'a>(
        &'a self,
        service: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>>;

    /// As `open`, and where somebody has to approve first, waits for that, within the agent's limits.
    fn open_when_approved<'a>(
        &'a self,
        service: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        self.open(service, first)
    }

    /// How things stand with approvals, as it changes.
    fn asks(&self) -> Option<watch::Receiver<Asks>> {
        None
    }

    /// Sees to it that a portal to `service` outlives its circuits; resolves when that cannot be done any more.
    fn keep<'a>(
        &'a self,
        _service: &'a ServiceName,
        _portal: &'a PortalControl,
    ) -> Pin<Box<dyn Future<Output = Problem> + Send + 'a>> {
        Box::pin(std::future::pending())
    }
}

/// What a program waits for before its portal can be opened: said to it where its protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    SignIn,
    Hub,
    Outlet,
    /// Somebody has to approve, and nobody was asked.
    Request,
    /// Somebody was asked.
    Approval,
}

impl Awaited {
    /// One line for the program's user.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::SignIn => "tidegate: waiting for sign-in in the browser",
            Self::Hub => "tidegate: waiting for the connection to the hub",
            Self::Outlet => "tidegate: waiting for the service",
            Self::Request => {
                "tidegate: somebody has to approve this first: ask from the Tidegate icon, or run `tidegate request`"
            }
            Self::Approval => "tidegate: waiting for approval; this goes on by itself",
        }
    }
}

/// One service's door on this laptop, shared by all programs that came through it.
pub(crate) struct Host {
    service: ServiceName,
    opener: Arc<dyn Opener>,
    awaited: watch::Receiver<Option<Awaited>>,
    closed: watch::Receiver<Option<Problem>>,
}

impl Host {
    pub(crate) fn new(
        service: ServiceName,
        opener: Arc<dyn Opener>,
        awaited: watch::Receiver<Option<Awaited>>,
        closed: watch::Receiver<Option<Problem>>,
    ) -> Self {
        Self {
            service,
            opener,
            awaited,
            closed,
        }
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Opens a portal; takes as long as what is awaited takes, within the agent's limits.
    ///
    /// # Errors
    /// Why there will be none: show it to the program.
    pub(crate) async fn open(&self, first: &[u8]) -> Result<Portal, Problem> {
        self.opener.open(&self.service, first).await
    }

    /// As `open`, for a program that can be told what it waits for.
    ///
    /// # Errors
    /// As `open`, or why nobody approved.
    pub(crate) async fn open_when_approved(&self, first: &[u8]) -> Result<Portal, Problem> {
        self.opener.open_when_approved(&self.service, first).await
    }

    /// How things stand with approvals; a sender that never says anything where nobody knows.
    pub(crate) fn asks(&self) -> watch::Receiver<Asks> {
        let nothing = || watch::channel(Asks::default()).1;
        self.opener.asks().unwrap_or_else(nothing)
    }

    /// As `closed`, and keeps the portal alive meanwhile: when its circuit dies, it goes on over another one.
    pub(crate) async fn keeping(&self, portal: &PortalControl) -> Problem {
        tokio::select! {
            biased;
            why = self.closed() => why,
            why = self.opener.keep(&self.service, portal) => why.service(&self.service),
        }
    }

    /// What is awaited right now, as it changes; `None` when nothing is.
    pub(crate) fn awaited(&self) -> watch::Receiver<Option<Awaited>> {
        self.awaited.clone()
    }

    /// Waits until the door closes and says why, by this service's name: the reason for the program's last line and
    /// the portal's RESET. What ends every door at once names none.
    pub(crate) async fn closed(&self) -> Problem {
        let mut closed = self.closed.clone();
        let why = closed
            .wait_for(Option::is_some)
            .await
            .map(|why| why.clone());
        match why {
            Ok(Some(problem)) => problem,
            // The inlet is gone without a word: the agent is.
            _ => Problem::new(crate::Code::AppQuitting),
        }
        .service(&self.service)
    }
}
