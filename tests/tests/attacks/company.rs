//! The company under attack: hub, outlet, provider, target, all real and on loopback.
//! `end` proves that nothing is left: an honest person still gets in, then every record is closed and every task joined.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidegate_authority::AuthorityKeys;
use tidegate_link::{ApiConnection, now};
use tidegate_outlet::{Outlet, OutletConfig, keys::OutletKeys};
use tidegate_proto::{
    api::{EnrolAnswer, EnrolRequest, path},
    entropy::SystemEntropy,
    event::{Event, EventKind},
    identity::{NoiseSecret, SigningKey},
    names::HubAddress,
    statement::{
        OrgBundle, OutletKeys as PublicKeys, Relay as RelayAt, ServiceKind, ServiceStatement,
        Statement,
    },
};
use tokio::net::{TcpListener, TcpSocket};

use crate::client::{Client, Device, Refused};
use crate::hub::{DeafRelay, Hub, HubHere, HubProgram};
use crate::laptop::Laptop;
use crate::org::Org;
pub(crate) use crate::papers::{acme, within};
use crate::provider::Provider;
use crate::target::Target;

/// Whoever may see the warehouse may connect to it. Of the vault its owner says nothing.
const OWNER_POLICY: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science",
            action == Tidegate::Action::"connect", resource == Tidegate::Service::"acme/warehouse");
"#;
pub(crate) const RELAY_KEY: [u8; 32] = [0x52; 32];

pub(crate) struct Company {
    dir: TempDir,
    pub(crate) org: Org,
    pub(crate) provider: Arc<Provider>,
    pub(crate) address: HubAddress,
    pub(crate) target: Target,
    pub(crate) outlet_keys: OutletKeys,
    pub(crate) bundle: OrgBundle,
    pub(crate) hub: Hub,
    outlet: Outlet,
}

impl Company {
    /// With a hub in this process, where a thief can be given what is inside.
    pub(crate) async fn start() -> Self {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        Self::found(&[address], async |dir, org, bundle| {
            Hub::Here(HubHere::start(listener, &dir.join("hub"), org, bundle).await)
        })
        .await
    }

    /// The same, and the catalogue names a second relay, which hears nothing after its start.
    pub(crate) async fn with_a_deaf_relay() -> (Self, HubAddress, DeafRelay) {
        let (hub, deaf) = (listener(), listener());
        let (address, second) = (hub.local_addr().unwrap(), deaf.local_addr().unwrap());
        let mut relay = None;
        let company = Self::found(&[address, second], async |dir, org, bundle| {
            let hub = HubHere::start(hub, &dir.join("hub"), org, bundle).await;
            relay = Some(DeafRelay::start(deaf, &hub.authority));
            Hub::Here(hub)
        })
        .await;
        (company, second.to_string().parse().unwrap(), relay.unwrap())
    }

    /// With the hub's own program, whose memory can be weighed.
    pub(crate) async fn with_hub_program() -> Self {
        // Free a moment ago: the catalogue must name the port before the hub can listen on it.
        let address = listener().local_addr().unwrap();
        Self::found(&[address], async |dir, org, bundle| {
            Hub::Program(HubProgram::start(address, &dir.join("hub"), org, bundle).await)
        })
        .await
    }

    async fn found(
        relays: &[SocketAddr],
        hub: impl AsyncFnOnce(&Path, &Org, OrgBundle) -> Hub,
    ) -> Self {
        let (dir, org, provider) = (
            tempfile::tempdir().unwrap(),
            Org::new(),
            Arc::new(Provider::start().await),
        );
        let relays: Vec<HubAddress> = relays
            .iter()
            .map(|at| at.to_string().parse().unwrap())
            .collect();
        let address = relays[0].clone();
        let keys = OutletKeys::load_or_make(&dir.path().join("outlet"), &SystemEntropy)
            .ok()
            .unwrap();
        let bundle = bundle(&dir, &org, &provider, &keys, &relays);
        let hub = hub(dir.path(), &org, bundle.clone()).await;
        let target = Target::start().await;
        let outlet = outlet(&dir, &org, &address, &target).await;
        Self {
            dir,
            org,
            provider,
            address,
            target,
            outlet_keys: keys,
            bundle,
            hub,
            outlet,
        }
    }

    /// What a thief finds in the hub's data directory: the key that signs, and the one that answers.
    pub(crate) fn stolen_hub_keys(&self) -> StolenHub {
        let content = std::fs::read(self.hub_data().join("authority.keys")).unwrap();
        let secret =
            |n: usize| -> [u8; 32] { content[content.len() - 32 * n..][..32].try_into().unwrap() };
        let signing = SigningKey::from_seed(&secret(3));
        assert_eq!(
            signing.verify_key(),
            self.hub.here().authority.statement().key
        );
        StolenHub {
            signing,
            noise: NoiseSecret::from_bytes(&secret(2)),
        }
    }

    fn hub_data(&self) -> PathBuf {
        self.dir.path().join("hub/authority")
    }

    pub(crate) fn outlet_data(&self) -> PathBuf {
        self.dir.path().join("outlet")
    }

    fn audit(&self) -> PathBuf {
        self.dir.path().join("audit.jsonl")
    }

    pub(crate) fn relay_key(&self) -> NoiseSecret {
        NoiseSecret::from_bytes(&RELAY_KEY)
    }

    /// A new connection to the authority, as a device would make it.
    pub(crate) async fn api(&self) -> Client {
        let noise = NoiseSecret::generate(&SystemEntropy);
        let root = self.org.root.verify_key().peer_id();
        Client::over(
            ApiConnection::connect(&self.address, &acme(), root, &noise)
                .await
                .unwrap(),
        )
        .await
    }

    /// A device of `sub`, enrolled by the administrator's ticket.
    pub(crate) async fn device(&self, sub: &str) -> Device {
        let (device, ticket) = (Device::new(), self.org.ticket(sub, now()));
        let request = EnrolRequest {
            ticket: ticket.join.jws.clone(),
            enrolment: ticket.enrolment(&device.identity.verify_key(), now()),
        };
        let enrolled: Result<EnrolAnswer, Refused> =
            self.api().await.post(path::ENROL, &request).await;
        enrolled.unwrap();
        device
    }

    /// What the provider says after `sub` signed in on `device`.
    pub(crate) fn token(&self, device: &Device, sub: &str, groups: &[&str]) -> String {
        self.provider
            .sign(&device.claims(&self.provider, sub, groups, now()))
    }

    /// Somebody of the company at work: enrolled, signed in, linked to the relay.
    pub(crate) async fn laptop(&self, sub: &str, groups: &[&str]) -> Laptop {
        Laptop::start(self, sub, groups).await
    }

    /// Ana may use the warehouse.
    pub(crate) async fn ana(&self) -> Laptop {
        self.laptop("ana", &["data-science"]).await
    }

    /// The outlet's records so far, after proving that the chain holds.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        let text = std::fs::read_to_string(self.audit()).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let key = self.outlet_keys.identity.verify_key();
        whole
            .lines()
            .map(|line| Event::verify(line, &key).unwrap().what)
            .collect()
    }

    /// Nobody reached the target and nothing was permitted: the attack came to nothing.
    pub(crate) fn nothing_opened(&self) {
        assert_eq!(self.target.came(), 0, "somebody reached the target");
        let opened = |event: &EventKind| matches!(event, EventKind::PortalOpened(_));
        assert!(!self.events().iter().any(opened), "somebody was permitted");
    }

    /// An honest person still gets in; then everything ends and nothing is left.
    pub(crate) async fn end(self) {
        let honest = self.laptop("honest", &["data-science"]).await;
        honest.works(self.target.came() + 1, &self).await;
        honest.shutdown().await;

        within(self.outlet.shutdown()).await;
        within(self.target.idle()).await;
        let proof =
            tidegate_outlet::audit::verify(&self.dir.path().join("audit.jsonl"), None).unwrap();
        assert_eq!(proof.open, 0, "a record was left open");
        within(self.hub.end()).await;
    }
}

/// The hub's secrets in the wrong hands.
pub(crate) struct StolenHub {
    pub(crate) signing: SigningKey,
    pub(crate) noise: NoiseSecret,
}

/// With room for a crowd that comes all at once.
fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket.listen(4096).unwrap()
}

fn bundle(
    dir: &TempDir,
    org: &Org,
    provider: &Provider,
    outlet: &OutletKeys,
    relays: &[HubAddress],
) -> OrgBundle {
    let hub_keys =
        AuthorityKeys::open_or_make(&dir.path().join("hub/authority"), &SystemEntropy).unwrap();
    let service = |name: &str, port| {
        service_statement(name, port, outlet.noise.public(), relays, outlet).sign(&org.root)
    };
    OrgBundle {
        services: vec![service("warehouse", 15432), service("vault", 15433)],
        ..org.bundle(hub_keys.public(), provider.settings(), now().minus(1))
    }
}

/// A catalogue entry; who signs it is another question.
pub(crate) fn service_statement(
    name: &str,
    port: u16,
    noise: tidegate_proto::identity::NoisePublic,
    relays: &[HubAddress],
    outlet: &OutletKeys,
) -> ServiceStatement {
    let relay = |address: &HubAddress| RelayAt {
        address: address.clone(),
        noise: NoiseSecret::from_bytes(&RELAY_KEY).public(),
    };
    ServiceStatement {
        org: acme(),
        service: name.parse().unwrap(),
        kind: ServiceKind::Tcp,
        outlets: vec![PublicKeys {
            identity: outlet.identity.verify_key(),
            noise,
        }],
        enrolment: None,
        relays: relays.iter().map(relay).collect(),
        port,
        version: 1,
        title: String::new(),
        database: None,
    }
}

async fn outlet(dir: &TempDir, org: &Org, hub: &HubAddress, target: &Target) -> Outlet {
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(at("owner.cedar"), OWNER_POLICY).unwrap();
    let text = format!(
        "org = \"acme\"\nroot = \"{}\"\nhub = \"{hub}\"\ndata = \"{}\"\npolicy = \"{}\"\nowner = \"this-computer\"\naudit = \"{}\"\n\
         limits = {{ resume_within_seconds = 600 }}\n\
         [[service]]\nname = \"warehouse\"\nkind = \"tcp\"\ntarget = \"{target}\"\n\
         [[service]]\nname = \"vault\"\nkind = \"tcp\"\ntarget = \"{target}\"\n",
        org.root.verify_key().peer_id(),
        at("outlet"),
        at("owner.cedar"),
        at("audit.jsonl"),
        target = target.address,
    );
    let outlet = Outlet::start(OutletConfig::from_toml(&text).unwrap())
        .await
        .unwrap();
    within(outlet.ready()).await;
    outlet
}
