//! A hub as far as an outlet sees one: the authority's API, a relay's link, and circuits joined by token.
//! It is built from link's answering side, and does at the test's word what a real hub does by itself.

use super::org::{Org, org};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tidegate_link::{Preface, Secure, api_link::say_hello, read_preface, respond};
use tidegate_proto::api::access::FirstUse;
use tidegate_proto::api::record::{HandIn, HandedIn};
use tidegate_proto::api::{Hello, OutletAnswer, OutletRequest, path};
use tidegate_proto::channel::{CircuitToken, Prologue};
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::event::{Chain, Event, Head};
use tidegate_proto::names::HubAddress;
use tidegate_proto::wire::link::{FromRelay, ServiceHandle, ToRelay};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

pub(crate) const ECHO: ServiceHandle = ServiceHandle([7; 16]);

/// A running hub.
pub(crate) struct Hub {
    pub(crate) address: HubAddress,
    pub(crate) inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

pub(crate) struct Inner {
    pub(crate) org: Arc<Org>,
    /// What an outlet is answered; nothing while the authority is away.
    pub(crate) answer: watch::Sender<Option<OutletAnswer>>,
    /// `(name, data)` of events.
    pub(crate) events: broadcast::Sender<(String, String)>,
    offers: broadcast::Sender<CircuitToken>,
    halves: Mutex<HashMap<[u8; 16], Half>>,
    pub(crate) links: watch::Sender<usize>,
    /// How it treats links.
    pub(crate) manner: watch::Sender<Manner>,
    /// How often somebody asked for a link.
    pub(crate) knocks: watch::Sender<usize>,
    /// Streams of events that are open.
    pub(crate) listening: watch::Sender<usize>,
    /// How often an outlet was answered.
    pub(crate) answered: watch::Sender<usize>,
    /// First uses of grants that an outlet told.
    pub(crate) used: watch::Sender<Vec<FirstUse>>,
    /// Lines of its audit that an outlet handed in, of one chain after the other.
    pub(crate) handed_in: watch::Sender<Vec<Vec<String>>>,
}

/// How a hub treats links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    /// As one whose cable was pulled: what stands stays, and nothing is said.
    Silent,
    /// Ends those there are, and takes nobody in.
    Closed,
}

enum Half {
    Waiting(TcpStream),
    /// The other half is the provider.
    Tunnel,
}

impl Hub {
    pub(crate) async fn start(org: Arc<Org>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let inner = Arc::new(Inner {
            org,
            answer: watch::Sender::new(None),
            events: broadcast::Sender::new(64),
            offers: broadcast::Sender::new(64),
            halves: Mutex::default(),
            links: watch::Sender::new(0),
            manner: watch::Sender::new(Manner::Answers),
            knocks: watch::Sender::new(0),
            listening: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            used: watch::Sender::new(Vec::new()),
            handed_in: watch::Sender::new(vec![Vec::new()]),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            accepting,
        }
    }

    /// Offers a circuit to the outlet and gives back our half of it.
    pub(crate) async fn circuit(&self) -> (TcpStream, CircuitToken) {
        let token = token();
        self.inner
            .links
            .subscribe()
            .wait_for(|links| *links > 0)
            .await
            .unwrap();
        self.inner.offers.send(token).unwrap();
        let mut tcp = TcpStream::connect(self.address.to_string()).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tidegate_link::preface(&mut tcp, Preface::Circuit(token))
            .await
            .unwrap();
        (tcp, token)
    }

    pub(crate) fn say(&self, event: &str, data: &str) {
        let _ = self.inner.events.send((event.to_owned(), data.to_owned()));
    }

    pub(crate) async fn stop(self) {
        self.accepting.abort();
        let _ = self.accepting.await;
    }
}

fn token() -> CircuitToken {
    let mut token = [0; 16];
    SystemEntropy.fill(&mut token);
    CircuitToken(token)
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut guests = tokio::task::JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        guests.spawn(guest(tcp, Arc::clone(&inner)));
    }
}

async fn guest(mut tcp: TcpStream, inner: Arc<Inner>) {
    match read_preface(&mut tcp).await {
        Ok(Preface::Api) => api(tcp, inner).await,
        Ok(Preface::Link) => link(tcp, inner).await,
        Ok(Preface::Circuit(token)) => join(tcp, token, inner).await,
        Err(_) => {}
    }
}

async fn api(mut tcp: TcpStream, inner: Arc<Inner>) {
    let org_keys = &inner.org;
    let hello = Hello {
        roots: org_keys.roots(),
        root: org_keys.root.verify_key(),
        authority: org_keys.authority_statement(),
    };
    if say_hello(&mut tcp, &hello).await.is_err() {
        return;
    }
    let Ok(secure) = respond(
        tcp,
        |suite| Prologue::api(suite, org()),
        &org_keys.authority_noise,
    )
    .await
    else {
        return;
    };
    let inner = Arc::clone(&inner);
    let service = service_fn(move |request| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, Infallible>(answer(request, &inner).await) }
    });
    let io = TokioIo::new(secure.into_stream());
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await;
}

async fn answer(request: Request<Incoming>, inner: &Inner) -> Response<BoxBody<Bytes, Infallible>> {
    let known = inner.answer.borrow().clone();
    let path = request.uri().path().to_owned();
    match (path.as_str(), known) {
        (path::OUTLET, Some(known)) => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let asked: OutletRequest = serde_json::from_slice(&body).unwrap();
            let told: Vec<_> = inner.used.borrow().iter().map(|used| used.grant).collect();
            let new = asked.used.iter().filter(|used| !told.contains(&used.grant));
            inner.used.send_modify(|used| used.extend(new.copied()));
            inner.answered.send_modify(|answered| *answered += 1);
            whole(200, serde_json::to_string(&known).unwrap())
        }
        (path::HAND_IN, Some(_)) => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let has = take_in(inner, serde_json::from_slice(&body).unwrap());
            whole(200, serde_json::to_string(&has).unwrap())
        }
        (path::EVENTS, Some(_)) => {
            let events = inner.events.subscribe();
            let listening = Listening::new(&inner.listening);
            let stream = futures_util::stream::unfold((events, listening), async |mut open| {
                let (name, data) = open.0.recv().await.ok()?;
                let text = format!("event: {name}\ndata: {data}\n\n");
                Some((Ok(Frame::data(Bytes::from(text))), open))
            });
            Response::new(BodyExt::boxed(StreamBody::new(stream)))
        }
        _ => whole(503, r#"{"code":1002,"text":"away"}"#.to_owned()),
    }
}

fn take_in(inner: &Inner, asked: HandIn) -> HandedIn {
    inner.handed_in.send_if_modified(|chains| {
        if asked.anew {
            chains.push(Vec::new());
        }
        chains.last_mut().unwrap().extend(asked.lines.clone());
        asked.anew || !asked.lines.is_empty()
    });
    let chains = inner.handed_in.borrow();
    let last = chains.last().unwrap().last();
    let head = last.map(|line| Event::head_of(line).unwrap());
    let begun = || Chain::start(&org(), &inner.org.root.verify_key()).head();
    let Head { seq, digest } = head.unwrap_or_else(begun);
    HandedIn { seq, digest }
}

/// Counts a stream for as long as it is open.
struct Listening(watch::Sender<usize>);

impl Listening {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|open| *open += 1);
        Self(count.clone())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

fn whole(status: u16, body: String) -> Response<BoxBody<Bytes, Infallible>> {
    Response::builder()
        .status(status)
        .body(Full::new(Bytes::from(body)).boxed())
        .unwrap()
}

async fn link(tcp: TcpStream, inner: Arc<Inner>) {
    let prologue = |suite| Prologue::link(suite, org());
    let Ok(mut secure) = respond(tcp, prologue, &inner.org.relay_noise).await else {
        return;
    };
    let Ok(record) = secure.recv_record().await else {
        return;
    };
    assert!(matches!(
        ToRelay::decode(&record),
        Ok(ToRelay::Hello { .. })
    ));
    inner.knocks.send_modify(|knocks| *knocks += 1);
    if *inner.manner.borrow() == Manner::Closed {
        return;
    }
    let mut offers = inner.offers.subscribe();
    secure
        .send_record(&FromRelay::Welcome.encode())
        .await
        .unwrap();
    inner.links.send_modify(|links| *links += 1);
    let _ = talk(&mut secure, &mut offers, &inner).await;
    inner.links.send_modify(|links| *links -= 1);
}

async fn talk(
    secure: &mut Secure,
    offers: &mut broadcast::Receiver<CircuitToken>,
    inner: &Inner,
) -> Result<(), tidegate_link::LinkError> {
    let mut manner = inner.manner.subscribe();
    loop {
        tokio::select! {
            () = closed(&mut manner) => return Ok(()),
            Ok(token) = offers.recv() => {
                secure.send_record(&FromRelay::Incoming { handle: ECHO, token }.encode()).await?;
            }
            record = secure.recv_record() => match ToRelay::decode(&record?)? {
                ToRelay::Ping(_) if *inner.manner.borrow() == Manner::Silent => {}
                ToRelay::Ping(number) => secure.send_record(&FromRelay::Pong(number).encode()).await?,
                ToRelay::KeyTunnel { request } => {
                    let token = token();
                    inner.halves.lock().unwrap().insert(token.0, Half::Tunnel);
                    secure.send_record(&FromRelay::Circuit { request, token }.encode()).await?;
                }
                _ => {}
            },
        }
    }
}

async fn closed(manner: &mut watch::Receiver<Manner>) {
    let _ = manner.wait_for(|manner| *manner == Manner::Closed).await;
}

async fn join(mut tcp: TcpStream, token: CircuitToken, inner: Arc<Inner>) {
    let other = inner.halves.lock().unwrap().remove(&token.0);
    match other {
        None => drop(
            inner
                .halves
                .lock()
                .unwrap()
                .insert(token.0, Half::Waiting(tcp)),
        ),
        Some(Half::Waiting(mut other)) => {
            drop(tokio::io::copy_bidirectional(&mut tcp, &mut other).await)
        }
        Some(Half::Tunnel) => inner.org.provider.clone().serve(tcp).await,
    }
}
