//! What an outlet is told at its start: one TOML file, parsed once; inside, every value is valid.
//! All mistakes are reported at once, each with its key, the reason and what to write instead; unknown keys are mistakes.

mod roles;
mod service;
mod statements;

pub use roles::RoleSettings;
pub use service::{PostgresTarget, ServiceConfig, Target, may_be_target};
pub use statements::{ParametersKept, StatementSettings, TextKept, WhenFull};

use crate::clock::Zone;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_link::settings_file::{self, Mistakes, Reader};
use tidegate_proto::identity::{PeerId, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName};

/// Most services one outlet serves.
const MAX_SERVICES: usize = 256;

/// Everything `tidegate outlet run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletConfig {
    pub org: OrgName,
    /// Fingerprint of the org root key.
    pub root: PeerId,
    pub hub: HubAddress,
    /// Keys, last known statements, kill switch; the audit too, unless `audit` says otherwise.
    pub data: PathBuf,
    /// The owner's policy: it has the last word.
    pub policy: PathBuf,
    /// By what the policy is believed.
    pub owner: Owner,
    pub audit: AuditPlace,
    /// Whether the audit stays here alone; else its lines are handed in at the authority, too.
    pub keep_records_here: bool,
    pub provider_keys: KeyRoute,
    pub limits: Limits,
    pub services: Vec<ServiceConfig>,
}

/// Whose word the owner's policy is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Of whoever can write the file on this computer: plain Cedar.
    ThisComputer,
    /// Of whoever holds this key: a `tg-policy` that it signed.
    Key(VerifyKey),
}

impl std::str::FromStr for Owner {
    type Err = NoSuchOwner;

    fn from_str(text: &str) -> Result<Self, NoSuchOwner> {
        match text {
            "this-computer" => Ok(Self::ThisComputer),
            key => key.parse().map(Self::Key).map_err(|_| NoSuchOwner),
        }
    }
}

/// Neither a key nor this computer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no key of an owner")]
pub struct NoSuchOwner;

/// Where the audit goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditPlace {
    /// A directory, one file a day (UTC): `2026-01-31.jsonl`.
    Daily(PathBuf),
    /// One file for ever.
    File(PathBuf),
}

/// How the identity provider's keys are fetched.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum KeyRoute {
    /// Through the relay, blindly: TLS ends here.
    #[default]
    Tunnel,
    /// By an own connection, where the firewall lets one out to the provider.
    Direct,
}

impl std::str::FromStr for KeyRoute {
    type Err = NoSuchRoute;

    fn from_str(text: &str) -> Result<Self, NoSuchRoute> {
        match text {
            "tunnel" => Ok(Self::Tunnel),
            "direct" => Ok(Self::Direct),
            _ => Err(NoSuchRoute),
        }
    }
}

/// Neither tunnel nor direct.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such way to the keys")]
pub struct NoSuchRoute;

/// What one outlet bears at once. Reached limits refuse; they never queue without end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Circuits of all kinds, handshakes included.
    pub circuits: usize,
    /// Circuits that have not authenticated yet.
    pub unproven: usize,
    /// Admitted circuits without a portal.
    pub warm: usize,
    /// Circuits of one person, on whatever devices.
    pub per_person: usize,
    /// How long a warm circuit may wait for its next OPEN.
    pub warm_idle: Duration,
    /// How long a target may take to accept a connection.
    pub dial: Duration,
    /// How long a portal waits for its agent after its circuit was lost. Zero: it ends with its circuit.
    pub grace: Duration,
    /// The same where a database holds locks for it: in a transaction, or while a statement runs.
    pub grace_in_transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            circuits: 2048,
            unproven: 256,
            warm: 256,
            per_person: 128,
            warm_idle: Duration::from_secs(600),
            dial: Duration::from_secs(5),
            grace: Duration::from_secs(600),
            grace_in_transaction: Duration::from_secs(60),
        }
    }
}

impl OutletConfig {
    /// Reads the file at `path`; relative paths in it count from its directory.
    ///
    /// # Errors
    /// Every mistake in it, at once.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        settings_file::load(path, Self::read)
    }

    /// Parses the text of a file; relative paths count from the working directory.
    ///
    /// # Errors
    /// Every mistake in it, at once.
    pub fn from_toml(text: &str) -> Result<Self, Mistakes> {
        settings_file::parse(text, Path::new(""), Self::read)
    }

    /// `None` only after a note was made.
    fn read(mut top: Reader<'_>) -> Option<Self> {
        let org = top.parsed(
            "org",
            "the org's name as in the join link, for example org = \"acme\"",
        );
        let root = top.parsed(
            "root",
            "the root fingerprint that `tidegate org init` printed",
        );
        let hub = top.parsed(
            "hub",
            "host and port of the hub, for example hub = \"hub.example.com:7443\"",
        );
        let data = top.path(
            "data",
            "a directory of the outlet's own, for example data = \"/var/lib/tidegate-outlet\"",
        );
        let policy = top.path(
            "policy",
            "the owner's policy, for example policy = \"owner.jws\"",
        );
        let owner = top.parsed(
            "owner",
            "the key that `tidegate outlet owner init` printed, or owner = \"this-computer\" where whoever can write the policy file is the owner",
        );
        let audit = audit(&mut top, data.as_deref());
        let keep_records_here = top.flag("keep_records_here");
        let route = top.optional_parsed(
            "provider_keys",
            "provider_keys = \"tunnel\" or provider_keys = \"direct\"",
        );
        let zone = zone(&mut top);
        let limits = limits(&mut top);
        let services = services(&mut top, zone);
        top.finish();
        Some(Self {
            org: org?,
            root: root?,
            hub: hub?,
            data: data?,
            policy: policy?,
            owner: owner?,
            audit: audit?,
            keep_records_here,
            provider_keys: route.unwrap_or_default(),
            limits,
            services,
        })
    }
}

/// One file, or a directory with a file a day; by default a directory inside `data`.
fn audit(top: &mut Reader<'_>, data: Option<&Path>) -> Option<AuditPlace> {
    match top.optional_path("audit") {
        Some(path) if path.extension().is_some_and(|e| e == "jsonl") => {
            Some(AuditPlace::File(path))
        }
        Some(path) => Some(AuditPlace::Daily(path)),
        None => Some(AuditPlace::Daily(data?.join("audit"))),
    }
}

fn zone(top: &mut Reader<'_>) -> Zone {
    let fix = "an IANA name, for example time_zone = \"Europe/Berlin\"; without one it is UTC";
    top.optional_parsed("time_zone", fix).unwrap_or_default()
}

fn limits(top: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut table) = top.optional_table("limits") else {
        return limits;
    };
    let mut count = |key: &str, value: &mut usize| {
        if let Some(n) = table.number(key, 1..=65_536) {
            *value = usize::try_from(n).unwrap_or(*value);
        }
    };
    count("circuits", &mut limits.circuits);
    count("unproven", &mut limits.unproven);
    count("warm", &mut limits.warm);
    count("per_person", &mut limits.per_person);
    if let Some(seconds) = table.number("warm_idle_seconds", 1..=3600) {
        limits.warm_idle = Duration::from_secs(seconds);
    }
    if let Some(ms) = table.number("dial_milliseconds", 10..=60_000) {
        limits.dial = Duration::from_millis(ms);
    }
    for (key, grace) in [
        ("resume_within_seconds", &mut limits.grace),
        (
            "resume_within_seconds_in_transaction",
            &mut limits.grace_in_transaction,
        ),
    ] {
        if let Some(seconds) = table.number(key, 0..=3600) {
            *grace = Duration::from_secs(seconds);
        }
    }
    table.finish();
    limits
}

fn services(top: &mut Reader<'_>, zone: Zone) -> Vec<ServiceConfig> {
    let tables = top.tables(
        "service",
        "at least one [[service]] with name, kind and target",
    );
    if tables.len() > MAX_SERVICES {
        top.note(
            "service",
            "there are more than 256 services",
            "run a second outlet for the rest",
        );
    }
    let mut services: Vec<ServiceConfig> = Vec::new();
    for mut table in tables {
        let Some(service) = ServiceConfig::read(&mut table, &zone) else {
            continue;
        };
        if services.iter().any(|s| s.name == service.name) {
            table.note(
                "name",
                "another service has this name",
                "give each service a name of its own",
            );
        }
        table.finish();
        services.push(service);
    }
    services
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
