//! One service an outlet serves: its name, what is behind it, and how to log in there.
//! The address is the owner's word; addresses that no database has (link-local, multicast) are refused here and again at each dial.

use super::roles::RoleSettings;
use super::statements::StatementSettings;
use crate::clock::Zone;
use crate::login::LoginSource;
use crate::target_tls::TargetTls;
use std::net::IpAddr;
use tidegate_link::settings_file::Reader;
use tidegate_postgres::Accepts;
use tidegate_proto::names::{HubAddress, ServiceName};

/// One `[[service]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    pub name: ServiceName,
    pub target: Target,
    /// Where the owner's hours and weekdays are counted.
    pub zone: Zone,
}

/// What is behind a service, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bytes, as they are.
    Tcp(HubAddress),
    /// A PostgreSQL server that the outlet logs in to.
    Postgres(PostgresTarget),
}

impl Target {
    /// Whether somebody who may only read is held to that: by the database, which gives a role no more.
    pub(crate) fn holds_read_only(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Postgres(target) => {
                let roles = target.roles.as_ref();
                roles.is_some_and(|roles| roles.read_only_member_of.is_some())
            }
        }
    }
}

/// A PostgreSQL server, how to trust it and how to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresTarget {
    /// Wins over the login source's host and port; without it, the source must have them.
    pub address: Option<HubAddress>,
    /// Wins over the login source's database.
    pub database: Option<String>,
    pub login: LoginSource,
    pub tls: TargetTls,
    /// Whether a program may name another database of the same server.
    pub any_database: bool,
    /// Weaker proofs than SCRAM that the owner allows.
    pub accepts: Accepts,
    /// What is recorded of statements; without it, nothing.
    pub statements: Option<StatementSettings>,
    /// Under what sessions run; without it, under the login itself.
    pub roles: Option<RoleSettings>,
}

impl ServiceConfig {
    /// `None` only after a note was made.
    pub(super) fn read(table: &mut Reader<'_>, default_zone: &Zone) -> Option<Self> {
        let name = table.parsed(
            "name",
            "a name of a-z, 0-9 and -, for example name = \"warehouse\"",
        );
        let zone = table.optional_parsed(
            "time_zone",
            "an IANA name, for example time_zone = \"Europe/Berlin\"",
        );
        let kind: Option<String> = table.parsed("kind", "kind = \"tcp\" or kind = \"postgres\"");
        let target = match kind.as_deref()? {
            "tcp" => tcp(table),
            "postgres" => postgres(table),
            _ => {
                table.note(
                    "kind",
                    "there is no such kind",
                    "kind = \"tcp\" or kind = \"postgres\"",
                );
                return None;
            }
        };
        let zone = zone.unwrap_or_else(|| default_zone.clone());
        Some(Self {
            name: name?,
            target: target?,
            zone,
        })
    }
}

fn tcp(table: &mut Reader<'_>) -> Option<Target> {
    let address: HubAddress = table.parsed(
        "target",
        "host and port, for example target = \"10.0.0.5:6379\"",
    )?;
    usable(table, &address);
    Some(Target::Tcp(address))
}

fn postgres(table: &mut Reader<'_>) -> Option<Target> {
    let address = table.optional_parsed(
        "target",
        "host and port, for example target = \"db.internal:5432\"",
    );
    if let Some(address) = &address {
        usable(table, address);
    }
    let database = table.text("database");
    let login = LoginSource::read(table);
    let tls = TargetTls::read(table, address.as_ref());
    let any_database = table.flag("any_database");
    let accepts = accepts(table);
    let statements = StatementSettings::read(table);
    let roles = RoleSettings::read(table);
    Some(Target::Postgres(PostgresTarget {
        address,
        database,
        login: login?,
        tls: tls?,
        any_database,
        accepts,
        statements,
        roles,
    }))
}

/// A table of its own, because each line in it is a risk somebody took.
fn accepts(service: &mut Reader<'_>) -> Accepts {
    let Some(mut table) = service.optional_table("accept") else {
        return Accepts::default();
    };
    let accepts = Accepts {
        trust: table.flag("no_password"),
        md5: table.flag("md5"),
        cleartext_in_tls: table.flag("password_in_tls"),
    };
    table.finish();
    accepts
}

fn usable(table: &Reader<'_>, address: &HubAddress) {
    if address.host().parse().is_ok_and(|ip| !may_be_target(ip)) {
        let reason = "no service lives at a link-local, multicast or unspecified address";
        table.note("target", reason, "the address of the service itself");
    }
}

/// False for addresses that can only be a trick: cloud metadata and other link-local ones, multicast, broadcast, unspecified.
#[must_use]
pub fn may_be_target(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => !(v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified()),
    }
}
