//! The whole agent, with a browser that signs in at once, and a hub whose keys a thief has taken over.
//! He answers as the authority does; he may leave a service out, and can never put his own outlet in its place.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tidegate_agent::{
    AccountView, Action, Agent, AgentConfig, Code, KeyStoreKind, OpenBrowser, OrgSnapshot,
};
use tidegate_link::{api_link::say_hello, now, respond};
use tidegate_proto::{
    api::{CatalogueEntry, CredentialRequest, Hello, path},
    channel::Prologue,
    entropy::SystemEntropy,
    identity::NoiseSecret,
    names::HubAddress,
    statement::{Beacon, JoinLink, Newest, OrgBundle, PassRole, ServiceHandle, Statement},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::company::{Company, StolenHub, acme, service_statement, within};
use crate::laptop::echoes;
use crate::papers::{minted, minted_pass};
use crate::provider::Provider;

/// Signs in as Ana whatever page it is shown.
struct Browser(Arc<Provider>);

impl OpenBrowser for Browser {
    fn open(&self, url: &url::Url) -> Result<(), tidegate_agent::BrowserError> {
        let asked = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.unwrap().1.into_owned()
        };
        let now = now();
        self.0.give(self.0.sign(&json!({
            "iss": self.0.issuer(), "sub": "ana", "aud": asked("client_id"), "iat": now, "exp": now.plus(3600),
            "auth_time": now, "nonce": asked("nonce"), "groups": ["data-science"]
        })));
        let back: url::Url = asked("redirect_uri").parse().unwrap();
        let (state, port) = (asked("state"), back.port().unwrap());
        std::thread::spawn(move || {
            let mut tcp = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let get = format!(
                "GET /callback?code=c&state={state} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
            );
            tcp.write_all(get.as_bytes()).unwrap();
            let _ = tcp.read_to_end(&mut Vec::new());
        });
        Ok(())
    }
}

/// Stands at the hub's address: passes everything on, or answers for the authority himself.
struct Liar {
    hub: HubAddress,
    keys: StolenHub,
    bundle: OrgBundle,
    /// The warehouse with an outlet of his own, signed as well as he can.
    entry: CatalogueEntry,
    lies: AtomicBool,
    told: AtomicUsize,
}

impl Liar {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut visitors = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            let liar = Arc::clone(&self);
            visitors.spawn(async move { liar.receive(tcp).await });
        }
    }

    async fn receive(&self, mut tcp: TcpStream) -> Option<()> {
        let mut first = [0; 4];
        tcp.read_exact(&mut first).await.ok()?;
        if first == *b"tg1A" && self.lies.load(Ordering::SeqCst) {
            return self.lie(tcp).await;
        }
        let mut hub = TcpStream::connect(self.hub.to_string()).await.ok()?;
        hub.write_all(&first).await.ok()?;
        copy_bidirectional(&mut tcp, &mut hub).await.ok().map(drop)
    }

    async fn lie(&self, mut tcp: TcpStream) -> Option<()> {
        let hello = Hello {
            roots: self.bundle.roots.clone(),
            root: self.bundle.root,
            authority: self.bundle.authority.clone(),
        };
        say_hello(&mut tcp, &hello).await.ok()?;
        let prologue = |suite| Prologue::api(suite, acme());
        let secure = respond(tcp, prologue, &self.keys.noise).await.ok()?;
        let service =
            service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        let io = TokioIo::new(secure.into_stream());
        let served = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
        served.await.ok()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let asked = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let answer = match asked.as_str() {
            path::SETTINGS => {
                json!({"org": "acme", "roots": self.bundle.roots, "root": self.bundle.root,
                "authority": self.bundle.authority, "idp": self.bundle.idp})
            }
            path::CREDENTIAL => self.credential(&serde_json::from_slice(&body).unwrap()),
            // No events: the agent comes again.
            _ => return Response::new(Full::default()),
        };
        Response::new(Full::new(answer.to_string().into()))
    }

    fn credential(&self, asked: &CredentialRequest) -> serde_json::Value {
        self.told.fetch_add(1, Ordering::SeqCst);
        let (signing, handle) = (&self.keys.signing, self.entry.handle);
        let beacon = Beacon {
            org: acme(),
            epoch: 0,
            at: now(),
            versions: Newest::default(),
            revoked: vec![],
            floor: 0,
        };
        json!({"credential": minted(signing, "ana", &asked.identity), "pass": minted_pass(signing, PassRole::Agent, handle),
            "services": [self.entry], "beacon": beacon.sign(signing), "expires": now().plus(500)})
    }
}

async fn signed_in(agent: &Agent) {
    let mut snapshot = agent.snapshot();
    let is = |org: &OrgSnapshot| matches!(org.account, AccountView::SignedIn { .. });
    within(snapshot.wait_for(|now| now.orgs.iter().all(is)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_agent_does_not_go_where_a_stolen_hub_sends_it() {
    let company = Company::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: HubAddress = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (keys, noise) = (
        company.stolen_hub_keys(),
        NoiseSecret::generate(&SystemEntropy).public(),
    );
    let mut his = service_statement(
        "warehouse",
        15432,
        noise,
        std::slice::from_ref(&address),
        &company.outlet_keys,
    );
    his.version = 9;
    let entry = CatalogueEntry {
        jws: his.sign(&keys.signing),
        handle: ServiceHandle([1; 16]),
        outlets: vec![],
    };
    let liar = Arc::new(Liar {
        hub: company.address.clone(),
        keys,
        bundle: company.bundle.clone(),
        entry,
        lies: AtomicBool::new(false),
        told: AtomicUsize::new(0),
    });
    let lying = tokio::spawn(Arc::clone(&liar).serve(listener));
    let dir = tempfile::tempdir().unwrap();
    let mut config = AgentConfig::in_dir(&dir.path().join("agent"));
    config.keys = KeyStoreKind::Memory;
    config.browser = Box::new(Browser(Arc::clone(&company.provider)));
    let agent = Agent::start(config).await.unwrap();
    let link = JoinLink {
        address,
        org: acme(),
        root: company.org.root.verify_key().peer_id(),
        ticket: Some(company.org.ticket("ana", now()).join),
    };
    let link = link.to_link().to_string().into();
    agent.act(Action::Join { link }).await.unwrap();
    let mut snapshot = agent.snapshot();
    let joined = snapshot.wait_for(|now| now.org(&acme()).is_some() && !now.joining);
    drop(within(joined).await.unwrap());

    liar.lies.store(true, Ordering::SeqCst);
    agent.act(Action::SignIn { org: acme() }).await.unwrap();
    signed_in(&agent).await;
    let warehouse = "acme/warehouse".parse().unwrap();
    let sent = within(agent.open(&warehouse)).await;

    assert!(liar.told.load(Ordering::SeqCst) > 0, "he was not asked");
    assert_eq!(
        sent.err().map(|problem| problem.code),
        Some(Code::NotAvailable)
    );
    assert_eq!(agent.snapshot().borrow().services().count(), 0);
    company.nothing_opened();
    // Once the hub tells the truth again, so does the window.
    liar.lies.store(false, Ordering::SeqCst);
    drop(
        within(snapshot.wait_for(|now| now.services().count() > 0))
            .await
            .unwrap(),
    );
    let mut portal = within(agent.open(&warehouse)).await.unwrap();
    echoes(&mut portal).await;
    drop(portal);
    within(agent.shutdown()).await;
    lying.abort();
    company.end().await;
}
