//! One control connection: handshake, pass, then requests and offers until either side goes away or the pass runs out.
//! The pass is checked again at every use; a link that outlived it is closed, whatever it says.

use crate::{
    Inner,
    admission::{self, NotAdmitted},
    budget::Budget,
    circuit,
    registry::{Dismissed, Place, Taken},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tidegate_link::{Guest, LinkError, RecordReader, RecordWriter, Secure, respond, tune};
use tidegate_proto::{
    channel::{CircuitToken, HandshakeHash, Prologue},
    identity::NoisePublic,
    statement::{Pass, PassRole},
    time::UnixTime,
    wire::link::{FromRelay, RelayRefusal, ServiceHandle, ToRelay},
};
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

/// How often the pass and the peer's silence are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A peer that says nothing for this long is gone: it should ping every 10 s.
const SILENCE_LIMIT: Duration = Duration::from_secs(35);
/// An outlet whose machine takes nothing for this long is gone: whoever asks for it is told so, and does not wait.
/// Less would refuse people while a machine is moved or three packets in a row are lost, which a second or two mends.
const VANISHED: Duration = Duration::from_secs(3);
/// An outlet that says nothing for this long is sent something: only what is on its way to a machine tells that the machine is
/// gone.
const ASSURE_AFTER: Duration = Duration::from_secs(3);
/// A peer that does not take what it is sent for this long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Serves a link from its handshake to its end, or to the relay's.
///
/// Handshake and conversation are boxed one after the other: the task of a stranger who stays in the handshake is a few
/// hundred bytes and what the handshake itself needs. Unboxed, each layer would hold room for all that are inside of it.
pub(crate) async fn serve(inner: Arc<Inner>, tcp: TcpStream, guest: Guest) {
    let welcome = Box::pin(welcome(&inner, tcp));
    let welcomed = tokio::select! {
        biased;
        () = inner.stop.cancelled() => return,
        welcomed = guest.within(welcome) => welcomed,
    };
    let Ok(Some(link)) = welcomed else { return };
    drop(guest);
    let mut link = Box::new(link);
    let by = link.by;
    tracing::info!(pseudonym = link.pass.pseudonym, role = ?link.pass.role, by, "a link was admitted");
    let run = Box::pin(link.run());
    let end = tokio::select! {
        biased;
        () = inner.stop.cancelled() => End::Stopped,
        end = run => end,
    };
    tracing::info!(pseudonym = link.pass.pseudonym, why = %end, "a link ended");
}

/// Handshake and pass: the link, or nothing when the pass does not admit.
async fn welcome(inner: &Arc<Inner>, tcp: TcpStream) -> Result<Option<Link>, LinkError> {
    tune(&tcp)?;
    let prologue = |suite| Prologue::link(suite, inner.config.org.clone());
    let secure = respond(tcp, prologue, &inner.config.noise).await?;
    Box::pin(introduced(inner, secure)).await
}

async fn introduced(inner: &Arc<Inner>, mut secure: Secure) -> Result<Option<Link>, LinkError> {
    let hello = secure.recv_record().await?;
    let (config, peer) = (&inner.config, secure.peer);
    let (admitted, by) = match ToRelay::decode(&hello)? {
        ToRelay::Hello { pass } => (admission::admit(config, &pass, peer), "pass"),
        ToRelay::Chain { json } => {
            let link = (&secure.hash, &peer);
            (admission::admit_chain(config, &json, link), "chain")
        }
        _ => return Err(LinkError::OutOfTurn),
    };
    match admitted {
        Ok(pass) => enter(inner, secure, pass, by).await,
        Err(why) => {
            tracing::info!(%why, by, "a link was refused");
            refuse(secure, RelayRefusal::Pass).await.map(|()| None)
        }
    }
}

async fn enter(
    inner: &Arc<Inner>,
    mut secure: Secure,
    pass: Pass,
    by: &'static str,
) -> Result<Option<Link>, LinkError> {
    if inner.draining.is_cancelled() {
        return refuse(secure, RelayRefusal::Draining).await.map(|()| None);
    }
    let Some(place) = inner.registry.enter(&pass) else {
        return refuse(secure, RelayRefusal::Busy).await.map(|()| None);
    };
    // Asked again: whoever is shut out between `admit` and here was not in the registry yet when its links were ended.
    if admission::is_shut_out(&inner.config, &pass.pseudonym) {
        return refuse(secure, RelayRefusal::Pass).await.map(|()| None);
    }
    secure.send_record(&FromRelay::Welcome.encode()).await?;
    if pass.role == PassRole::Outlet {
        lose_after(&secure.socket(), VANISHED)?;
    }
    let (peer, hash) = (secure.peer, secure.hash);
    let (reader, writer) = secure.into_split();
    let inner = Arc::clone(inner);
    let now = Instant::now();
    Ok(Some(Link {
        budget: Budget::new(&inner.config.limits, now),
        inner,
        reader,
        writer,
        peer,
        hash,
        pass,
        by,
        place,
        heard: now,
        offered: Offered::default(),
    }))
}

/// The connection is lost when the peer's machine has taken nothing for so long; without it the kernel tries for a quarter of
/// an hour. Where a system does not know this, only silence tells.
fn lose_after(tcp: &TcpStream, limit: Duration) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(tcp).set_tcp_user_timeout(Some(limit))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (tcp, limit);
    Ok(())
}

async fn refuse(mut secure: Secure, refusal: RelayRefusal) -> Result<(), LinkError> {
    secure
        .send_record(
            &FromRelay::Refused {
                request: 0,
                code: refusal.code(),
            }
            .encode(),
        )
        .await
}

/// Why a link ended; for our log.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum End {
    #[error("{0}")]
    Link(LinkError),
    #[error("the relay stopped")]
    Stopped,
    #[error("the pass ran out")]
    Pass,
    #[error("a newer link of the same holder took its place")]
    Superseded,
    #[error("its holder was shut out")]
    ShutOut,
    #[error("the peer fell silent")]
    Silent,
    #[error("the peer does not take what it is sent")]
    Stuck,
    #[error("the peer said more than a link may say")]
    Flood,
}

impl Dismissed {
    fn end(self) -> End {
        match self {
            Self::Superseded => End::Superseded,
            Self::ShutOut => End::ShutOut,
        }
    }
}

impl<E: Into<LinkError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Link(error.into())
    }
}

struct Link {
    inner: Arc<Inner>,
    reader: RecordReader,
    writer: RecordWriter,
    peer: NoisePublic,
    hash: HandshakeHash,
    pass: Pass,
    /// What admitted it, for the log.
    by: &'static str,
    place: Place,
    /// What it may still say.
    budget: Budget,
    heard: Instant,
    offered: Offered,
}

/// What an outlet was offered a moment ago: nobody waits for it any more when the outlet is gone.
#[derive(Default)]
struct Offered(VecDeque<(Instant, CircuitToken)>);

impl Offered {
    fn note(&mut self, offer: &FromRelay, now: Instant) {
        if let FromRelay::Incoming { token, .. } = offer {
            self.0.push_back((now, *token));
        }
        let is_over = |(at, _): &(Instant, CircuitToken)| now - *at > circuit::TOKEN_LIMIT;
        while self.0.front().is_some_and(is_over) {
            self.0.pop_front();
        }
    }
}

impl Link {
    async fn run(&mut self) -> End {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let draining = self.inner.draining.clone();
        let (mut told, mut assured) = (false, self.heard);
        loop {
            let silent = sleep_until(self.heard.max(assured) + ASSURE_AFTER);
            let step = tokio::select! {
                why = &mut self.place.dismissed => Err(why.map_or(End::Superseded, Dismissed::end)),
                () = draining.cancelled(), if !told => {
                    told = true;
                    self.say(&FromRelay::Draining).await
                }
                record = self.reader.recv_record() => match record {
                    Ok(record) => self.hear(&record).await,
                    Err(error) => Err(error.into()),
                },
                Some(offer) = self.place.offers.recv() => {
                    self.offered.note(&offer, Instant::now());
                    self.say(&offer).await
                }
                _ = look.tick() => self.look(),
                () = silent, if self.pass.role == PassRole::Outlet => {
                    assured = Instant::now();
                    // A `Pong` that nobody asked for: every outlet takes one, and nothing follows from it.
                    self.say(&FromRelay::Pong(0)).await
                }
            };
            if let Err(end) = step {
                self.withdraw(end);
                return end;
            }
        }
    }

    /// Circuits that a vanished outlet was to come for end now, and not when their tokens run out.
    fn withdraw(&mut self, end: End) {
        // One that was superseded is still there, and comes.
        if end != End::Superseded {
            for (_, token) in self.offered.0.drain(..) {
                self.inner.circuits.withdraw(token);
            }
        }
    }

    fn look(&self) -> Result<(), End> {
        if self.heard.elapsed() > SILENCE_LIMIT {
            return Err(End::Silent);
        }
        self.pass.valid_at(self.now()).map_err(|_| End::Pass)
    }

    async fn hear(&mut self, record: &[u8]) -> Result<(), End> {
        self.heard = Instant::now();
        self.look()?;
        let message = ToRelay::decode(record)?;
        if !self.budget.spend(&message, self.heard) {
            return Err(End::Flood);
        }
        match message {
            ToRelay::Open { request, handle } => {
                let answer = self.open(handle);
                self.answer(request, answer).await
            }
            ToRelay::KeyTunnel { request } => {
                let answer = self.key_tunnel();
                self.answer(request, answer).await
            }
            ToRelay::Ping(number) => self.say(&FromRelay::Pong(number)).await,
            ToRelay::NewPass { pass } => {
                let config = &self.inner.config;
                self.renew(admission::renew(config, &pass, self.peer, &self.pass))
            }
            ToRelay::Chain { json } => {
                let (config, link) = (&self.inner.config, (&self.hash, &self.peer));
                self.renew(admission::renew_by_chain(config, &json, link, &self.pass))
            }
            ToRelay::Hello { .. } => Err(LinkError::OutOfTurn.into()),
        }
    }

    fn now(&self) -> UnixTime {
        (self.inner.config.clock)()
    }

    /// Agents only, and only for what the pass names; anything else looks like an outlet that is not there.
    fn open(&self, handle: ServiceHandle) -> Result<CircuitToken, RelayRefusal> {
        if self.pass.role != PassRole::Agent || !self.pass.handles.contains(&handle) {
            return Err(RelayRefusal::Absent);
        }
        let taken = self.taken(self.inner.registry.circuit(&self.pass.pseudonym))?;
        let token = circuit::open(&self.inner, taken);
        let offer = FromRelay::Incoming { handle, token };
        if self.inner.registry.offer(handle, &offer, self.now()) {
            Ok(token)
        } else {
            self.inner.circuits.withdraw(token);
            Err(RelayRefusal::Absent)
        }
    }

    /// Outlets only: a laptop reaches the provider by itself.
    fn key_tunnel(&self) -> Result<CircuitToken, RelayRefusal> {
        if self.pass.role != PassRole::Outlet {
            return Err(RelayRefusal::Absent);
        }
        let taken = self.taken(self.inner.registry.tunnel(&self.pass.pseudonym))?;
        Ok(circuit::tunnel(&self.inner, taken))
    }

    fn taken(&self, taken: Option<Taken>) -> Result<Taken, RelayRefusal> {
        if self.inner.draining.is_cancelled() {
            return Err(RelayRefusal::Draining);
        }
        let taken = taken.ok_or(RelayRefusal::Busy)?;
        // The word for this link may still be on its way.
        if admission::is_shut_out(&self.inner.config, &self.pass.pseudonym) {
            return Err(RelayRefusal::Pass);
        }
        Ok(taken)
    }

    fn renew(&mut self, newer: Result<Pass, NotAdmitted>) -> Result<(), End> {
        match newer {
            Ok(pass) => {
                self.place.renew(&pass);
                self.pass = pass;
                Ok(())
            }
            Err(why) => {
                tracing::info!(pseudonym = self.pass.pseudonym, %why, "a newer pass was refused");
                Err(End::Pass)
            }
        }
    }

    async fn answer(
        &mut self,
        request: u32,
        answer: Result<CircuitToken, RelayRefusal>,
    ) -> Result<(), End> {
        self.say(&match answer {
            Ok(token) => FromRelay::Circuit { request, token },
            Err(refusal) => FromRelay::Refused {
                request,
                code: refusal.code(),
            },
        })
        .await
    }

    async fn say(&mut self, message: &FromRelay) -> Result<(), End> {
        let record = message.encode();
        // A holder who does not read must not hold up its own end.
        tokio::select! {
            biased;
            why = &mut self.place.dismissed => Err(why.map_or(End::Superseded, Dismissed::end)),
            sent = timeout(SEND_LIMIT, self.writer.send_record(&record)) => {
                sent.map_err(|_| End::Stuck)?.map_err(End::Link)
            }
        }
    }
}
