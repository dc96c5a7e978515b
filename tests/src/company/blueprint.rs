//! What a company consists of, before it is founded: its provider, its warehouse, its CA, and perhaps more services.
//! The settings of administrator and outlet are written from here, so that the two never disagree by accident.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Firm, SERVICE, SERVICE_PORT};
use crate::ca::CertificateAuthority;
use crate::provider::{CLIENT_ID, Provider};
use crate::warehouse::{DATABASE, Warehouse};

pub struct Blueprint<'a> {
    pub firm: Firm,
    pub provider: &'a Provider,
    pub warehouse: &'a Warehouse,
    pub ca: &'a CertificateAuthority,
    /// Beside the warehouse.
    pub also: Vec<TcpService>,
    /// Circuits the outlet bears of one person; nothing: as many as it does by itself.
    pub circuits: Option<usize>,
    /// How many seconds the outlet keeps portals whose circuits died: idle ones, and those in a transaction.
    pub keeps: Option<[u32; 2]>,
    /// Beside the one in the hub.
    pub own_relay: bool,
    /// The outlet's keys are not carried to the administrator; hers is a ticket.
    pub outlet_by_ticket: bool,
    /// Nobody has standing access: it is asked for and approved.
    pub asking: bool,
    /// What is asked of the warehouse is on record.
    pub statements: bool,
}

/// What the servers printed of themselves, for the administrator's `org.toml`.
pub(super) struct Printed<'a> {
    pub(super) hub: &'a Value,
    /// Nothing where a ticket makes the outlet.
    pub(super) outlet: Option<&'a Value>,
    /// Address and keys of the relay that is not in the hub.
    pub(super) relay: Option<(&'a str, &'a Value)>,
}

/// Something that only moves bytes.
pub struct TcpService {
    pub name: String,
    pub target: SocketAddr,
    /// On the laptop.
    pub port: u16,
    /// Whether both policies name the sign-in that only a code made.
    pub also_low: bool,
}

/// Data scientists see the warehouse and may connect to it; nobody else does, and nothing else exists.
const ORG_POLICY: &str = r#"permit (
  principal in Tidegate::Group::"acme/data-science",
  action in [Tidegate::Action::"see", Tidegate::Action::"connect"],
  resource == Tidegate::Service::"acme/warehouse"
);
"#;

/// The owner's own policy: the department counts, and only sign-ins that are bound to a device.
const OWNER_POLICY: &str = r#"permit (
  principal,
  action == Tidegate::Action::"connect",
  resource == Tidegate::Service::"acme/warehouse"
) when {
  principal has department && principal.department == "Data Science" && principal.assurance == "high"
};
"#;

/// Data scientists ask, data owners decide, and both see the warehouse.
const ASKING_ORG_POLICY: &str = r#"@longest("4h") @finish("1m")
permit (
  principal in Tidegate::Group::"acme/data-science",
  action == Tidegate::Action::"request",
  resource == Tidegate::Service::"acme/warehouse"
);
permit (
  principal in Tidegate::Group::"acme/data-owners",
  action == Tidegate::Action::"approve",
  resource == Tidegate::Service::"acme/warehouse"
);
permit (principal, action == Tidegate::Action::"see", resource == Tidegate::Service::"acme/warehouse");
permit (
  principal,
  action == Tidegate::Action::"connect",
  resource == Tidegate::Service::"acme/warehouse"
) when { context has grant };
"#;

/// The owner lets in whom a data owner approved.
const ASKING_OWNER_POLICY: &str = r#"permit (
  principal,
  action == Tidegate::Action::"connect",
  resource == Tidegate::Service::"acme/warehouse"
) when {
  context has grant && context.grant has approver &&
  context.grant.approver in Tidegate::Group::"acme/data-owners"
};
"#;

impl<'a> Blueprint<'a> {
    /// The company of the scene.
    #[must_use]
    pub fn new(
        provider: &'a Provider,
        warehouse: &'a Warehouse,
        ca: &'a CertificateAuthority,
    ) -> Self {
        Self {
            firm: Firm::Acme,
            provider,
            warehouse,
            ca,
            also: Vec::new(),
            circuits: None,
            keeps: None,
            own_relay: false,
            outlet_by_ticket: false,
            asking: false,
            statements: false,
        }
    }

    /// Another company with the same plan.
    #[must_use]
    pub fn of(mut self, firm: Firm) -> Self {
        self.firm = firm;
        self
    }

    /// With a relay beside the one in the hub.
    #[must_use]
    pub fn with_its_own_relay(mut self) -> Self {
        self.own_relay = true;
        self
    }

    /// With an outlet that a ticket makes.
    #[must_use]
    pub fn with_an_outlet_by_ticket(mut self) -> Self {
        self.outlet_by_ticket = true;
        self
    }

    /// An outlet that keeps portals whose circuits die, for a minute.
    #[must_use]
    pub fn keeps_portals(self) -> Self {
        self.keeps_portals_for([60, 60])
    }

    /// For so many seconds: idle ones, and those in a transaction.
    #[must_use]
    pub fn keeps_portals_for(mut self, seconds: [u32; 2]) -> Self {
        self.keeps = Some(seconds);
        self
    }

    /// An outlet that bears so many circuits of one person, and of everybody together.
    #[must_use]
    pub fn bears_circuits(mut self, circuits: usize) -> Self {
        self.circuits = Some(circuits);
        self
    }

    /// Without standing access.
    #[must_use]
    pub fn where_people_ask(mut self) -> Self {
        self.asking = true;
        self
    }

    /// With an outlet that records what is asked of the warehouse.
    #[must_use]
    pub fn where_statements_are_recorded(mut self) -> Self {
        self.statements = true;
        self
    }

    #[must_use]
    pub fn with(mut self, service: TcpService) -> Self {
        self.also.push(service);
        self
    }

    /// `org.toml`, as an administrator fills in the template.
    pub(super) fn org_settings(&self, hub: &str, printed: &Printed<'_>) -> String {
        let hub_keys = printed.hub;
        let keys = match printed.outlet {
            None => "outlets = \"ticket\"\n".to_owned(),
            Some(keys) => {
                let (identity, noise) = (text(&keys["identity"]), text(&keys["noise"]));
                format!("outlet_identity = \"{identity}\"\noutlet_noise = \"{noise}\"\n")
            }
        };
        let mut settings = format!(
            r#"policy = "policy.cedar"

[hub]
address = "{hub}"
authority_key = "{}"
authority_noise = "{}"
relay_noise = "{}"

[idp]
issuer = "{}"
client_id = "{CLIENT_ID}"
key_host = "{}"
ca_file = "acme-ca.pem"

[[service]]
name = "{SERVICE}"
kind = "postgres"
title = "Flight warehouse"
port = {SERVICE_PORT}
database = "{DATABASE}"
{keys}"#,
            text(&hub_keys["authority"]["key"]),
            text(&hub_keys["authority"]["noise"]),
            text(&hub_keys["relay"]["noise"]),
            self.provider.issuer,
            self.provider.key_host,
        );
        for TcpService { name, port, .. } in &self.also {
            let block = format!(
                "\n[[service]]\nname = \"{name}\"\nkind = \"tcp\"\ntitle = \"{name}\"\nport = {port}\n{keys}"
            );
            settings.push_str(&block);
        }
        if let Some((address, keys)) = printed.relay {
            let noise = text(&keys["relay"]["noise"]);
            let block = format!("\n[[relay]]\naddress = \"{address}\"\nnoise = \"{noise}\"\n");
            settings.push_str(&block);
        }
        settings
    }

    /// `outlet.toml`, relative to the outlet's home.
    pub(super) fn outlet_settings(&self, root: &str, hub: &str) -> String {
        let org = self.firm.org();
        let (host, port) = (&self.warehouse.host, self.warehouse.address.port());
        let bears = self
            .circuits
            .map(|circuits| format!("circuits = {circuits}, per_person = {circuits}"));
        let keeps = self.keeps.map(|[idle, in_transaction]| {
            format!(
                "resume_within_seconds = {idle}, resume_within_seconds_in_transaction = {in_transaction}"
            )
        });
        let limits: Vec<_> = bears.into_iter().chain(keeps).collect();
        let limits = match limits.is_empty() {
            true => String::new(),
            false => format!("limits = {{ {} }}\n", limits.join(", ")),
        };
        let statements = match self.statements {
            true => "statements = { record = \"text\" }\n",
            false => "",
        };
        let mut settings = format!(
            r#"org = "{org}"
root = "{root}"
hub = "{hub}"
data = "data"
policy = "owner.cedar"
owner = "this-computer"
{limits}
[[service]]
name = "{SERVICE}"
kind = "postgres"
target = "{host}:{port}"
database = "{DATABASE}"
login = {{ json_file = "login.json" }}
tls = {{ ca_file = "acme-ca.pem" }}
{statements}"#
        );
        for TcpService { name, target, .. } in &self.also {
            settings.push_str(&format!(
                "\n[[service]]\nname = \"{name}\"\nkind = \"tcp\"\ntarget = \"{target}\"\n"
            ));
        }
        settings
    }

    pub(super) fn org_policy(&self) -> String {
        self.for_all_services(if self.asking {
            ASKING_ORG_POLICY
        } else {
            ORG_POLICY
        })
    }

    pub(super) fn owner_policy(&self) -> String {
        self.for_all_services(if self.asking {
            ASKING_OWNER_POLICY
        } else {
            OWNER_POLICY
        })
    }

    fn for_all_services(&self, policy: &str) -> String {
        let org = self.firm.org();
        let policy = policy.replace("acme/", &format!("{org}/"));
        let also = self.also.iter().map(|service| {
            let own = policy.replace(
                &format!("{org}/{SERVICE}"),
                &format!("{org}/{}", service.name),
            );
            if service.also_low {
                names_low(&own)
            } else {
                own
            }
        });
        std::iter::once(policy.clone()).chain(also).collect()
    }
}

/// The same rule, and it says that a sign-in by code is good enough for it.
fn names_low(policy: &str) -> String {
    let either = r#"["high", "low"].contains(principal.assurance)"#;
    if policy.contains("when") {
        return policy.replace(r#"principal.assurance == "high""#, either);
    }
    policy.replace(");\n", &format!(")\nwhen {{ {either} }};\n"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
