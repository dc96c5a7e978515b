//! A program that was greeted and waits for its portal.
//! What is awaited is said only after a moment: most portals open sooner, and then no line should be in the way.

use std::pin::pin;
use std::time::Duration;

use tidegate_link::Portal;
use tidegate_postgres::{Hold, Outflow, Report, SqlState, Startup, Swallow, Swallowed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::select;
use tokio::time::{sleep, timeout};

use super::first::Line;
use crate::inlet::host::Host;
use crate::{Code, Problem, problems};

/// How long a program waits in silence.
const PATIENCE: Duration = Duration::from_millis(500);
/// For the outlet's first word: it logs in at the database before it says it.
const OUTLET_LIMIT: Duration = Duration::from_secs(25);

pub(super) struct Held {
    pub(super) line: Line,
    hold: Hold,
}

/// Why there is no portal.
pub(super) enum Over {
    /// The program left.
    Left,
    Refused(Problem),
    Closed(Problem),
}

/// Greets the program; nothing when it left.
pub(super) async fn begin(mut line: Line, startup: Startup, early: Vec<u8>) -> Option<Held> {
    let Ok((hold, greeting)) = Hold::begin(startup, early) else {
        tidegate_postgres_carry::say(line, &impatient()).await;
        return None;
    };
    line.write_all(&greeting).await.ok()?;
    line.flush().await.ok()?;
    Some(Held { line, hold })
}

impl Held {
    /// Waits for a portal, telling the program what for.
    pub(super) async fn wait(&mut self, host: &Host) -> Result<Portal, Over> {
        let startup = self.hold.startup();
        let mut open = pin!(host.open_when_approved(&startup));
        let mut closed = pin!(host.closed());
        let mut patience = pin!(sleep(PATIENCE));
        let (mut awaited, mut asks) = (host.awaited(), host.asks());
        let (mut patient, mut told_more, mut asks_more) = (true, true, true);
        let mut early = [0; 1024];
        loop {
            select! {
                biased;
                why = &mut closed => return Err(Over::Closed(why)),
                opened = &mut open => return opened.map_err(Over::Refused),
                () = &mut patience, if patient => patient = false,
                changed = awaited.changed(), if !patient && told_more => told_more = changed.is_ok(),
                changed = asks.changed(), if !patient && asks_more => asks_more = changed.is_ok(),
                read = self.line.read(&mut early) => match read {
                    Ok(0) | Err(_) => return Err(Over::Left),
                    Ok(count) => self.keep(&early[..count]).await?,
                },
            }
            let approval = asks.borrow_and_update().awaited(host.service());
            let line = approval
                .or(*awaited.borrow_and_update())
                .filter(|_| !patient);
            if let Some(said) = line.and_then(|awaited| self.hold.notice(awaited.line())) {
                self.line.write_all(&said).await.map_err(|_| Over::Left)?;
                self.line.flush().await.map_err(|_| Over::Left)?;
            }
        }
    }

    async fn keep(&mut self, early: &[u8]) -> Result<(), Over> {
        if self.hold.handle_input(early).is_ok() {
            return Ok(());
        }
        let _ = self.line.write_all(&impatient()).await;
        let _ = self.line.shutdown().await;
        Err(Over::Left)
    }

    /// Sends what else the program has said through the portal, and gives what the outlet says to the startup.
    pub(super) async fn go_on(
        self,
        portal: &mut Portal,
        host: &Host,
    ) -> Result<(Line, Outflow), (Line, Problem)> {
        let Self { line, hold } = self;
        let control = portal.control();
        let answered = select! {
            biased;
            why = host.keeping(&control) => Err(why),
            answered = timeout(OUTLET_LIMIT, ask(portal, hold.go_on(), host)) => {
                answered.unwrap_or_else(|_| Err(Problem::new(Code::TargetSilent).service(host.service())))
            }
        };
        match answered {
            Ok(first) => Ok((line, Outflow::starting_with(first))),
            Err(problem) => Err((line, problem)),
        }
    }
}

/// Everything the outlet answers is for the program, but for the greeting it has had.
async fn ask(portal: &mut Portal, early: Vec<u8>, host: &Host) -> Result<Vec<u8>, Problem> {
    let broke = |error: std::io::Error| problems::of_portal_io(&error, host.service());
    portal.write_all(&early).await.map_err(broke)?;
    portal.flush().await.map_err(broke)?;
    let mut swallow = Swallow::default();
    let mut buffer = vec![0; 4096];
    loop {
        let count = portal.read(&mut buffer).await.map_err(broke)?;
        if count == 0 {
            return Err(Problem::new(Code::ClosedByTarget).service(host.service()));
        }
        match swallow.handle_input(&buffer[..count]) {
            Ok(Swallowed::Nothing) => {}
            Ok(Swallowed::Through(first)) => return Ok(first),
            Err(_) => return Err(Problem::new(Code::PeerBrokeProtocol).service(host.service())),
        }
    }
}

fn impatient() -> Vec<u8> {
    Report::fatal(
        SqlState::PROTOCOL_VIOLATION,
        "too much was sent before the connection was ready",
    )
    .encode()
}
