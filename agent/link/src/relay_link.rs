//! The client of a relay: one link, kept alive, over which circuits are asked for and offered.
//! A link that has ended stays ended; whoever owns it dials again, perhaps another relay.

use crate::{LinkError, Preface, RecordReader, RecordWriter, dial, initiate, preface};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tidegate_proto::{
    channel::{CircuitToken, HandshakeHash, Prologue, Suite},
    identity::{NoisePublic, NoiseSecret},
    names::{HubAddress, OrgName},
    wire::link::{FromRelay, RelayRefusal, ServiceHandle, ToRelay},
};
use tokio::{
    net::TcpStream,
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the relay may take to answer a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(10);
/// A relay that says nothing for this long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(25);
/// Circuits offered and not yet taken; more than these are left to run out at the relay.
const OFFERS: usize = 256;
/// Requests waiting to be sent.
const REQUESTS: usize = 64;

type Answer = oneshot::Sender<Result<CircuitToken, LinkError>>;
type Offer = (ServiceHandle, CircuitToken);

/// A live link to a relay. Share it in an `Arc`; dropping it ends the link.
pub struct RelayLink {
    requests: mpsc::Sender<(ToRelay, Option<Answer>)>,
    next: AtomicU32,
    offers: Mutex<mpsc::Receiver<Offer>>,
    state: watch::Receiver<LinkState>,
    heard: watch::Receiver<Instant>,
    from: Option<IpAddr>,
    task: JoinHandle<()>,
    _stop: DropGuard,
}

/// What a link is doing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Up,
    /// The relay asked us to go elsewhere; circuits that exist go on.
    Draining,
    Closed(LinkError),
}

impl RelayLink {
    /// How long dialling may take.
    pub const DIAL_LIMIT: Duration = Duration::from_secs(10);

    /// Dials `addr`, handshakes with the holder of `relay`, shows `pass`, and waits to be welcome.
    ///
    /// # Errors
    /// When the relay cannot be reached, is another one, or does not like the pass.
    pub async fn connect(
        addr: &HubAddress,
        relay: NoisePublic,
        local: &NoiseSecret,
        org: &OrgName,
        pass: String,
    ) -> Result<Self, LinkError> {
        let tcp = dial(addr, Self::DIAL_LIMIT).await?;
        Self::over(tcp, relay, local, org, pass).await
    }

    /// The same over a connection that is there.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn over(
        tcp: TcpStream,
        relay: NoisePublic,
        local: &NoiseSecret,
        org: &OrgName,
        pass: String,
    ) -> Result<Self, LinkError> {
        Self::introduce(tcp, relay, local, org, |_| ToRelay::Hello { pass }).await
    }

    /// As [`Self::connect`], for an outlet whose pass has run out while the authority is away: `chain` makes an
    /// `OutletChain` as JSON for the channel that it is given the hash of.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_by_chain(
        addr: &HubAddress,
        relay: NoisePublic,
        local: &NoiseSecret,
        org: &OrgName,
        chain: impl FnOnce(&HandshakeHash) -> Vec<u8>,
    ) -> Result<Self, LinkError> {
        let hello = |hash: &HandshakeHash| ToRelay::Chain { json: chain(hash) };
        let tcp = dial(addr, Self::DIAL_LIMIT).await?;
        Self::introduce(tcp, relay, local, org, hello).await
    }

    async fn introduce(
        mut tcp: TcpStream,
        relay: NoisePublic,
        local: &NoiseSecret,
        org: &OrgName,
        hello: impl FnOnce(&HandshakeHash) -> ToRelay,
    ) -> Result<Self, LinkError> {
        let from = tcp.local_addr().map(|local| local.ip()).ok();
        preface(&mut tcp, Preface::Link).await?;
        let prologue = Prologue::link(Suite::Aes256Gcm, org.clone());
        let mut secure = initiate(tcp, &prologue, local, relay).await?;
        let hello = hello(&secure.hash);
        secure.send_record(&hello.encode()).await?;
        let answer = timeout(ANSWER_LIMIT, secure.recv_record())
            .await
            .map_err(|_| LinkError::TimedOut)??;
        match FromRelay::decode(&answer)? {
            FromRelay::Welcome => {}
            FromRelay::Refused { code, .. } => {
                return Err(LinkError::Refused(RelayRefusal::from_code(code)));
            }
            _ => return Err(LinkError::OutOfTurn),
        }
        let (reader, writer) = secure.into_split();
        Ok(Self::start(reader, writer, from))
    }

    fn start(reader: RecordReader, writer: RecordWriter, from: Option<IpAddr>) -> Self {
        let (requests, queue) = mpsc::channel(REQUESTS);
        let (offer, offers) = mpsc::channel(OFFERS);
        let (publish, state) = watch::channel(LinkState::Up);
        let (heard, heard_at) = watch::channel(Instant::now());
        let stop = CancellationToken::new();
        let link = Link {
            reader,
            writer,
            waiting: HashMap::new(),
            offer,
            publish,
            heard,
        };
        let task = tokio::spawn(link.run(queue, stop.clone()));
        Self {
            requests,
            next: AtomicU32::new(1),
            offers: Mutex::new(offers),
            state,
            heard: heard_at,
            from,
            task,
            _stop: stop.drop_guard(),
        }
    }

    /// Asks for a circuit to an outlet that serves `handle`. Dial the relay again with the token.
    ///
    /// # Errors
    /// `Refused` when no outlet is there, or too many circuits are; `TimedOut`; or how the link ended.
    pub async fn open(&self, handle: ServiceHandle) -> Result<CircuitToken, LinkError> {
        let request = self.number();
        self.ask(ToRelay::Open { request, handle }).await
    }

    /// Asks for a circuit to the one host that publishes the provider's keys.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn key_tunnel(&self) -> Result<CircuitToken, LinkError> {
        let request = self.number();
        self.ask(ToRelay::KeyTunnel { request }).await
    }

    /// The next circuit that somebody asked of us; `None` after the link has ended.
    pub async fn incoming(&self) -> Option<Offer> {
        self.offers.lock().await.recv().await
    }

    /// Shows a newer pass before the old one runs out.
    ///
    /// # Errors
    /// How the link ended.
    pub async fn new_pass(&self, pass: String) -> Result<(), LinkError> {
        self.requests
            .send((ToRelay::NewPass { pass }, None))
            .await
            .map_err(|_| self.ended())
    }

    /// Whether the relay shows within `limit` that it is there: asked by a ping, and anything it says is an answer.
    pub async fn answers(&self, limit: Duration) -> bool {
        let mut heard = self.heard.clone();
        heard.mark_unchanged();
        let asked = async {
            let ping = (ToRelay::Ping(0), None);
            self.requests.send(ping).await.is_ok() && heard.changed().await.is_ok()
        };
        timeout(limit, asked).await.unwrap_or(false)
    }

    /// Which address of ours it stands on; `None` when it was gone as soon as it was there.
    #[must_use]
    pub fn from(&self) -> Option<IpAddr> {
        self.from
    }

    /// What the link is doing, as it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Waits for the link to end, and says how.
    pub async fn closed(&self) -> LinkError {
        let mut state = self.state.clone();
        let ended = state
            .wait_for(|state| matches!(state, LinkState::Closed(_)))
            .await
            .map(|state| *state);
        match ended {
            Ok(LinkState::Closed(error)) => error,
            _ => LinkError::Lost,
        }
    }

    /// Ends the link and waits for its task.
    pub async fn shutdown(self) {
        let Self {
            task, _stop: stop, ..
        } = self;
        drop(stop);
        // A task that panicked has nothing more to say here.
        let _ = task.await;
    }

    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn ask(&self, message: ToRelay) -> Result<CircuitToken, LinkError> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.requests
                .send((message, Some(answer)))
                .await
                .map_err(|_| self.ended())?;
            answered.await.map_err(|_| self.ended())?
        };
        timeout(ANSWER_LIMIT, asked)
            .await
            .map_err(|_| LinkError::TimedOut)?
    }

    fn ended(&self) -> LinkError {
        match *self.state.borrow() {
            LinkState::Closed(error) => error,
            LinkState::Up | LinkState::Draining => LinkError::Lost,
        }
    }
}

/// The link's task.
struct Link {
    reader: RecordReader,
    writer: RecordWriter,
    waiting: HashMap<u32, Answer>,
    offer: mpsc::Sender<Offer>,
    publish: watch::Sender<LinkState>,
    /// When the relay last said anything.
    heard: watch::Sender<Instant>,
}

impl Link {
    async fn run(
        mut self,
        mut queue: mpsc::Receiver<(ToRelay, Option<Answer>)>,
        stop: CancellationToken,
    ) {
        let error = tokio::select! {
            () = stop.cancelled() => LinkError::Lost,
            error = self.carry(&mut queue) => error,
        };
        self.publish.send_replace(LinkState::Closed(error));
        for (_, answer) in self.waiting.drain() {
            let _ = answer.send(Err(error));
        }
    }

    async fn carry(&mut self, queue: &mut mpsc::Receiver<(ToRelay, Option<Answer>)>) -> LinkError {
        let mut tick = interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                record = self.reader.recv_record() => record.and_then(|record| self.hear(&record)),
                Some((message, answer)) = queue.recv() => self.say(&message, answer).await,
                _ = tick.tick() => self.ping().await,
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    fn hear(&mut self, record: &[u8]) -> Result<(), LinkError> {
        self.heard.send_replace(Instant::now());
        match FromRelay::decode(record)? {
            FromRelay::Circuit { request, token } => self.answer(request, Ok(token)),
            FromRelay::Refused { request, code } => {
                self.answer(
                    request,
                    Err(LinkError::Refused(RelayRefusal::from_code(code))),
                );
            }
            // Nobody takes offers fast enough: this one runs out at the relay by itself.
            FromRelay::Incoming { handle, token } => drop(self.offer.try_send((handle, token))),
            FromRelay::Pong(_) => {}
            FromRelay::Draining => drop(self.publish.send_replace(LinkState::Draining)),
            FromRelay::Welcome => return Err(LinkError::OutOfTurn),
        }
        Ok(())
    }

    fn answer(&mut self, request: u32, answer: Result<CircuitToken, LinkError>) {
        if let Some(waiting) = self.waiting.remove(&request) {
            // Whoever asked may have given up.
            let _ = waiting.send(answer);
        }
    }

    async fn say(&mut self, message: &ToRelay, answer: Option<Answer>) -> Result<(), LinkError> {
        self.waiting.retain(|_, waiting| !waiting.is_closed());
        if let (ToRelay::Open { request, .. } | ToRelay::KeyTunnel { request }, Some(answer)) =
            (message, answer)
        {
            self.waiting.insert(*request, answer);
        }
        self.writer.send_record(&message.encode()).await
    }

    async fn ping(&mut self) -> Result<(), LinkError> {
        if self.heard.borrow().elapsed() > SILENCE_LIMIT {
            return Err(LinkError::TimedOut);
        }
        self.writer.send_record(&ToRelay::Ping(0).encode()).await
    }
}
