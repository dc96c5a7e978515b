//! One connected service from Connect to Disconnect: port, proof, probe, spares, and the way out.
//! It says Connected only after the outlet has permitted, recorded and answered a probe; a port alone proves nothing.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::ServiceKind;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::circuit::{Came, Circuits, Spare, stoke, waits_for_approval};
use crate::inlet::bind::bind;
use crate::inlet::host::{Awaited, Opener};
use crate::inlet::listen::{Inlet, InletParts};
use crate::inlet::postgres::Front;
use crate::inlet::visit::VisitEnd;
use crate::platform::socket::Socket;
use crate::problems;
use crate::snapshot::ConnectStep;

/// Ends of visits that wait to be looked at.
const ENDS: usize = 64;

/// What the owner of the state learns from a door.
pub(crate) struct DoorReport {
    pub(crate) service: ServiceName,
    /// Which of the service's doors this was: an old one must not speak for a new one.
    pub(crate) attempt: u64,
    pub(crate) news: DoorNews,
}

pub(crate) enum DoorNews {
    Step(ConnectStep),
    Connected,
    Visit(VisitEnd),
    /// Goes on, but the person should know.
    Trouble(Problem),
    /// It never opened.
    Failed(Problem),
    /// It was told to close, and has.
    Closed,
}

/// What a door is made of.
pub(crate) struct DoorParts {
    pub(crate) service: ServiceName,
    pub(crate) attempt: u64,
    pub(crate) kind: ServiceKind,
    pub(crate) port: u16,
    /// Where a Unix socket is wanted too.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) circuits: Arc<Circuits>,
    pub(crate) front: Arc<Front>,
    pub(crate) awaited: watch::Receiver<Option<Awaited>>,
    pub(crate) max_connections: usize,
    pub(crate) reports: mpsc::Sender<DoorReport>,
}

/// A door at work. Dropping it closes the port without a word.
pub(crate) struct DoorHandle {
    pub(crate) attempt: u64,
    pub(crate) port: u16,
    close: watch::Sender<Option<Problem>>,
    task: JoinHandle<()>,
}

impl DoorHandle {
    pub(crate) fn open(parts: DoorParts) -> Self {
        let (close, closing) = watch::channel(None);
        let (attempt, port) = (parts.attempt, parts.port);
        Self {
            attempt,
            port,
            close,
            task: tokio::spawn(parts.run(closing)),
        }
    }

    /// Starts closing; `DoorNews::Closed` follows.
    pub(crate) fn close(&self, why: Problem) {
        self.close.send_replace(Some(why));
    }

    /// Closes and waits.
    pub(crate) async fn finish(mut self, why: Problem) {
        self.close(why);
        let _ = (&mut self.task).await;
    }
}

impl Drop for DoorHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl DoorParts {
    async fn run(self, mut closing: watch::Receiver<Option<Problem>>) {
        let (inlet, mut ends) = match self.open_port().await {
            Ok(open) => open,
            Err(problem) => return self.say(DoorNews::Failed(problem)).await,
        };
        // Owned by this scope: the socket goes when the door does.
        let _socket = self.open_socket().await;
        let why = match self.probed(&mut closing).await {
            Ok(spare) => self.stay(spare, &mut ends, &mut closing).await,
            Err((why, true)) => why,
            Err((problem, false)) => {
                inlet.close(problem.clone()).await;
                return self.say(DoorNews::Failed(problem)).await;
            }
        };
        inlet.close(why.clone()).await;
        // Portals that a program opened without the inlet end here too: the door is gone.
        self.circuits
            .live
            .end(|service| *service == self.service, why.code);
        tracing::info!(service = %self.service, code = %why.code, "door was closed");
        self.say(DoorNews::Closed).await;
    }

    /// Asks the outlet; where somebody has to approve first, the port stays open meanwhile, and it is asked again.
    /// Gives why not, and whether that is because the door was told to close.
    async fn probed(
        &self,
        closing: &mut watch::Receiver<Option<Problem>>,
    ) -> Result<Spare, (Problem, bool)> {
        let mut asks = self.circuits.asks.subscribe();
        loop {
            self.say(DoorNews::Step(ConnectStep::AskingOutlet)).await;
            let before = asks.borrow_and_update().clone();
            let probed = tokio::select! {
                why = wait_for(closing) => return Err((why, true)),
                probed = self.circuits.probe(&self.service) => probed,
            };
            match probed {
                Err(problem) if waits_for_approval(problem.code) => {}
                probed => return probed.map_err(|problem| (problem, false)),
            }
            self.say(DoorNews::Step(ConnectStep::WaitingForApproval))
                .await;
            let came = tokio::select! {
                why = wait_for(closing) => return Err((why, true)),
                now = asks.wait_for(|asks| asks.since(&before, &self.service).is_some()) => {
                    now.ok().and_then(|now| now.since(&before, &self.service))
                }
            };
            match came {
                Some(Came::Granted) => {}
                Some(Came::Refused(problem)) => {
                    return Err((problem.service(&self.service), false));
                }
                None => return Err((Problem::new(Code::AppQuitting), true)),
            }
        }
    }

    async fn open_port(&self) -> Result<(Inlet, mpsc::Receiver<VisitEnd>), Problem> {
        self.say(DoorNews::Step(ConnectStep::OpeningPort)).await;
        let listeners = bind(self.port)
            .await
            .map_err(|error| problems::of_bind(error, &self.service))?;
        self.circuits.live.begin(&self.service);
        let (ends, ended) = mpsc::channel(ENDS);
        let parts = InletParts {
            service: self.service.clone(),
            kind: self.kind,
            opener: Arc::clone(&self.circuits) as Arc<dyn Opener>,
            front: Arc::clone(&self.front),
            awaited: self.awaited.clone(),
            max_connections: self.max_connections,
            ends,
        };
        Ok((Inlet::start(listeners, parts), ended))
    }

    /// A socket that cannot be had is said; the port is there all the same.
    async fn open_socket(&self) -> Option<Socket> {
        let path = self.socket.as_ref()?;
        match Socket::open(path, self.port, self.max_connections).await {
            Ok(socket) => Some(socket),
            Err(error) => {
                let problem = Problem::new(Code::SocketFailed)
                    .service(&self.service)
                    .path(&path.display().to_string())
                    .said(&error.to_string());
                self.say(DoorNews::Trouble(problem)).await;
                None
            }
        }
    }

    /// Connected, until told to close. Gives the reason.
    async fn stay(
        &self,
        spare: Spare,
        ends: &mut mpsc::Receiver<VisitEnd>,
        closing: &mut watch::Receiver<Option<Problem>>,
    ) -> Problem {
        tracing::info!(service = %self.service, port = self.port, "door was opened");
        self.say(DoorNews::Connected).await;
        // Owned by this scope: the spares go when the door does.
        let mut spares = JoinSet::new();
        spares.spawn(stoke(
            Arc::clone(&self.circuits),
            self.service.clone(),
            spare,
        ));
        loop {
            tokio::select! {
                why = wait_for(closing) => {
                    spares.shutdown().await;
                    return why;
                }
                Some(end) = ends.recv() => self.say(DoorNews::Visit(end)).await,
            }
        }
    }

    async fn say(&self, news: DoorNews) {
        let report = DoorReport {
            service: self.service.clone(),
            attempt: self.attempt,
            news,
        };
        // Nobody listens only while the agent is going away.
        let _ = self.reports.send(report).await;
    }
}

async fn wait_for(closing: &mut watch::Receiver<Option<Problem>>) -> Problem {
    let why = closing
        .wait_for(Option::is_some)
        .await
        .map(|why| why.clone());
    match why {
        Ok(Some(problem)) => problem,
        _ => Problem::new(tidegate_proto::problem::Code::AppQuitting),
    }
}
