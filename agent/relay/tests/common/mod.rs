//! A relay on a real port with a doorstep, an authority's key to sign passes with, and a clock to move by hand.
//! It stands in for the hub's accept loop and nothing else.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tidegate_link::{Doorstep, LinkError, Preface, RelayLink, now, read_preface, tune};
use tidegate_proto::{
    entropy::SystemEntropy,
    identity::{NoisePublic, NoiseSecret, SigningKey},
    names::{HubAddress, OrgName},
    statement::{AuthorityStatement, Pass, PassRole, Statement},
    time::UnixTime,
    wire::link::ServiceHandle,
};
use tidegate_relay::{Catalogue, Limits, Relay, RelayConfig};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) const WAREHOUSE: ServiceHandle = ServiceHandle([1; 16]);
pub(crate) const OTHER: ServiceHandle = ServiceHandle([2; 16]);

pub(crate) struct Stage {
    pub(crate) relay: Relay,
    pub(crate) address: HubAddress,
    pub(crate) key: NoisePublic,
    pub(crate) authority: SigningKey,
    pub(crate) doorstep: Arc<Doorstep>,
    /// Whom the authority has shut out.
    pub(crate) shut_out: watch::Sender<Arc<BTreeSet<String>>>,
    pub(crate) root: SigningKey,
    /// What is in force in the org's catalogue.
    pub(crate) catalogue: watch::Sender<Arc<Catalogue>>,
    clock: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

pub(crate) fn org() -> OrgName {
    "acme".parse().unwrap()
}

impl Stage {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::with_key_host(limits, "127.0.0.1:1".parse().unwrap()).await
    }

    pub(crate) async fn with_key_host(limits: Limits, key_host: HubAddress) -> Self {
        let authority = SigningKey::generate(&SystemEntropy);
        let noise = NoiseSecret::generate(&SystemEntropy);
        let key = noise.public();
        let clock = Arc::new(AtomicU64::new(now().0));
        let read = Arc::clone(&clock);
        let shut_out = watch::Sender::default();
        let root = SigningKey::generate(&SystemEntropy);
        let catalogue = watch::Sender::new(Arc::new(Catalogue {
            root: root.verify_key().peer_id(),
            services: BTreeMap::from([("warehouse".parse().unwrap(), 2)]),
        }));
        let relay = Relay::new(RelayConfig {
            org: org(),
            authority: watch::channel(certified(&authority)).1,
            noise,
            key_host: watch::channel(key_host).1,
            shut_out: shut_out.subscribe(),
            catalogue: catalogue.subscribe(),
            limits,
            clock: Arc::new(move || UnixTime(read.load(Ordering::Relaxed))),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let doorstep = Doorstep::new(512);
        let accepting = tokio::spawn(accept(listener, relay.clone(), Arc::clone(&doorstep)));
        Self {
            relay,
            address,
            key,
            authority,
            doorstep,
            shut_out,
            root,
            catalogue,
            clock,
            accepting,
        }
    }

    /// As the authority does it on a revocation.
    pub(crate) fn shut_out(&self, who: &str) {
        self.shut_out.send_modify(|listed| {
            Arc::make_mut(listed).insert(who.to_owned());
        });
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn pass(&self, role: PassRole, holder: &NoiseSecret, who: &str) -> Pass {
        Pass {
            org: org(),
            pseudonym: who.to_owned(),
            role,
            handles: vec![WAREHOUSE],
            cnf: holder.public().fingerprint(),
            not_after: UnixTime(self.clock.load(Ordering::Relaxed)).plus(600),
        }
    }

    pub(crate) async fn link(
        &self,
        holder: &NoiseSecret,
        pass: &Pass,
    ) -> Result<RelayLink, LinkError> {
        let pass = pass.sign(&self.authority);
        RelayLink::connect(&self.address, self.key, holder, &org(), pass).await
    }

    pub(crate) async fn agent(&self, who: &str) -> RelayLink {
        let holder = NoiseSecret::generate(&SystemEntropy);
        self.link(&holder, &self.pass(PassRole::Agent, &holder, who))
            .await
            .unwrap()
    }

    pub(crate) async fn outlet(&self, who: &str) -> RelayLink {
        let holder = NoiseSecret::generate(&SystemEntropy);
        self.link(&holder, &self.pass(PassRole::Outlet, &holder, who))
            .await
            .unwrap()
    }

    /// Ends everything and shows that nothing is left.
    pub(crate) async fn end(self) {
        self.accepting.abort();
        let _ = self.accepting.await;
        let relay = self.relay.clone();
        self.relay.shutdown().await;
        assert_eq!((relay.links(), relay.circuits()), (0, 0));
    }
}

async fn accept(listener: TcpListener, relay: Relay, doorstep: Arc<Doorstep>) {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let (relay, guest) = (relay.clone(), doorstep.enter());
        tasks.spawn(async move {
            tune(&tcp).unwrap();
            match guest.within(read_preface(&mut tcp)).await {
                Ok(Preface::Link) => relay.serve_link(tcp, guest),
                Ok(Preface::Circuit(token)) => relay.serve_circuit(tcp, token),
                Ok(Preface::Api) | Err(_) => {}
            }
        });
        while tasks.try_join_next().is_some() {}
    }
}

fn certified(authority: &SigningKey) -> AuthorityStatement {
    AuthorityStatement {
        org: org(),
        key: authority.verify_key(),
        noise: NoiseSecret::generate(&SystemEntropy).public(),
        not_before: now().minus(60),
        not_after: now().plus(86_400),
        version: 1,
    }
}
