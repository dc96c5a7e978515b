//! A hub and the outlet behind it as far as an agent sees them, in one task: API, relay link, and circuits that echo.
//! It does at the test's word what the real ones do by themselves, and counts what is open.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate_link::api_link::say_hello;
use tidegate_link::{LinkError, Portal, Preface, Secure, read_preface, respond};
use tidegate_proto::api::devices::DevicesAnswer;
use tidegate_proto::api::{
    ApiRefusal, CatalogueEntry, CredentialRequest, EnrolAnswer, EnrolRequest, path,
};
use tidegate_proto::auth::{Auth, proof_input};
use tidegate_proto::channel::{CircuitToken, Prologue};
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::frame::{Frame, Purpose};
use tidegate_proto::identity::{SigningKey, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName, ServiceName};
use tidegate_proto::problem::Code;
use tidegate_proto::statement::{
    Credential, Enrolment, IdpStatement, JoinLink, JoinTicket, Promised, Statement, TicketKind,
    TicketStatement,
};
use tidegate_proto::time::UnixTime;
use tidegate_proto::wire::link::{FromRelay, RelayRefusal, ToRelay};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::berths::Berths;
use super::org::{Org, no_provider};
use crate::clock::Clock;

/// What the outlet answers to OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlet {
    Echoes,
    Refuses(Code),
    /// Admits only credentials of this epoch or a later one.
    From(u64),
    /// Nobody is connected to the relay for the service; circuits that stand go on.
    Absent,
    /// The same, and circuits end when they are asked for something.
    Dead,
    /// Takes OPEN and never answers it.
    Silent,
    /// Works on OPEN until it is told to do something else, and says that it is there when it is asked.
    Works,
}

/// How the hub treats whoever calls its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    /// Takes the call and says nothing, ever.
    Silent,
    /// A greeting, one byte at a time, that never comes to its end.
    Trickles,
    /// Bytes that are no greeting.
    Babbles,
    HangsUp,
    /// Proves who it is, and answers no question.
    Stalls,
    /// Proves who it is, and answers with this.
    Says(u16, &'static str),
    /// An answer that does not end.
    Floods,
    /// An answer that begins well and stops.
    Stops,
    /// Does what it is asked to, and loses the answer.
    LosesAnswers,
}

/// What happened, as counted at the hub's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) links: usize,
    /// Circuits that were asked for at the relay, ever.
    pub(crate) asked: usize,
    /// Circuits that are open, warm ones included.
    pub(crate) circuits: usize,
    pub(crate) probes: usize,
    pub(crate) portals: usize,
    /// The most portals that one circuit has carried.
    pub(crate) most_on_one_circuit: usize,
    pub(crate) reauths: usize,
    /// AUTHs that were refused, ever.
    pub(crate) not_admitted: usize,
    /// Asked whether it is there while it worked on an OPEN.
    pub(crate) pings: usize,
}

pub(crate) struct Inner {
    pub(crate) org: Org,
    clock: Clock,
    pub(crate) outlet: watch::Sender<Outlet>,
    pub(crate) manner: watch::Sender<Manner>,
    /// What it calls the device, and its person's devices.
    pub(crate) devices: Mutex<Option<DevicesAnswer>>,
    /// Which key came with which ticket.
    pub(crate) enrolled: Mutex<BTreeMap<String, VerifyKey>>,
    pub(crate) services: Mutex<Vec<CatalogueEntry>>,
    pub(crate) idp: Mutex<IdpStatement>,
    /// What the outlet says when it refuses.
    pub(crate) reason: Mutex<String>,
    /// Refuse to renew with this.
    pub(crate) refuse: Mutex<Option<Code>>,
    /// Of the credentials that are given.
    pub(crate) epoch: AtomicU64,
    /// What it answers about access, and when it is told to.
    pub(crate) about_access: Mutex<VecDeque<oneshot::Receiver<String>>>,
    events: broadcast::Sender<(&'static str, String)>,
    pub(crate) count: watch::Sender<Count>,
    tokens: Mutex<VecDeque<CircuitToken>>,
    /// Circuits that were answered.
    turn: AtomicUsize,
    pub(crate) berths: Berths,
}

pub(crate) struct Hub {
    pub(crate) address: HubAddress,
    pub(crate) inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Hub {
    pub(crate) async fn start(org: OrgName, clock: Clock) -> Self {
        Self::start_at("127.0.0.1:0", org, clock).await
    }

    async fn start_at(address: &str, org: OrgName, clock: Clock) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let inner = Arc::new(Inner {
            idp: Mutex::new(no_provider(org.clone())),
            org: Org::new(org),
            clock,
            outlet: watch::Sender::new(Outlet::Echoes),
            manner: watch::Sender::new(Manner::Answers),
            devices: Mutex::default(),
            reason: Mutex::new("no".into()),
            enrolled: Mutex::default(),
            services: Mutex::default(),
            refuse: Mutex::default(),
            epoch: AtomicU64::default(),
            about_access: Mutex::default(),
            events: broadcast::Sender::new(64),
            count: watch::Sender::default(),
            tokens: Mutex::default(),
            turn: AtomicUsize::default(),
            berths: Berths::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            task,
        }
    }

    pub(crate) fn org(&self) -> &Org {
        &self.inner.org
    }

    pub(crate) fn lists(&self, service: &ServiceName, port: u16) {
        let entry = self.inner.org.service(service, port, &self.address);
        self.inner.services.lock().unwrap().push(entry);
    }

    /// As `lists`, over other relays than itself; forgets what it listed before.
    pub(crate) fn lists_behind(&self, service: &ServiceName, port: u16, relays: &[HubAddress]) {
        let entry = self.inner.org.service_behind(service, port, relays);
        *self.inner.services.lock().unwrap() = vec![entry];
    }

    /// A join link with a ticket, which names these services.
    pub(crate) fn link(&self, id: &str, services: Vec<Promised>) -> String {
        let (org, key) = (self.org(), SigningKey::generate(&SystemEntropy));
        let at = self.inner.clock.now();
        let ticket = TicketStatement {
            org: org.name.clone(),
            kind: TicketKind::Device {
                sub: super::org::SUBJECT.parse().unwrap(),
            },
            key: key.verify_key(),
            at,
            not_after: at.plus(3600),
            id: id.to_owned(),
            services,
        };
        let link = JoinLink {
            address: self.address.clone(),
            org: org.name.clone(),
            root: org.fingerprint(),
            ticket: Some(JoinTicket {
                jws: ticket.sign(&org.root),
                key,
            }),
        };
        link.to_link().to_string()
    }

    pub(crate) fn say(&self, event: &'static str, data: String) {
        let _ = self.inner.events.send((event, data));
    }

    /// Its next answer about access, which it gives when it is told what.
    pub(crate) fn answers_about_access(&self) -> oneshot::Sender<String> {
        let (say, said) = oneshot::channel();
        self.inner.about_access.lock().unwrap().push_back(said);
        say
    }

    pub(crate) fn count(&self) -> Count {
        *self.inner.count.borrow()
    }

    /// Waits until what is counted is as it should be.
    pub(crate) async fn counts(&self, fits: impl FnMut(&Count) -> bool) -> Count {
        let mut count = self.inner.count.subscribe();
        *count.wait_for(fits).await.unwrap()
    }

    /// Ends every connection and the listener; a new hub takes its place at the same address.
    pub(crate) async fn restart(self) -> Self {
        let (address, services) = (
            self.address.to_string(),
            self.inner.services.lock().unwrap().clone(),
        );
        let (org, clock) = (self.inner.org.name.clone(), self.inner.clock.clone());
        self.stop().await;
        let hub = Self::start_at(&address, org, clock).await;
        *hub.inner.services.lock().unwrap() = services;
        hub
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut guests = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        guests.spawn(guest(tcp, Arc::clone(&inner)));
    }
}

async fn guest(mut tcp: TcpStream, inner: Arc<Inner>) {
    match read_preface(&mut tcp).await {
        Ok(Preface::Api) => api(tcp, inner).await,
        Ok(Preface::Link) => drop(link(tcp, &inner).await),
        Ok(Preface::Circuit(token)) => drop(circuit(tcp, token, &inner).await),
        Err(_) => {}
    }
}

/// Counts something for as long as it lives.
struct Counted<'a>(&'a Inner, fn(&mut Count) -> &mut usize);

impl<'a> Counted<'a> {
    fn new(inner: &'a Inner, what: fn(&mut Count) -> &mut usize) -> Self {
        inner.count.send_modify(|count| *what(count) += 1);
        Self(inner, what)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *(self.1)(count) -= 1);
    }
}

async fn api(mut tcp: TcpStream, inner: Arc<Inner>) {
    let now = inner.clock.now();
    let manner = *inner.manner.borrow();
    match manner {
        Manner::Silent => return std::future::pending().await,
        Manner::HangsUp => return,
        Manner::Babbles => {
            let _ = tcp.write_all(&[0xf5; 70_000]).await;
            return std::future::pending().await;
        }
        Manner::Trickles => {
            // Its length says 8,224 bytes, which take a quarter of an hour.
            while tcp.write_all(&[0x20]).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            return;
        }
        _ => {}
    }
    if say_hello(&mut tcp, &inner.org.hello(now)).await.is_err() {
        return;
    }
    let prologue = |suite| Prologue::api(suite, inner.org.name.clone());
    let Ok(secure) = respond(tcp, prologue, &inner.org.authority_noise).await else {
        return;
    };
    let hash = secure.hash;
    let service = service_fn(move |request| {
        let inner = Arc::clone(&inner);
        async move {
            let manner = *inner.manner.borrow();
            Ok::<_, Infallible>(match manner {
                Manner::Answers | Manner::LosesAnswers => answer(request, &inner, &hash).await,
                manner => misbehave(manner).await,
            })
        }
    });
    let io = TokioIo::new(secure.into_stream());
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    inner: &Inner,
    hash: &tidegate_proto::channel::HandshakeHash,
) -> Response<BoxBody<Bytes, Infallible>> {
    let now = inner.clock.now();
    match request.uri().path() {
        path::SETTINGS => whole(
            200,
            serde_json::to_string(&inner.org.settings(&inner.idp.lock().unwrap(), now)).unwrap(),
        ),
        path::CREDENTIAL => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let asked: CredentialRequest = serde_json::from_slice(&body).unwrap();
            asked
                .identity
                .verify(&proof_input(hash), &asked.proof)
                .unwrap();
            credential(inner, &asked, now)
        }
        path::DEVICES => match &*inner.devices.lock().unwrap() {
            Some(devices) => whole(200, serde_json::to_string(devices).unwrap()),
            None => whole(200, r#"{"sub":"00uana","devices":[]}"#.to_owned()),
        },
        path::ENROL => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let answer = enrol(inner, &serde_json::from_slice(&body).unwrap());
            if *inner.manner.borrow() == Manner::LosesAnswers {
                return std::future::pending().await;
            }
            answer
        }
        path::ACCESS => {
            let next = inner.about_access.lock().unwrap().pop_front();
            whole(200, next.unwrap().await.unwrap())
        }
        path::EVENTS => {
            let events = inner.events.subscribe();
            let first = ("beacon", inner.org.beacon(None, now));
            let stream =
                futures_util::stream::unfold((events, Some(first)), |(mut events, first)| async {
                    let (name, data) = match first {
                        Some(first) => first,
                        None => events.recv().await.ok()?,
                    };
                    let text = format!("event: {name}\ndata: {data}\n\n");
                    Some((Ok(BodyFrame::data(Bytes::from(text))), (events, None)))
                });
            Response::new(BodyExt::boxed(StreamBody::new(stream)))
        }
        other => panic!("nobody should ask for {other}"),
    }
}

/// Answers that no hub should give.
async fn misbehave(manner: Manner) -> Response<BoxBody<Bytes, Infallible>> {
    let begun = |then: Option<Bytes>| {
        let first = Bytes::from_static(b"{\"org\":\"acme\",");
        let chunks = futures_util::stream::unfold(Some(first), move |next| {
            let then = then.clone();
            async move {
                match next {
                    Some(bytes) => Some((Ok(BodyFrame::data(bytes)), then)),
                    // It stops, and holds the line.
                    None => std::future::pending().await,
                }
            }
        });
        Response::new(BodyExt::boxed(StreamBody::new(chunks)))
    };
    match manner {
        Manner::Says(status, body) => whole(status, body.to_owned()),
        Manner::Floods => begun(Some(Bytes::from(vec![b' '; 1 << 16]))),
        Manner::Stops => begun(None),
        _ => std::future::pending().await,
    }
}

/// A ticket is good for one key.
fn enrol(inner: &Inner, request: &EnrolRequest) -> Response<BoxBody<Bytes, Infallible>> {
    let root = inner.org.root.verify_key();
    let ticket = TicketStatement::verify_for(&request.ticket, &root, &inner.org.name).unwrap();
    let key = Enrolment::verify_for(&request.enrolment, &ticket.key, &inner.org.name)
        .unwrap()
        .key;
    let mut enrolled = inner.enrolled.lock().unwrap();
    if *enrolled.entry(ticket.id).or_insert(key) != key {
        let refusal = ApiRefusal {
            code: Code::TicketUsed.number(),
            text: "no".into(),
        };
        return whole(403, serde_json::to_string(&refusal).unwrap());
    }
    let answer = EnrolAnswer {
        device: "laptop".into(),
    };
    whole(200, serde_json::to_string(&answer).unwrap())
}

fn credential(
    inner: &Inner,
    asked: &CredentialRequest,
    now: UnixTime,
) -> Response<BoxBody<Bytes, Infallible>> {
    if let Some(code) = *inner.refuse.lock().unwrap() {
        let refusal = ApiRefusal {
            code: code.number(),
            text: "no".into(),
        };
        return whole(403, serde_json::to_string(&refusal).unwrap());
    }
    let credential = inner
        .org
        .credential(asked.identity, inner.epoch.load(Ordering::SeqCst), now);
    let services = inner.services.lock().unwrap().clone();
    whole(
        200,
        serde_json::to_string(&inner.org.answer(credential, services, now)).unwrap(),
    )
}

fn whole(status: u16, body: String) -> Response<BoxBody<Bytes, Infallible>> {
    Response::builder()
        .status(status)
        .body(Full::new(Bytes::from(body)).boxed())
        .unwrap()
}

async fn link(tcp: TcpStream, inner: &Inner) -> Result<(), LinkError> {
    let mut secure = respond(
        tcp,
        |suite| Prologue::link(suite, inner.org.name.clone()),
        &inner.org.relay_noise,
    )
    .await?;
    assert!(matches!(
        ToRelay::decode(&secure.recv_record().await?),
        Ok(ToRelay::Hello { .. })
    ));
    secure.send_record(&FromRelay::Welcome.encode()).await?;
    let _counted = Counted::new(inner, |count| &mut count.links);
    loop {
        let reply = match ToRelay::decode(&secure.recv_record().await?)? {
            ToRelay::Ping(number) => FromRelay::Pong(number),
            ToRelay::Open { request, .. } => offer(inner, request),
            ToRelay::Hello { .. }
            | ToRelay::Chain { .. }
            | ToRelay::NewPass { .. }
            | ToRelay::KeyTunnel { .. } => continue,
        };
        secure.send_record(&reply.encode()).await?;
    }
}

fn offer(inner: &Inner, request: u32) -> FromRelay {
    inner.count.send_modify(|count| count.asked += 1);
    if matches!(*inner.outlet.borrow(), Outlet::Absent | Outlet::Dead) {
        return FromRelay::Refused {
            request,
            code: RelayRefusal::Absent.code(),
        };
    }
    let mut token = CircuitToken([0; 16]);
    SystemEntropy.fill(&mut token.0);
    inner.tokens.lock().unwrap().push_back(token);
    FromRelay::Circuit { request, token }
}

/// The outlet's end of a circuit.
async fn circuit(tcp: TcpStream, token: CircuitToken, inner: &Inner) -> Result<(), LinkError> {
    assert!(
        inner.tokens.lock().unwrap().contains(&token),
        "an unknown token"
    );
    let service: ServiceName = "echo".parse().unwrap();
    let prologue = |suite| Prologue::portal(suite, inner.org.name.clone(), service.clone(), token);
    // Each in turn, as a relay does.
    let all = inner.org.outlet_noise.len();
    let turn = inner.turn.fetch_add(1, Ordering::SeqCst) % all;
    let turn = inner.berths.meet(turn, all);
    let mut secure = respond(tcp, prologue, &inner.org.outlet_noise[turn]).await?;
    let _counted = Counted::new(inner, |count| &mut count.circuits);
    let record = secure.recv().await?;
    let Frame::Auth(auth) = record.frame() else {
        panic!("AUTH comes first")
    };
    let auth = Auth::decode(auth).unwrap();
    auth.identity
        .verify(&proof_input(&secure.hash), &auth.signature)
        .unwrap();
    let key = inner.org.authority.verify_key();
    let credential = Credential::verify_for(&auth.credential, &key, &inner.org.name).unwrap();
    let outlet = *inner.outlet.borrow();
    if matches!(outlet, Outlet::From(epoch) if credential.epoch < epoch) {
        inner.count.send_modify(|count| count.not_admitted += 1);
        let code = Code::NotAdmitted.number();
        return secure.send(&Frame::Refused { code, text: "no" }).await;
    }
    let deadline = inner.clock.now().plus(900);
    secure.send(&Frame::Admitted { deadline }).await?;
    let granted = auth.grant.is_some();
    serve(secure, (turn, granted), inner).await
}

async fn serve(
    mut secure: Secure,
    (turn, granted): (usize, bool),
    inner: &Inner,
) -> Result<(), LinkError> {
    let mut carried = 0;
    loop {
        let record = secure.recv().await?;
        let open = match record.frame() {
            Frame::Open(open) => open,
            Frame::Resume(resume) => {
                return inner.berths.resume(secure, resume, (turn, granted)).await;
            }
            _ => continue,
        };
        let outlet = *inner.outlet.borrow();
        if outlet == Outlet::Dead {
            return Err(LinkError::Lost);
        }
        if outlet == Outlet::Silent {
            return std::future::pending().await;
        }
        work(&mut secure, inner).await?;
        if let Outlet::Refuses(code) = outlet {
            let text = inner.reason.lock().unwrap().clone();
            secure
                .send(&Frame::Refused {
                    code: code.number(),
                    text: &text,
                })
                .await?;
            continue;
        }
        if open.purpose == Purpose::Resumable && inner.berths.keeps() {
            let number = open.portal;
            echo(inner.berths.open(secure, number, turn).await?, inner).await;
            inner.berths.over(number);
            return Ok(());
        }
        secure
            .send(&Frame::Opened {
                portal: open.portal,
            })
            .await?;
        match open.purpose {
            Purpose::Probe => inner.count.send_modify(|count| count.probes += 1),
            Purpose::Connect | Purpose::Resumable => {
                carried += 1;
                inner.count.send_modify(|count| {
                    count.most_on_one_circuit = count.most_on_one_circuit.max(carried);
                });
                let (home, mut returned) = oneshot::channel();
                echo(
                    Portal::lent(secure, |back| home.send(back.circuit).err()),
                    inner,
                )
                .await;
                secure = returned.try_recv().map_err(|_| LinkError::Lost)?;
            }
        }
    }
}

/// What a target that takes long keeps an outlet at.
async fn work(secure: &mut Secure, inner: &Inner) -> Result<(), LinkError> {
    let mut outlet = inner.outlet.subscribe();
    loop {
        let record = tokio::select! {
            biased;
            _ = outlet.wait_for(|outlet| *outlet != Outlet::Works) => return Ok(()),
            record = secure.recv() => record?,
        };
        if let Frame::Ping(number) = record.frame() {
            inner.count.send_modify(|count| count.pings += 1);
            secure.send(&Frame::Pong(number)).await?;
        }
    }
}

async fn echo(portal: Portal, inner: &Inner) {
    let _counted = Counted::new(inner, |count| &mut count.portals);
    let control = portal.control();
    let (mut read, mut write) = tokio::io::split(portal);
    let echoing = async {
        if tokio::io::copy(&mut read, &mut write).await.is_ok() {
            let _ = write.shutdown().await;
        }
    };
    let hearing = async {
        while control.next_reauth().await.is_some() {
            inner.count.send_modify(|count| count.reauths += 1);
            let _ = control.admitted(inner.clock.now().plus(900)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = echoing => {}
        () = hearing => {}
    }
}
