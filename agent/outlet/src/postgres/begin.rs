//! The beginning of a portal: what the program asks for, and the session at the database that it gets.
//! The program's user name and application name do not count; the owner's do.

use std::sync::Arc;
use std::time::Duration;

use tidegate_postgres::{
    Asked, CancelKey, Credentials, Inflow, Login, Nonce, Opening, OpeningError, Outflow, Side,
    Startup,
};
use tidegate_proto::entropy::{Entropy as _, SystemEntropy};
use tidegate_proto::names::{ServiceName, Subject};
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::cancels::{Backend, Registered};
use super::ear::Listened;
use super::fault::{Fault, of_opening};
use super::roles::{self, Lease};
use super::service::{Access, PostgresService, Ready};
use super::visit::Visit;
use crate::dial::Right;

/// For the program's first packet.
const OPENING_LIMIT: Duration = Duration::from_secs(10);
/// For connecting and logging in at the database.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// What came of the beginning.
pub(super) enum Begun {
    Session(Box<Session>),
    Cancel { known: bool },
}

/// Why nothing came of it.
pub(super) enum Stopped {
    /// The program left, or took too long.
    Left,
    /// The program asked for what is not spoken here.
    Opening(OpeningError),
    Fault(Fault),
    /// The right to it ended first.
    Ended(Problem),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A session at the database, with what is on its way in both directions.
pub(super) struct Session {
    pub(super) stream: Listened,
    pub(super) backend: Option<Backend>,
    pub(super) registered: Registered,
    pub(super) inflow: Inflow,
    pub(super) outflow: Outflow,
    /// The role it runs under, which lives at least as long.
    pub(super) lease: Option<Lease>,
}

/// Why a first packet that came with OPEN leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Opening(#[from] OpeningError),
    #[error("the first packet is not whole, or asks for encryption")]
    NotOnePacket,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Refused {
    pub(super) fn problem(&self, service: &ServiceName) -> Problem {
        match self {
            Self::Opening(error) => of_opening(*error, service),
            Self::NotOnePacket => Problem::new(Code::ClientAsksTooMuch).service(service),
            Self::Fault(fault) => fault.problem(service),
        }
    }
}

/// Does what the program's first packet asks for.
pub(super) async fn with_first(
    service: &PostgresService,
    first: &[u8],
    (permit, ready): (Permit, Ready),
) -> Result<Begun, Refused> {
    let wanted = match Opening::new(Side::Outlet).handle_input(first)? {
        Asked::Cancel(key) => Wanted::Cancel(key),
        Asked::Startup { startup, early } => Wanted::Session { startup, early },
        Asked::Nothing | Asked::Encryption(_) | Asked::Tls { .. } => {
            return Err(Refused::NotOnePacket);
        }
    };
    Ok(wanted.begin(service, permit, Some(ready)).await?)
}

/// Reads the first packet and does what it asks for.
pub(super) async fn begin<P>(
    service: &PostgresService,
    portal: &mut P,
    permit: Permit,
) -> Result<Begun, Stopped>
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    let wanted = timeout(OPENING_LIMIT, opening(portal))
        .await
        .map_err(|_| Stopped::Left)??;
    Ok(wanted.begin(service, permit, None).await?)
}

/// Logs in and leaves again: whether the next program would get a session.
pub(super) async fn look(
    service: &PostgresService,
    right: Right,
    Ready(access): Ready,
) -> Result<(), Fault> {
    let access = access?;
    let visit = async {
        let accepts = service.accepts();
        let Some(settings) = service.role_settings() else {
            let visit = Visit::plain(right, &access, accepts, "probe").await?;
            return visit.leave().await;
        };
        let why = ("probe", &*access.database);
        let mut visit = Visit::begin(right, &access, accepts, why).await?;
        roles::fits(&mut visit, settings).await?;
        visit.leave().await
    };
    timeout(LOGIN_LIMIT, visit)
        .await
        .map_err(|_| Fault::Silent)?
}

enum Wanted {
    Cancel(CancelKey),
    Session { startup: Startup, early: Vec<u8> },
}

impl Wanted {
    /// `ready`: what was read for it already.
    async fn begin(
        self,
        service: &PostgresService,
        permit: Permit,
        ready: Option<Ready>,
    ) -> Result<Begun, Fault> {
        match self {
            Self::Cancel(key) => Ok(Begun::Cancel {
                known: cancel(service, &key, &permit.principal().sub).await,
            }),
            Self::Session { startup, early } => {
                let log_in = async {
                    let Ready(access) = match ready {
                        Some(ready) => ready,
                        None => service.ready().await,
                    };
                    log_in(service, (startup, early), permit, access?).await
                };
                let session = timeout(LOGIN_LIMIT, log_in);
                let session = session.await.map_err(|_| Fault::Silent)??;
                Ok(Begun::Session(Box::new(session)))
            }
        }
    }
}

async fn opening(portal: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Wanted, Stopped> {
    let mut opening = Opening::new(Side::Outlet);
    let mut buffer = [0; 1024];
    loop {
        let count = portal.read(&mut buffer).await.map_err(|_| Stopped::Left)?;
        if count == 0 {
            return Err(Stopped::Left);
        }
        match opening
            .handle_input(&buffer[..count])
            .map_err(Stopped::Opening)?
        {
            Asked::Nothing => {}
            Asked::Encryption(answer) => {
                portal
                    .write_all(&[answer])
                    .await
                    .map_err(|_| Stopped::Left)?;
                portal.flush().await.map_err(|_| Stopped::Left)?;
            }
            // The outlet's side never says so.
            Asked::Tls { .. } => return Err(Stopped::Opening(OpeningError::EncryptionAgain)),
            Asked::Cancel(key) => return Ok(Wanted::Cancel(key)),
            Asked::Startup { startup, early } => return Ok(Wanted::Session { startup, early }),
        }
    }
}

async fn cancel(service: &PostgresService, key: &CancelKey, person: &Subject) -> bool {
    let Some(backend) = service.cancels().find(key, person) else {
        return false;
    };
    let request = backend.key.cancel_request();
    let sent = timeout(
        super::backend::CANCEL_LIMIT,
        backend.route.cancel(&backend.spent, &request),
    );
    matches!(sent.await, Ok(Ok(())))
}

async fn log_in(
    service: &PostgresService,
    (startup, early): (Startup, Vec<u8>),
    permit: Permit,
    access: Access,
) -> Result<Session, Fault> {
    let (person, mut ear) = (permit.principal().sub.clone(), service.ear(&permit)?);
    let lease = service.lease(&permit).await?;
    let access = match &lease {
        Some(lease) => access.with_role(lease),
        None => access,
    };
    let (startup, negotiated) = startup.negotiated();
    let version = startup.version();
    let database = database(&startup, &access, service.offers_other_databases())?;
    let startup = startup
        .with("database", &database)
        .with("application_name", &format!("tidegate:{person}"));
    // The owner's names may be longer than the program's, and PostgreSQL would hang up without a word.
    if startup.clone().with("user", &access.user).encode().len() > Startup::LONGEST {
        return Err(Fault::LongStartup);
    }
    let told = startup.told_without("user");
    let (login, first) = Login::start(
        credentials(&access),
        service.accepts(),
        startup,
        access.route.uses_tls(),
    );
    let right = Right::Portal(permit);
    let logged_in = access.route.log_in_next(right, login, first).await;
    if let (Some(lease), Err(fault)) = (&lease, &logged_in)
        && fault.is_a_wrong_password()
    {
        lease.refused();
    }
    let (stream, logged_in, spent) = logged_in?;
    if let Some(ear) = &mut ear {
        ear.begins(told, logged_in.after_ready());
    }
    let route = Arc::clone(&access.route);
    let backend = logged_in.key().map(|key| Backend {
        key: key.clone(),
        route,
        spent,
    });
    let registered =
        service
            .cancels()
            .register(&person, backend.clone(), version, &SystemEntropy)?;
    let mut greeting = negotiated.unwrap_or_default();
    greeting.extend_from_slice(&logged_in.greeting(&registered.ours));
    let (inflow, outflow) = (
        Inflow::starting_with(early),
        Outflow::starting_with(greeting),
    );
    Ok(Session {
        stream: Listened::new(stream, ear),
        backend,
        registered,
        inflow,
        outflow,
        lease,
    })
}

/// What one login proves itself with.
pub(super) fn credentials(access: &Access) -> Credentials {
    let mut nonce = Nonce::default();
    SystemEntropy.fill(&mut nonce);
    Credentials {
        user: access.user.to_string(),
        password: access.password.clone(),
        nonce,
        kept: Arc::clone(&access.kept),
    }
}

/// The service's database, unless the program names another one and may.
/// A program that names none says its user's name: so that name is no wish.
fn database(startup: &Startup, access: &Access, any: bool) -> Result<String, Fault> {
    let user = startup.parameter("user");
    let named = startup
        .parameter("database")
        .filter(|name| !name.is_empty() && Some(*name) != user);
    match named {
        None => Ok(access.database.clone()),
        Some(name) if name == access.database.as_bytes() => Ok(access.database.clone()),
        Some(name) if any => String::from_utf8(name.to_vec()).map_err(|_| Fault::OtherDatabase),
        Some(_) => Err(Fault::OtherDatabase),
    }
}
