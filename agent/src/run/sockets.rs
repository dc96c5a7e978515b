//! Which services have a Unix socket beside their port, and where.
//! For `postgres` the file's name is the one that libpq looks for in a folder; a person only ever names the folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidegate_proto::names::ServiceName;
use tidegate_proto::statement::ServiceKind;

use super::state::State;
use crate::ServiceRef;
use crate::settings::{ServiceKey, SocketWish};

/// What `agent.toml` says about sockets.
pub(crate) struct Sockets {
    pub(crate) wishes: BTreeMap<ServiceKey, SocketWish>,
    /// Where they are when nobody says where.
    pub(crate) own: PathBuf,
}

impl Sockets {
    fn of(&self, service: &ServiceRef, kind: ServiceKind, port: u16) -> Option<PathBuf> {
        let whole = self.wishes.get(&ServiceKey::from(service.clone()));
        let bare = || self.wishes.get(&ServiceKey::from(service.service.clone()));
        let folder = || {
            self.own
                .join(format!("{}-{}", service.org, service.service))
        };
        match (whole.or_else(bare)?, kind) {
            (SocketWish::Own(false), _) => None,
            (SocketWish::Own(true), ServiceKind::Postgres) => Some(in_folder(&folder(), port)),
            (SocketWish::Own(true), ServiceKind::Tcp) => Some(folder().join("socket")),
            (SocketWish::At(folder), ServiceKind::Postgres) => Some(in_folder(folder, port)),
            (SocketWish::At(path), ServiceKind::Tcp) => Some(path.clone()),
        }
    }
}

impl State {
    pub(super) fn socket(
        &self,
        name: &ServiceName,
        kind: ServiceKind,
        port: u16,
    ) -> Option<PathBuf> {
        let org = &self.home.as_ref()?.membership.org;
        self.sockets.of(&ServiceRef::new(org, name), kind, port)
    }
}

/// As a person names it to a program.
pub(super) fn shown(path: &Path, kind: ServiceKind) -> String {
    let named = match kind {
        ServiceKind::Postgres => path.parent().unwrap_or(path),
        ServiceKind::Tcp => path,
    };
    named.display().to_string()
}

fn in_folder(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}
