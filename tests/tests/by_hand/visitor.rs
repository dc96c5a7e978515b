//! Somebody in the café who speaks the protocol by himself: enrols, asks the hub for papers, shows what he has to the outlet.
//! Honest or not is only a matter of what he brings. Everything of one visit lives and ends on a thread in the café's network.

use std::time::Duration;

use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_link::{ApiConnection, LinkError, Portal, RelayLink, Secure, now};
use tidegate_proto::api::{CredentialAnswer, CredentialRequest, EnrolAnswer, EnrolRequest, path};
use tidegate_proto::auth::{Auth, prove};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoisePublic, NoiseSecret, PeerId, SigningKey, VerifyKey};
use tidegate_proto::idtoken::commitment;
use tidegate_proto::names::HubAddress;
use tidegate_proto::statement::{
    Enrolment, JoinLink, ServiceHandle, ServiceStatement, Statement, TicketStatement,
};
use tidegate_tests::company::SERVICE;
use tidegate_tests::ground::Ground;
use tidegate_tests::provider::{CLIENT_ID, Person, REDIRECT_PORTS};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::Outcome;
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Program, Site, User};

use crate::papers::{Said, acme, handshake, link_key, present_with, within};

const LIMIT: Duration = Duration::from_secs(40);

/// A laptop, as far as papers go.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    seed: [u8; 32],
    pub(crate) rz: [u8; 32],
}

impl Device {
    pub(crate) fn new(n: u8) -> Self {
        Self {
            seed: [n; 32],
            rz: [n + 100; 32],
        }
    }

    pub(crate) fn identity(&self) -> SigningKey {
        SigningKey::from_seed(&self.seed)
    }

    pub(crate) fn nonce(&self) -> String {
        commitment(&self.rz, &self.identity().verify_key(), &acme(), CLIENT_ID)
    }
}

/// Where the hub is, and by whose word.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) address: HubAddress,
    root: PeerId,
}

impl Hub {
    pub(crate) fn of(world: &World) -> Self {
        let port = world.company.hub.address.rsplit(':').next().unwrap();
        let address = format!("{}:{port}", world.stage.ground().hub());
        Self {
            address: address.parse().unwrap(),
            root: world.company.admin.root.parse().unwrap(),
        }
    }

    async fn api(&self) -> (ApiClient, VerifyKey) {
        let connection = self.connects_to(&self.address).await;
        let root = connection.hello.root;
        (ApiClient::new(connection).await.unwrap(), root)
    }

    /// To whoever says there that he is this hub, and proves it.
    pub(crate) async fn connects_to(&self, address: &HubAddress) -> ApiConnection {
        let (org, noise) = (acme(), NoiseSecret::generate(&SystemEntropy));
        let connection = ApiConnection::connect(address, &org, self.root, &noise);
        within(connection).await.unwrap()
    }

    /// As `tidegate join` does.
    pub(crate) async fn enrols(&self, device: Device, link: &str) {
        let (mut api, root) = self.api().await;
        let ticket = JoinLink::parse(link).unwrap().ticket.unwrap();
        let id = TicketStatement::verify_for(&ticket.jws, &root, &acme())
            .unwrap()
            .id;
        let enrolment = Enrolment {
            org: acme(),
            ticket: id,
            key: device.identity().verify_key(),
            noise: None,
            at: now(),
        };
        let request = EnrolRequest {
            ticket: ticket.jws.clone(),
            enrolment: enrolment.sign(&ticket.key),
        };
        let _: EnrolAnswer = api.post(path::ENROL, &request).await.unwrap();
    }

    /// What the hub gives for a sign-in.
    pub(crate) async fn credential(
        &self,
        device: Device,
        token: &str,
    ) -> Result<CredentialAnswer, ApiError> {
        let (mut api, _) = self.api().await;
        let request = CredentialRequest {
            identity: device.identity().verify_key(),
            id_token_0: token.to_owned(),
            rz: device.rz,
            id_token_n: None,
            link_key: link_key().public(),
            proof: prove(&api.hash, &device.identity()),
        };
        api.post(path::CREDENTIAL, &request).await
    }

    /// The way to the warehouse, by the catalogue.
    pub(crate) async fn way(&self, answer: &CredentialAnswer) -> Way {
        let (_, root) = self.api().await;
        let entry = &answer.services[0];
        let said = ServiceStatement::verify_for(&entry.jws, &root, &acme()).unwrap();
        Way {
            hub: self.clone(),
            relay: said.relays[0].noise,
            outlet: said.outlets[0].noise,
            handle: entry.handle,
        }
    }
}

/// The way to the warehouse's outlet.
#[derive(Clone)]
pub(crate) struct Way {
    hub: Hub,
    relay: NoisePublic,
    outlet: NoisePublic,
    pub(crate) handle: ServiceHandle,
}

/// What somebody shows.
#[derive(Clone)]
pub(crate) struct Papers {
    pub(crate) pass: String,
    pub(crate) credential: String,
    pub(crate) id_token: String,
    pub(crate) rz: [u8; 32],
    pub(crate) device: Device,
}

impl Way {
    /// A circuit to the outlet, and what is said to these papers and to an OPEN that carries `first`.
    pub(crate) async fn shown(
        &self,
        papers: &Papers,
        first: &[u8],
    ) -> (Secure, Vec<Said>, RelayLink) {
        self.shown_with(papers, first, None).await
    }

    /// A circuit by whoever is the relay at `relay`, as far as the handshake with the warehouse's outlet.
    async fn circuit(
        &self,
        relay: &HubAddress,
        papers: &Papers,
    ) -> Result<(Secure, RelayLink), LinkError> {
        let (org, key) = (acme(), link_key());
        let link = RelayLink::connect(relay, self.relay, &key, &org, papers.pass.clone());
        let link = within(link).await.unwrap();
        let token = within(link.open(self.handle)).await.unwrap();
        let secure = within(handshake(relay, token, SERVICE, self.outlet)).await?;
        Ok((secure, link))
    }

    /// Whether somebody at `relay` can be the relay and lead to the outlet.
    pub(crate) async fn there_over(
        &self,
        relay: &HubAddress,
        papers: &Papers,
    ) -> Result<(), LinkError> {
        self.circuit(relay, papers).await.map(drop)
    }

    /// With a proof of possession that was made elsewhere, if there is one.
    async fn shown_with(
        &self,
        papers: &Papers,
        first: &[u8],
        proof: Option<[u8; 64]>,
    ) -> (Secure, Vec<Said>, RelayLink) {
        let (mut secure, link) = self.circuit(&self.hub.address, papers).await.unwrap();
        let identity = papers.device.identity();
        let auth = Auth {
            service: SERVICE.parse().unwrap(),
            credential: papers.credential.clone(),
            id_token_0: papers.id_token.clone(),
            rz: papers.rz,
            identity: identity.verify_key(),
            id_token_n: None,
            enrolment: None,
            grant: None,
            signature: proof.unwrap_or_else(|| prove(&secure.hash, &identity)),
        };
        let said = present_with(&mut secure, &auth, first).await;
        (secure, said, link)
    }

    /// What the outlet's program says to these papers.
    pub(crate) async fn said(&self, papers: &Papers) -> Vec<Said> {
        let (_, said, link) = self.shown(papers, &[]).await;
        within(link.shutdown()).await;
        said
    }

    /// The same to somebody who has everything but the device's key, and a proof that it made for another channel.
    pub(crate) async fn said_with_proof(&self, papers: &Papers, proof: [u8; 64]) -> Vec<Said> {
        let (_, said, link) = self.shown_with(papers, &[], Some(proof)).await;
        within(link.shutdown()).await;
        said
    }

    /// The number of flights, read by whoever holds these papers.
    pub(crate) async fn flights(&self, papers: &Papers) -> i64 {
        let (secure, said, link) = self.shown(papers, &[]).await;
        assert_eq!(said, [Said::Admitted, Said::Opened]);
        let mut config = tokio_postgres::Config::new();
        config.user("ana").dbname(DATABASE);
        let session = config.connect_raw(Portal::new(secure), tokio_postgres::NoTls);
        let (client, connection) = within(session).await.unwrap();
        let answering = tokio::spawn(async move { drop(connection.await) });
        let row = client.query_one("select count(*) from flights", &[]);
        let flights = within(row).await.unwrap().get(0);
        drop(client);
        within(answering).await.unwrap();
        within(link.shutdown()).await;
        flights
    }
}

/// Does something in the café.
pub(crate) fn in_the_cafe<T: Send + 'static>(
    world: &World,
    what: impl Future<Output = T> + Send + 'static,
) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = move || runtime.block_on(what);
    match world.stage.ground() {
        Ground::Namespaces(network) => Ok(network.inside(Site::Cafe, work)?),
        Ground::Loopback(_) => {
            let thread = std::thread::spawn(work);
            Ok(thread
                .join()
                .map_err(|_| std::io::Error::other("the visitor panicked"))?)
        }
    }
}

/// A sign-in at the provider by a program of his own, with a nonce of his choice.
pub(crate) async fn signs_in(world: &World, person: &Person, nonce: &str) -> Outcome<String> {
    let redirect = format!("http://127.0.0.1:{}/callback", REDIRECT_PORTS[0]);
    let words = [
        world.provider.issuer.as_str(),
        CLIENT_ID,
        &redirect,
        nonce,
        person.login,
    ];
    let program = node(world, "token")?
        .args(words)
        .env("PASSWORD", &person.password);
    Ok(program.output(&world.stage, LIMIT).await?.trim().to_owned())
}

/// What the provider's key signs when somebody else has it.
pub(crate) async fn forges(
    world: &World,
    key: &serde_json::Value,
    claims: &serde_json::Value,
) -> Outcome<String> {
    let program = node(world, "forge")?
        .env("KEY", key.to_string())
        .env("CLAIMS", claims.to_string());
    Ok(program.output(&world.stage, LIMIT).await?.trim().to_owned())
}

fn node(world: &World, script: &str) -> Outcome<Program> {
    let run = world.stage.run();
    let ca = run.home(User::Colleague).join("acme-ca.pem");
    run.private_file(User::Colleague, &ca, world.ca.pem())?;
    let program = Program::new(script, Site::Cafe, User::Colleague, "node");
    Ok(program
        .arg(run.at(&format!("provider/{script}.mjs")))
        .env("NODE_EXTRA_CA_CERTS", ca))
}
