//! The front of a `postgres` service: answers the startup, keeps the program waiting politely, ends with a FATAL that says why.
//! A program is greeted before anybody knows whether it will get a portal: the greeting promises nothing.

mod certificate;
mod first;
mod hold;

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;
use tidegate_link::{Portal, PortalControl, PortalError};
use tidegate_postgres::{Asked, CancelKey, Inflow, OpeningError, Outflow, StartupError};
use tidegate_postgres_carry::{Carried, Carry, FINISH_LIMIT, close, ending, refusing, say};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio::{join, select};
use tokio_rustls::TlsAcceptor;

use super::host::Host;
use super::visit::VisitEnd;
use crate::{Code, Problem, problems};
use first::{Line, Unheard, first};
use hold::Held;

/// For a cancel request on its way.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);

/// What all programs at the inlets of one agent share: the inlet's own TLS certificate.
pub(crate) struct Front {
    tls: TlsAcceptor,
}

impl Front {
    /// Makes the certificate. Called once per agent, and cheap enough to be called at its start.
    pub(crate) fn new() -> Self {
        Self {
            tls: certificate::acceptor(),
        }
    }

    /// Serves one admitted program until either side or `host.closed()` ends it.
    pub(crate) async fn serve(&self, program: TcpStream, host: &Host) -> VisitEnd {
        let heard = select! {
            biased;
            why = host.closed() => return VisitEnd::Ended(why),
            heard = first(program, &self.tls) => heard,
        };
        match heard {
            Ok((line, Asked::Startup { startup, early })) => {
                match hold::begin(line, startup, early).await {
                    Some(held) => serve_held(held, host).await,
                    None => VisitEnd::Finished,
                }
            }
            Ok((line, Asked::Cancel(key))) => cancel(line, &key, host).await,
            // `first` answers these itself.
            Ok((_, Asked::Nothing | Asked::Encryption(_) | Asked::Tls { .. })) => {
                VisitEnd::Finished
            }
            Err((line, unheard)) => turn_away(line, unheard, host).await,
        }
    }
}

async fn serve_held(mut held: Held, host: &Host) -> VisitEnd {
    let mut portal = match held.wait(host).await {
        Ok(portal) => portal,
        Err(hold::Over::Left) => return VisitEnd::Finished,
        Err(hold::Over::Refused(problem)) => {
            say(held.line, &refusing(&problem)).await;
            return VisitEnd::Refused(problem);
        }
        Err(hold::Over::Closed(why)) => {
            say(held.line, &ending(&why)).await;
            return VisitEnd::Ended(why);
        }
    };
    match held.go_on(&mut portal, host).await {
        Ok((line, outflow)) => carry_on(line, portal, outflow, host).await,
        Err((line, problem)) => {
            portal.control().reset(problem.code.number());
            say(line, &refusing(&problem)).await;
            VisitEnd::Refused(problem)
        }
    }
}

async fn carry_on(line: Line, portal: Portal, outflow: Outflow, host: &Host) -> VisitEnd {
    let inflow = Inflow::starting_with(Vec::new());
    let control = portal.control();
    let mut carry = Carry::new(line, portal, inflow, outflow);
    let carried = carry.run(host.keeping(&control)).await;
    let end = match carried {
        Carried::ProgramLost => {
            // What it asked for may still be on its way to nobody.
            carry.into_ends().1.part().await;
            return VisitEnd::Finished;
        }
        Carried::ServerEnded => end_of_portal(&mut carry, host).await,
        Carried::ServerBroke(error) => {
            let problem = problems::of_portal(portal_error(&error), host.service());
            carry.finish_closed(&problem).await;
            VisitEnd::Ended(problem)
        }
        Carried::Ended(why) => {
            carry.finish(&why).await;
            VisitEnd::Ended(why)
        }
    };
    let (line, portal) = carry.into_ends();
    if let VisitEnd::Ended(why) = &end {
        portal.control().reset(why.code.number());
        // Beside the program, which reads its words: the query it runs must not wait for that.
        join!(portal.part(), close(line));
    } else {
        drop(portal);
        close(line).await;
    }
    end
}

/// The other side closed in good order. An outlet that ends a session tells the program in its own protocol, and us beside it.
async fn end_of_portal(carry: &mut Carry<Line, Portal>, host: &Host) -> VisitEnd {
    let control = carry.server().control();
    let told = newest_notice(&control).filter(|_| carry.ends_with_an_error());
    let closed = Problem::new(Code::ClosedByTarget).service(host.service());
    carry.finish_closed(&closed).await;
    if let Some(code) = told.and_then(|(number, _)| Code::try_from(number).ok()) {
        return VisitEnd::Ended(Problem::new(code).service(host.service()));
    }
    // Nothing that the program still says can arrive: our direction is finished too, so that the circuit can be used again.
    let _ = timeout(FINISH_LIMIT, carry.server().shutdown()).await;
    VisitEnd::Finished
}

/// The newest line that is there already.
fn newest_notice(control: &PortalControl) -> Option<(u16, String)> {
    std::iter::from_fn(|| control.next_notice().now_or_never().flatten()).last()
}

fn portal_error(error: &io::Error) -> PortalError {
    PortalError::of(error).unwrap_or(PortalError::CircuitLost)
}

/// Carries a cancel request; PostgreSQL never says what came of one.
async fn cancel(line: Line, key: &CancelKey, host: &Host) -> VisitEnd {
    let carried = async {
        let mut portal = host.open(&key.encode()).await.ok()?;
        portal.shutdown().await.ok()?;
        tokio::io::copy(&mut portal, &mut tokio::io::sink())
            .await
            .ok()
    };
    select! {
        biased;
        why = host.closed() => return VisitEnd::Ended(why),
        _ = timeout(CANCEL_LIMIT, carried) => {}
    }
    close(line).await;
    VisitEnd::Finished
}

async fn turn_away(line: Option<Line>, unheard: Unheard, host: &Host) -> VisitEnd {
    let problem = |code| Problem::new(code).service(host.service());
    let error = match unheard {
        Unheard::Left => return VisitEnd::Finished,
        Unheard::Tls(code) => return VisitEnd::Refused(problem(code)),
        Unheard::Opening(error) => error,
    };
    tracing::warn!(service = %host.service(), %error, "refused a program's first bytes");
    if let (Some(line), Some(report)) = (line, error.report()) {
        say(line, &report.encode()).await;
    }
    match error {
        OpeningError::Browser => VisitEnd::Refused(problem(Code::BrowserAtInlet)),
        OpeningError::Startup(StartupError::Replication | StartupError::Version) => {
            VisitEnd::Refused(problem(Code::ClientAsksTooMuch))
        }
        OpeningError::TooLong => VisitEnd::Refused(
            problem(Code::ClientAsksTooMuch).said("a startup packet of more than 10,000 bytes"),
        ),
        OpeningError::Startup(StartupError::Layout)
        | OpeningError::Length
        | OpeningError::BytesBeforeEncryption
        | OpeningError::EncryptionAgain
        | OpeningError::BytesAfterCancel => VisitEnd::Finished,
    }
}

#[cfg(test)]
mod tests;
