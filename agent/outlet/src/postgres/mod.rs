//! The kind `postgres`: logs in at the database for a person, carries the session, and ends it for real.
//! The person's program never sees the login, nor any word the database said while it was refused.

mod backend;
mod begin;
mod binding;
mod cancels;
mod ear;
mod fault;
mod groups;
mod program;
mod roles;
mod route;
mod service;
mod spare;
mod stream;
mod visit;

use std::future::Future;
use std::pin::pin;

use tidegate_postgres::Rest;
use tidegate_postgres_carry::{Carried, Carry, close, ending, refusing, say};
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::{join, select};
use tokio_util::sync::CancellationToken;

use crate::dial::Right;
use crate::doctor::Look;
use begin::{Begun, Session, Stopped};
pub(crate) use fault::Fault;
use fault::of_opening;
pub use program::ProgramSide;
use program::tell;
pub use roles::Duty;
pub(crate) use roles::{RoleFault, RoleKeeping};
pub use service::{PostgresService, Ready};

/// What keeps an owner's database from being logged in to, with the names that advice needs. Never the password.
pub(crate) struct Sick {
    pub(crate) fault: Fault,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) address: String,
}

/// How a portal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortalEnd {
    /// The program or the database closed, and everything said before was delivered.
    Closed,
    /// The program, or the way to it, went away.
    Lost,
    /// It was a cancel request; `known` when it reached the backend it was for.
    Cancel { known: bool },
    /// There was no session; the program was told why.
    Refused(Problem),
    /// It was ended from here; the program was told why, if it was there to hear it.
    Ended(Problem),
}

/// What ends a session, and what hears whether it holds anything.
pub struct Bounds<E> {
    pub ended: E,
    /// From then on nothing new begins; what runs may finish, until `ended`.
    pub last_call: CancellationToken,
    pub rest: Rest,
}

/// How far a portal has come when it is carried.
pub struct Beginning(Heard);

#[allow(clippy::large_enum_variant)] // lives on one stack for one portal
enum Heard {
    /// The program has not spoken yet.
    Nothing(Permit),
    First(Begun),
}

impl Beginning {
    /// Whether there is something to say to the program as soon as the portal is carried.
    pub(crate) fn speaks_at_once(&self) -> bool {
        matches!(self.0, Heard::First(Begun::Session(_)))
    }
}

impl PostgresService {
    /// Does what the program asks for in its first packet: logs in, or cancels. Without one, that waits for `serve`,
    /// which reads anew what is in `ready`.
    ///
    /// # Errors
    /// Why there is no session.
    pub async fn begin(
        &self,
        first: &[u8],
        permit: Permit,
        ready: Ready,
    ) -> Result<Beginning, Problem> {
        if first.is_empty() {
            return Ok(Beginning(Heard::Nothing(permit)));
        }
        match begin::with_first(self, first, (permit, ready)).await {
            Ok(begun) => Ok(Beginning(Heard::First(begun))),
            Err(refused) => {
                tracing::warn!(service = %self.name(), error = %refused, "did not begin a session");
                Err(refused.problem(self.name()))
            }
        }
    }

    /// Carries one portal until one side closes it or `ended` says why it must end. Finishes within about
    /// two seconds of that, and the backend at the database is gone by then, unless the database cannot be reached.
    ///
    /// From the last call on nothing new is begun; what runs may finish, until `ended`.
    pub async fn serve<P>(
        &self,
        mut portal: P,
        Beginning(heard): Beginning,
        Bounds {
            ended,
            last_call,
            rest,
        }: Bounds<impl Future<Output = Problem>>,
    ) -> PortalEnd
    where
        P: ProgramSide,
    {
        let mut ended = pin!(ended);
        let begun = match heard {
            Heard::First(begun) => Ok(begun),
            Heard::Nothing(permit) => select! {
                biased;
                problem = &mut ended => Err(Stopped::Ended(problem)),
                begun = begin::begin(self, &mut portal, permit) => begun,
            },
        };
        match begun {
            Ok(Begun::Session(session)) => {
                let mut session = *session;
                session.inflow.tell(rest.clone());
                session.outflow.tell(rest);
                self.carry_session(portal, session, (ended, last_call))
                    .await
            }
            Ok(Begun::Cancel { known }) => {
                close(&mut portal).await;
                PortalEnd::Cancel { known }
            }
            Err(stopped) => self.refuse(portal, stopped).await,
        }
    }

    /// Whether the next program would get a session: connects, logs in and leaves.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn look(&self, permit: Permit, ready: Ready) -> Result<(), Problem> {
        let right = Right::Portal(permit);
        begin::look(self, right, ready).await.map_err(|fault| {
            tracing::warn!(service = %self.name(), %fault, "did not reach the database");
            fault.problem(self.name())
        })
    }

    /// The same for the owner, who is told what the database said.
    pub(crate) async fn examine(&self, look: Look) -> Result<(), Sick> {
        let said = begin::look(self, Right::Looking(look), self.ready().await).await;
        match said {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.sick(fault).await),
        }
    }

    async fn sick(&self, fault: Fault) -> Sick {
        let access = self.access().await.ok();
        let text =
            |part: fn(&service::Access) -> String| access.as_ref().map(part).unwrap_or_default();
        Sick {
            fault,
            user: text(|access| access.user.to_string()),
            database: text(|access| access.database.clone()),
            address: text(|access| access.route.address().to_string()),
        }
    }

    async fn carry_session<P>(
        &self,
        portal: P,
        session: Session,
        rights: (impl Future<Output = Problem>, CancellationToken),
    ) -> PortalEnd
    where
        P: ProgramSide,
    {
        let Session {
            stream,
            backend,
            registered,
            inflow,
            outflow,
            lease,
        } = session;
        let mut carry = Carry::new(portal, stream, inflow, outflow);
        let carried = self.carried(&mut carry, rights).await;
        drop(registered);
        let end = match carried {
            Carried::ProgramLost => PortalEnd::Lost,
            Carried::ServerEnded | Carried::ServerBroke(_) => {
                let closed = Problem::new(Code::ClosedByTarget).service(self.name());
                carry.finish_closed(&closed).await;
                PortalEnd::Closed
            }
            Carried::Ended(problem) => {
                tell(carry.program().beside(), &problem).await;
                carry.finish(&problem).await;
                PortalEnd::Ended(problem)
            }
        };
        let idle = end == PortalEnd::Closed || carry.leaves_idle();
        let (mut program, server) = carry.into_ends();
        let part = async {
            if end != PortalEnd::Lost {
                close(&mut program).await;
            }
        };
        let (server, ear) = server.into_parts();
        // Brings its last words.
        drop(ear);
        join!(part, backend::end(self, server, backend, idle));
        if let (Some(lease), PortalEnd::Ended(_)) = (lease, &end) {
            lease.over();
        }
        end
    }

    /// Until an end, or until the last call and what runs at it has been answered.
    async fn carried<P, S>(
        &self,
        carry: &mut Carry<P, S>,
        (ended, last_call): (impl Future<Output = Problem>, CancellationToken),
    ) -> Carried<Problem>
    where
        P: ProgramSide,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut ended = pin!(ended);
        let stopped = async {
            select! {
                biased;
                problem = &mut ended => Some(problem),
                () = last_call.cancelled() => None,
            }
        };
        match carry.run(stopped).await {
            Carried::Ended(Some(problem)) => Carried::Ended(problem),
            Carried::Ended(None) => {
                let out = carry.run_out(&mut ended).await;
                let over = || Problem::new(Code::GrantEnded).service(self.name());
                out.unwrap_or_else(|| Carried::Ended(over()))
            }
            Carried::ProgramLost => Carried::ProgramLost,
            Carried::ServerEnded => Carried::ServerEnded,
            Carried::ServerBroke(error) => Carried::ServerBroke(error),
        }
    }

    async fn refuse<P>(&self, mut portal: P, stopped: Stopped) -> PortalEnd
    where
        P: ProgramSide,
    {
        match stopped {
            Stopped::Left => PortalEnd::Lost,
            Stopped::Opening(error) => {
                tracing::warn!(service = %self.name(), %error, "refused a connection's first bytes");
                say(
                    &mut portal,
                    &error
                        .report()
                        .map(|report| report.encode())
                        .unwrap_or_default(),
                )
                .await;
                PortalEnd::Refused(of_opening(error, self.name()))
            }
            Stopped::Fault(fault) => {
                tracing::warn!(service = %self.name(), %fault, "did not reach the database");
                let problem = fault.problem(self.name());
                tell(portal.beside(), &problem).await;
                say(&mut portal, &refusing(&problem)).await;
                PortalEnd::Refused(problem)
            }
            Stopped::Ended(problem) => {
                tell(portal.beside(), &problem).await;
                say(&mut portal, &ending(&problem)).await;
                PortalEnd::Ended(problem)
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
