//! One service of kind `postgres` at an outlet: its settings, and all cancel keys that are out.
//! The login is read anew for each connection and dropped when it is used; what stays is the keys that its password came to.

use std::sync::Arc;

use tidegate_link::kept::KeptError;
use tidegate_postgres::{Accepts, KeptKeys};
use tidegate_proto::entropy::{Entropy as _, SystemEntropy};
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::permit::Permit;
use zeroize::Zeroizing;

use super::cancels::Cancels;
use super::ear::Ear;
use super::fault::Fault;
use super::groups::Groups;
use super::roles::{Lease, RoleFault, RoleKeeping, Roles};
use super::route::Route;
use super::spare::Spares;
use crate::audit::StatementAudit;
use crate::config::{PostgresTarget, RoleSettings};
use crate::dial::Recent;
use crate::target_tls::LastClient;

/// What all portals of one service share.
pub struct PostgresService {
    name: ServiceName,
    target: PostgresTarget,
    cancels: Cancels,
    lasting: Arc<Lasting>,
    statements: Option<StatementAudit>,
    roles: Option<Roles>,
}

/// What one connection leaves for the next.
pub(super) struct Lasting {
    pub(super) groups: Arc<Groups>,
    pub(super) client: LastClient,
    pub(super) recent: Arc<Recent>,
    pub(super) spares: Arc<Spares>,
    keys: Arc<KeptKeys>,
}

impl Lasting {
    fn new() -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        SystemEntropy.fill(&mut *seed);
        Self {
            groups: Arc::default(),
            client: LastClient::default(),
            recent: Arc::default(),
            spares: Arc::default(),
            keys: Arc::new(KeptKeys::new(&seed)),
        }
    }
}

/// What one connection needs, read while it was not yet sure that there will be one.
pub struct Ready(pub(super) Result<Access, Fault>);

/// What one connection needs.
pub(super) struct Access {
    pub(super) route: Arc<Route>,
    pub(super) user: Zeroizing<String>,
    pub(super) password: Zeroizing<String>,
    pub(super) database: String,
    pub(super) kept: Arc<KeptKeys>,
}

impl PostgresService {
    #[must_use]
    pub fn new(name: ServiceName, target: PostgresTarget) -> Self {
        Self {
            name,
            target,
            cancels: Cancels::new(),
            lasting: Arc::new(Lasting::new()),
            statements: None,
            roles: None,
        }
    }

    /// Records statements there from now on, where the target says what of them.
    pub(crate) fn recording(self, statements: Option<StatementAudit>) -> Self {
        Self { statements, ..self }
    }

    /// Lets sessions run under temporary roles, where the target says so. Blocks on their journal.
    pub(crate) fn keeping_roles(self, keeping: &RoleKeeping<'_>) -> Result<Self, KeptError> {
        let target = (&self.name, &self.target);
        let open = |settings| Roles::open(target, settings, &self.lasting, keeping);
        let roles = self.target.roles.as_ref().map(open).transpose()?;
        Ok(Self { roles, ..self })
    }

    /// Begins to look after its roles, if it has any.
    pub(crate) fn start(&self) {
        if let Some(roles) = &self.roles {
            roles.start();
        }
    }

    /// Leaves no role behind, unless the database does not answer. To be called when no session is left.
    pub(crate) async fn shutdown(&self) {
        if let Some(roles) = &self.roles {
            roles.shutdown().await;
        }
    }

    /// The role that a session with this permit runs under, where that is not the login itself.
    pub(super) async fn lease(&self, permit: &Permit) -> Result<Option<Lease>, Fault> {
        match (&self.roles, &self.target.roles) {
            (Some(roles), _) => roles.lease(permit).await.map(Some),
            (None, None) => Ok(None),
            // Nobody's session runs under a login that can make roles.
            (None, Some(_)) => Err(RoleFault::NotKept.into()),
        }
    }

    pub(super) fn role_settings(&self) -> Option<&RoleSettings> {
        self.target.roles.as_ref()
    }

    /// What hears a session, if anything does.
    pub(super) fn ear(&self, permit: &Permit) -> Result<Option<Box<Ear>>, Fault> {
        let wanted = self.statements.as_ref().zip(self.target.statements);
        wanted
            .map(|(audit, settings)| Ear::new(audit, settings, permit).map(Box::new))
            .transpose()
    }

    #[must_use]
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    pub(super) fn cancels(&self) -> &Cancels {
        &self.cancels
    }

    pub(super) fn accepts(&self) -> Accepts {
        self.target.accepts
    }

    pub(super) fn offers_other_databases(&self) -> bool {
        self.target.any_database
    }

    #[cfg(test)]
    pub(super) fn target(&self) -> &PostgresTarget {
        &self.target
    }

    #[cfg(test)]
    pub(super) fn roles(&self) -> Option<&Roles> {
        self.roles.as_ref()
    }

    #[cfg(test)]
    pub(super) fn spares(&self) -> &Spares {
        &self.lasting.spares
    }

    /// Reads what the next connection needs. Nothing of it leaves the outlet before there is a permit.
    pub async fn ready(&self) -> Ready {
        Ready(self.access().await)
    }

    /// The login and the trust settings as they are now.
    pub(super) async fn access(&self) -> Result<Access, Fault> {
        let (target, lasting) = (self.target.clone(), Arc::clone(&self.lasting));
        let read = tokio::task::spawn_blocking(move || access(&target, &lasting));
        read.await.map_err(|_| Fault::NoAddress)?
    }
}

impl Access {
    /// The same, as a temporary role.
    pub(super) fn with_role(self, lease: &Lease) -> Self {
        Self {
            user: Zeroizing::new(lease.name().to_owned()),
            password: lease.password().clone(),
            kept: Arc::clone(lease.kept()),
            ..self
        }
    }
}

/// Blocks on files.
pub(super) fn access(target: &PostgresTarget, lasting: &Lasting) -> Result<Access, Fault> {
    let login = target.login.load()?;
    let stored = login
        .host
        .map(|host| HubAddress::new(&host, login.port.unwrap_or(5432)));
    let address = match (target.address.clone(), stored) {
        (Some(configured), _) => configured,
        (None, Some(stored)) => stored.map_err(|_| Fault::NoAddress)?,
        (None, None) => return Err(Fault::NoAddress),
    };
    let route = Arc::new(Route::new(address, &target.tls, lasting)?);
    // As PostgreSQL itself: who names no database means the one named like the user.
    let named = target.database.clone().or(login.database);
    let database = named.unwrap_or_else(|| login.user.to_string());
    Ok(Access {
        route,
        user: login.user,
        password: login.password,
        database,
        kept: Arc::clone(&lasting.keys),
    })
}
