//! `org.toml`: how an administrator describes the org before it is signed. Every mistake in it is reported at once.
//! What is valid here is signed as it stands, so nothing is guessed: a missing value is a mistake or has a named default.

use std::collections::HashSet;
use std::path::Path;

use tidegate_link::settings_file::{Mistakes, Reader, load};
use tidegate_link::tls;
use tidegate_proto::{
    identity::{NoisePublic, VerifyKey},
    names::{HubAddress, OrgName, ServiceName},
    policy::{Rules, Side},
    statement::{
        Algorithm, AuthorityStatement, IdpStatement, OutletEnrolment, OutletKeys, PolicyStatement,
        Relay, SCHEMA_VERSION, ServiceKind, ServiceStatement, Statement,
    },
    time::UnixTime,
};

use super::{relays::relays, root_key::RootKey};
use crate::failure::Failure;

/// Largest policy or CA file, in bytes.
const MOST: u64 = 256 * 1024;

/// The statements that an org is made of; versions are given when they are signed.
pub(crate) struct OrgSettings {
    pub(crate) hub: HubAddress,
    pub(crate) authority: AuthorityStatement,
    pub(crate) idp: IdpStatement,
    pub(crate) policy: PolicyStatement,
    pub(crate) services: Vec<ServiceStatement>,
}

/// Whose description it is.
#[derive(Copy, Clone)]
pub(crate) struct Whose<'a> {
    pub(crate) org: &'a OrgName,
    /// The root key that will sign it, and the tickets.
    pub(crate) root: &'a VerifyKey,
}

/// `[hub]`.
struct Hub {
    address: HubAddress,
    key: VerifyKey,
    noise: NoisePublic,
    relay: NoisePublic,
}

impl Hub {
    fn relay(&self) -> Relay {
        Relay {
            address: self.address.clone(),
            noise: self.relay,
        }
    }
}

impl OrgSettings {
    /// Reads `org.toml` in `dir`, beside the root key that was opened.
    pub(crate) fn of(root: &RootKey, dir: &Path) -> Result<Self, Failure> {
        let whose = Whose {
            org: &root.org,
            root: &root.key.verify_key(),
        };
        Self::load(dir, whose, tidegate_link::now())
            .map_err(|mistakes| Failure::mistakes(&dir.join("org.toml"), mistakes))
    }

    /// Reads `org.toml` in `dir`, for the org whose root key lies beside it.
    pub(crate) fn load(dir: &Path, whose: Whose<'_>, now: UnixTime) -> Result<Self, Mistakes> {
        load(&dir.join("org.toml"), |top| Self::read(top, whose, now))
    }

    /// `None` only after a note was made.
    fn read(mut top: Reader<'_>, whose: Whose<'_>, now: UnixTime) -> Option<Self> {
        let org = whose.org;
        let policy = policy(&mut top, org);
        let hub = top
            .optional_table("hub")
            .or_else(|| missing(&top, "hub"))
            .and_then(hub);
        let idp = top
            .optional_table("idp")
            .or_else(|| missing(&top, "idp"))
            .and_then(|table| idp(table, org));
        let relays = relays(&mut top, hub.as_ref().map(Hub::relay));
        let services = services(&mut top, whose, &relays);
        top.finish();
        let hub = hub?;
        Some(Self {
            authority: AuthorityStatement {
                org: org.clone(),
                key: hub.key,
                noise: hub.noise,
                not_before: now,
                not_after: now.plus(AuthorityStatement::LIFE),
                version: 0,
            },
            hub: hub.address,
            idp: idp?,
            policy: policy?,
            services,
        })
    }
}

fn missing<'n>(top: &Reader<'n>, key: &str) -> Option<Reader<'n>> {
    top.note(
        key,
        "it is missing",
        &format!("a table, [{key}]; `tidegate org init` shows one"),
    );
    None
}

fn policy(top: &mut Reader<'_>, org: &OrgName) -> Option<PolicyStatement> {
    let path = top.path(
        "policy",
        "the org's Cedar file: policy = \"policy.cedar\", above the first table",
    )?;
    let cedar = text_file(top, "policy", &path)?;
    if let Err(why) = Rules::compile(Side::Org, &cedar) {
        top.note(
            "policy",
            &why.to_string(),
            "a policy that fits the published schema",
        );
        return None;
    }
    Some(PolicyStatement {
        org: org.clone(),
        cedar,
        schema_version: SCHEMA_VERSION,
        version: 0,
    })
}

fn hub(mut table: Reader<'_>) -> Option<Hub> {
    let printed = "the key that `tidegate hub keys` printed on the hub";
    let address = table.parsed(
        "address",
        "host and port: address = \"hub.example.com:7443\"",
    );
    let key = table.parsed("authority_key", printed);
    let noise = table.parsed("authority_noise", printed);
    let relay = table.parsed("relay_noise", printed);
    table.finish();
    Some(Hub {
        address: address?,
        key: key?,
        noise: noise?,
        relay: relay?,
    })
}

fn idp(mut table: Reader<'_>, org: &OrgName) -> Option<IdpStatement> {
    let issuer = table.parsed::<String>(
        "issuer",
        "the provider's address exactly as in `iss`: https://…",
    );
    let client_id =
        table.parsed::<String>("client_id", "the id of the provider's client for Tidegate");
    if client_id.as_deref() == Some("") {
        table.note(
            "client_id",
            "it is empty",
            "the id of the provider's client for Tidegate",
        );
    }
    let client_id = client_id.filter(|id| !id.is_empty());
    let key_host = table.optional_parsed(
        "key_host",
        "host and port: key_host = \"idp.example.com:443\"",
    );
    let key_host = key_host.or_else(|| issuer_host(&table, issuer.as_deref()?));
    let ca_pem = table
        .optional_path("ca_file")
        .map(|path| certificates(&table, &path));
    let algorithms = table.parsed_list::<String>("algorithms", "of RS256, PS256, ES256");
    let algorithms = algorithms.map_or(Some(vec![Algorithm::RS256]), |names| {
        known_algorithms(&table, &names)
    });
    let groups_claim = table
        .text("groups_claim")
        .unwrap_or_else(|| "groups".to_owned());
    let ports = table.parsed_list(
        "redirect_ports",
        "three ports: redirect_ports = [8250, 18250, 28250]",
    );
    let redirect_ports = three(&table, ports);
    let hours = table.number("max_session_hours", 1..=12).unwrap_or(12);
    let ca_pem = match ca_pem {
        None => None,
        Some(read) => Some(read?),
    };
    let statement = IdpStatement {
        org: org.clone(),
        issuer: issuer?,
        client_id: client_id?,
        algorithms: algorithms?,
        redirect_ports: redirect_ports?,
        groups_claim,
        key_host: key_host?,
        ca_pem,
        max_session: hours * 3600,
        version: 0,
    };
    if statement.check().is_err() {
        let reason = "issuer, client_id, groups_claim or a port has a value it may not have";
        table.note(
            "",
            reason,
            "an https issuer without ? and #, a client_id, ports from 1024 up",
        );
    }
    table.finish();
    Some(statement)
}

/// The issuer's own host is where most providers publish their keys.
fn issuer_host(table: &Reader<'_>, issuer: &str) -> Option<HubAddress> {
    let url = url::Url::parse(issuer)
        .ok()
        .filter(|url| url.scheme() == "https");
    let address = url.and_then(|url| {
        format!("{}:{}", url.host_str()?, url.port_or_known_default()?)
            .parse()
            .ok()
    });
    if address.is_none() {
        table.note(
            "issuer",
            "it is not an https address",
            "the provider's address exactly as in `iss`: https://…",
        );
    }
    address
}

fn certificates(table: &Reader<'_>, path: &Path) -> Option<String> {
    let pem = text_file(table, "ca_file", path)?;
    if tls::client_of_pem(pem.as_bytes()).is_err() {
        table.note(
            "ca_file",
            "there is no usable certificate in it",
            "a file with the CA's certificate in PEM",
        );
        return None;
    }
    Some(pem)
}

fn known_algorithms(table: &Reader<'_>, names: &[String]) -> Option<Vec<Algorithm>> {
    let all = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];
    let known = |name: &String| all.into_iter().find(|algorithm| algorithm.as_str() == name);
    let found: Option<Vec<_>> = names.iter().map(known).collect();
    let found = found.filter(|found| (1..=3).contains(&found.len()));
    if found.is_none() {
        table.note(
            "algorithms",
            "one of them is unknown, or there is none",
            "of RS256, PS256, ES256",
        );
    }
    found
}

fn three(table: &Reader<'_>, ports: Option<Vec<u16>>) -> Option<[u16; 3]> {
    let Some(ports) = ports else {
        return Some([8250, 18250, 28250]);
    };
    let three = <[u16; 3]>::try_from(ports).ok();
    let three = three.filter(|ports| ports.iter().collect::<HashSet<_>>().len() == 3);
    if three.is_none() {
        let fix = "three different ports: redirect_ports = [8250, 18250, 28250]";
        table.note("redirect_ports", "they are not three", fix);
    }
    three
}

fn services(top: &mut Reader<'_>, whose: Whose<'_>, relays: &[Relay]) -> Vec<ServiceStatement> {
    let mut services: Vec<ServiceStatement> = Vec::new();
    for mut table in top.tables(
        "service",
        "at least one [[service]]; `tidegate org init` shows one",
    ) {
        let read = service(&mut table, whose, relays);
        if let Some(service) = read {
            if services
                .iter()
                .any(|other| other.service == service.service)
            {
                table.note(
                    "name",
                    "another service has this name",
                    "give each service a name of its own",
                );
            }
            if services.iter().any(|other| other.port == service.port) {
                table.note(
                    "port",
                    "another service has this port",
                    "give each service a port of its own",
                );
            }
            services.push(service);
        }
        table.finish();
    }
    services
}

fn service(table: &mut Reader<'_>, whose: Whose<'_>, relays: &[Relay]) -> Option<ServiceStatement> {
    let name =
        table.parsed::<ServiceName>("name", "a-z, 0-9 and -, up to 63: name = \"warehouse\"");
    let kind = kind(table);
    let title = table.text("title").unwrap_or_default();
    let port = table.required_number("port", 1024..=65_535);
    let database = table.text("database");
    let by_ticket = by_ticket(table, whose.root);
    let outlets = match &by_ticket {
        Some(_) => Some(Vec::new()),
        None => outlets(table),
    };
    let statement = ServiceStatement {
        org: whose.org.clone(),
        service: name?,
        kind: kind?,
        outlets: outlets?,
        enrolment: by_ticket,
        relays: relays.to_vec(),
        port: u16::try_from(port?).ok()?,
        version: 0,
        title,
        database,
    };
    // Without any relay the hub is missing, and more than there may be were noted once already.
    if (1..=8).contains(&relays.len()) && statement.check().is_err() {
        let fix = "up to 120 letters for the title and 63 for the database, without invisible ones";
        table.note("", "title or database cannot be shown", fix);
    }
    Some(statement)
}

fn kind(table: &mut Reader<'_>) -> Option<ServiceKind> {
    let fix = "kind = \"postgres\" or kind = \"tcp\"";
    match table.parsed::<String>("kind", fix)?.as_str() {
        "tcp" => Some(ServiceKind::Tcp),
        "postgres" => Some(ServiceKind::Postgres),
        _ => {
            table.note("kind", "there is no such kind", fix);
            None
        }
    }
}

/// `outlets = "ticket"`: whoever has used a ticket of the root's is an outlet, and nobody needs to carry keys about.
fn by_ticket(table: &mut Reader<'_>, root: &VerifyKey) -> Option<OutletEnrolment> {
    let how = table.text("outlets")?;
    if how != "ticket" {
        let fix = "outlets = \"ticket\", or the keys of the outlet in its place";
        table.note("outlets", "there is no such way to an outlet", fix);
    }
    let since = table.number("outlets_since", 0..=u64::from(u32::MAX));
    Some(OutletEnrolment {
        keys: vec![*root],
        since: UnixTime(since.unwrap_or(0)),
    })
}

fn outlets(table: &mut Reader<'_>) -> Option<Vec<OutletKeys>> {
    let printed = "the key that `tidegate outlet keys` printed beside the service";
    let identity = table.parsed("outlet_identity", printed);
    let noise = table.parsed("outlet_noise", printed);
    let next_identity = table.optional_parsed("next_outlet_identity", printed);
    let next_noise = table.optional_parsed("next_outlet_noise", printed);
    let mut outlets = vec![OutletKeys {
        identity: identity?,
        noise: noise?,
    }];
    match (next_identity, next_noise) {
        (Some(identity), Some(noise)) => outlets.push(OutletKeys { identity, noise }),
        (None, None) => {}
        (Some(_), None) => table.note("next_outlet_noise", "it is missing", printed),
        (None, Some(_)) => table.note("next_outlet_identity", "it is missing", printed),
    }
    Some(outlets)
}

fn text_file(table: &Reader<'_>, key: &str, path: &Path) -> Option<String> {
    let small = |facts: std::fs::Metadata| facts.is_file() && facts.len() <= MOST;
    let text = match std::fs::metadata(path).map(small) {
        Ok(true) => std::fs::read_to_string(path).ok(),
        Ok(false) | Err(_) => None,
    };
    if text.is_none() {
        let reason = format!("{} cannot be read as text", path.display());
        table.note(key, &reason, "the path of a text file of at most 256 KiB");
    }
    text
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
