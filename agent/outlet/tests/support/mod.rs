//! An outlet at work: a fake hub, a real provider over TLS, a real TCP target, and people who come through circuits.
//! Only the hub is pretended; everything an outlet decides by is signed and checked for real.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod hub;
pub(crate) mod org;
pub(crate) mod provider;
pub(crate) mod target;

use hub::{ECHO, Hub};
use org::{ORG_POLICY, OWNER_POLICY, Org, Person, echo, org};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tidegate_link::{Portal, Record, Secure, initiate, now};
use tidegate_outlet::keys::OutletKeys;
use tidegate_outlet::{Outlet, OutletConfig};
use tidegate_proto::api::{CatalogueEntry, OutletAnswer};
use tidegate_proto::channel::{Prologue, Suite};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{Event, EventKind};
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::statement::{RevokeTarget, Revoked, Statement};
use tidegate_proto::time::UnixTime;

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The scene, with an outlet in it or not.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) org: Arc<Org>,
    pub(crate) hub: Hub,
    pub(crate) target: Target,
    pub(crate) keys: OutletKeys,
    outlet: Option<Outlet>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Org::new()).await
    }

    pub(crate) async fn with(org_keys: Org) -> Self {
        let mut world = Self::without_outlet(org_keys).await;
        world.start_outlet().await;
        world
    }

    pub(crate) async fn without_outlet(org_keys: Org) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = OutletKeys::load_or_make(&dir.path().join("data"), &SystemEntropy)
            .ok()
            .unwrap();
        let org_keys = Arc::new(org_keys);
        let hub = Hub::start(Arc::clone(&org_keys)).await;
        let world = Self {
            dir,
            org: org_keys,
            hub,
            target: Target::start().await,
            keys,
            outlet: None,
        };
        std::fs::write(world.owner_policy(), OWNER_POLICY).unwrap();
        world.answer(ORG_POLICY, 1);
        world
    }

    /// What the hub tells an outlet from now on.
    pub(crate) fn answer(&self, policy: &str, version: u64) {
        let jws = self.org.service(
            self.keys.identity.verify_key(),
            self.keys.noise.public(),
            &self.hub.address,
        );
        let answer = OutletAnswer {
            grants: Default::default(),
            pass: "pass".into(),
            services: vec![CatalogueEntry {
                jws,
                handle: ECHO,
                outlets: vec![],
            }],
            policy: Some(self.org.policy(policy, version)),
            idp: self.org.idp(),
            authority: self.org.authority_statement(),
            beacon: self.org.beacon(0, vec![]),
        };
        self.hub.inner.answer.send_replace(Some(answer));
    }

    /// Makes the outlet fetch an answer that it will not take; it has turned it down when it asks again.
    pub(crate) async fn has_turned_down_an_answer(&self) {
        let mut answered = self.hub.inner.answered.subscribe();
        let before = *answered.borrow();
        // Said again and again: an outlet that is just connecting misses an event. Whoever hands its records in asks once, too.
        within(async {
            while *answered.borrow_and_update() <= before + 2 {
                self.hub.say("changed", "");
                let _ = tokio::time::timeout(Duration::from_millis(50), answered.changed()).await;
            }
        })
        .await;
    }

    pub(crate) fn owner_policy(&self) -> PathBuf {
        self.dir.path().join("owner.cedar")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.dir.path().join("audit.jsonl")
    }

    pub(crate) fn config(&self) -> OutletConfig {
        OutletConfig::from_toml(&self.config_text()).unwrap()
    }

    pub(crate) fn config_text(&self) -> String {
        format!(
            "org = \"acme\"\nroot = \"{}\"\nhub = \"{}\"\ndata = \"{}\"\npolicy = \"{}\"\nowner = \"this-computer\"\naudit = \"{}\"\n\
             limits = {{ per_person = 8, dial_milliseconds = 1000 }}\n\
             [[service]]\nname = \"echo\"\nkind = \"tcp\"\ntarget = \"{}\"\n",
            self.org.root.verify_key().peer_id(),
            self.hub.address,
            self.data().display(),
            self.owner_policy().display(),
            self.audit().display(),
            self.target.address,
        )
    }

    pub(crate) async fn start_outlet(&mut self) {
        let outlet = Outlet::start(self.config()).await.unwrap();
        within(outlet.ready()).await;
        self.outlet = Some(outlet);
    }

    /// As `start_outlet`, with one more limit.
    pub(crate) async fn start_outlet_with(&mut self, limit: &str) {
        let text = self.config_text();
        let text = text.replace("per_person = 8", &format!("per_person = 8, {limit}"));
        self.start_outlet_by(&text).await;
    }

    /// As `start_outlet`, by this text.
    pub(crate) async fn start_outlet_by(&mut self, text: &str) {
        let config = OutletConfig::from_toml(text).unwrap();
        let outlet = Outlet::start(config).await.unwrap();
        within(outlet.ready()).await;
        self.outlet = Some(outlet);
    }

    /// Whose portals end with their circuits.
    pub(crate) async fn start_outlet_that_keeps_no_portal(&mut self) {
        self.start_outlet_with(
            "resume_within_seconds = 0, resume_within_seconds_in_transaction = 0",
        )
        .await;
    }

    pub(crate) async fn stop_outlet(&mut self) {
        within(self.outlet.take().unwrap().shutdown()).await;
    }

    pub(crate) fn drop_outlet(&mut self) {
        drop(self.outlet.take());
    }

    pub(crate) fn outlet(&self) -> &Outlet {
        self.outlet.as_ref().unwrap()
    }

    /// A circuit to the outlet, handshaken as `service`.
    pub(crate) async fn handshake(&self, suite: Suite) -> Secure {
        let (tcp, token) = self.hub.circuit().await;
        let prologue = Prologue::portal(suite, org(), echo(), token);
        let local = NoiseSecret::generate(&SystemEntropy);
        within(initiate(tcp, &prologue, &local, self.keys.noise.public()))
            .await
            .unwrap()
    }

    /// A circuit on which this person's AUTH was sent, and what was answered.
    pub(crate) async fn auth(&self, person: &Person) -> (Secure, Said) {
        let mut secure = self.handshake(Suite::Aes256Gcm).await;
        let auth = person.auth(&self.org, &secure.hash).encode().unwrap();
        secure.send(&Frame::Auth(&auth)).await.unwrap();
        let said = hear(&mut secure).await;
        (secure, said)
    }

    /// A warm circuit.
    pub(crate) async fn warm(&self, person: &Person) -> Secure {
        let (secure, said) = self.auth(person).await;
        assert!(matches!(said, Said::Admitted(_)), "{said:?}");
        secure
    }

    /// A running portal.
    pub(crate) async fn portal(&self, person: &Person) -> Portal {
        let mut secure = self.warm(person).await;
        assert_eq!(
            open(&mut secure, 1, Purpose::Connect).await,
            Said::Opened(1)
        );
        Portal::new(secure)
    }

    pub(crate) fn revoke(&self, sub: &str, epoch: u64) {
        let who = RevokeTarget::Subject(sub.parse().unwrap());
        self.hub.say(
            "beacon",
            &self.org.beacon(epoch, vec![Revoked { who, epoch }]),
        );
    }

    /// Everything in the audit so far, after proving that it holds together.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        tidegate_outlet::audit::verify(&self.audit(), None).unwrap();
        events_in(&self.audit(), &self.keys)
    }

    /// Waits for an event.
    pub(crate) async fn event<T>(&self, find: impl Fn(&EventKind) -> Option<T>) -> T {
        within(async {
            loop {
                if let Some(found) = events_in(&self.audit(), &self.keys).iter().find_map(&find) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Stops everything and proves that nothing is left: no open record, no connection at the target, no link.
    pub(crate) async fn end(mut self) {
        if self.outlet.is_some() {
            self.stop_outlet().await;
        }
        within(self.target.idle()).await;
        within(
            self.hub
                .inner
                .links
                .subscribe()
                .wait_for(|links| *links == 0),
        )
        .await
        .unwrap();
        let proof = tidegate_outlet::audit::verify(&self.audit(), None).unwrap();
        assert_eq!(proof.open, 0, "a record was left open");
        assert!(!self.data().join("outlet.sock").exists());
        self.hub.stop().await;
    }
}

fn events_in(path: &Path, keys: &OutletKeys) -> Vec<EventKind> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| {
            Event::verify(line, &keys.identity.verify_key())
                .unwrap()
                .what
        })
        .collect()
}

/// A machine whose disk does one thing after the other, so that it can hang.
pub(crate) fn with_one_disk(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    runtime.unwrap().block_on(test);
}

/// The disk of `with_one_disk`: nothing gets there until this is dropped.
pub(crate) struct HangingDisk {
    _works_again: std::sync::mpsc::Sender<()>,
}

impl HangingDisk {
    pub(crate) fn new() -> Self {
        let (_works_again, hangs) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || hangs.recv());
        Self { _works_again }
    }
}

/// What an outlet said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Admitted(UnixTime),
    Opened(u64),
    Berth(u64, [u8; 16]),
    Resumed(u64),
    Refused(u16, String),
    Reset(u16),
    Pong(u64),
    Nothing,
}

pub(crate) async fn hear(secure: &mut Secure) -> Said {
    match within(secure.recv()).await {
        Ok(record) => said(&record),
        Err(_) => Said::Nothing,
    }
}

fn said(record: &Record) -> Said {
    match record.frame() {
        Frame::Admitted { deadline } => Said::Admitted(deadline),
        Frame::Opened { portal } => Said::Opened(portal),
        Frame::Berth {
            portal, instance, ..
        } => Said::Berth(portal, instance),
        Frame::Resumed { received } => Said::Resumed(received),
        Frame::Refused { code, text } => Said::Refused(code, text.to_owned()),
        Frame::Reset { code } => Said::Reset(code),
        Frame::Pong(number) => Said::Pong(number),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn open(secure: &mut Secure, portal: u64, purpose: Purpose) -> Said {
    secure
        .send(&Frame::Open(Open {
            portal,
            process: 9,
            purpose,
            grant: None,
            first: &[],
        }))
        .await
        .unwrap();
    hear(secure).await
}

/// A circuit on which BERTH has come, and what the portal is named by; nothing has been said to it.
pub(crate) async fn berthed(world: &World, person: &Person, number: u64) -> (Secure, Resume) {
    let mut secure = world.warm(person).await;
    let opened = open(&mut secure, number, Purpose::Resumable).await;
    let Said::Berth(portal, instance) = opened else {
        panic!("{opened:?}")
    };
    let resume = Resume {
        instance,
        portal,
        generation: 1,
        received: 0,
    };
    (secure, resume)
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it takes far too long")
}

pub(crate) fn ana() -> Person {
    Person::new("00uana", "data-science")
}

/// Seconds from now.
pub(crate) fn soon(seconds: u64) -> UnixTime {
    now().plus(seconds)
}
