//! A hostile relay: stands where circuits pass, keeps every byte, and plays one trick on one record of the next circuit.
//! Who would wait for ever after the trick is cut off soon, as a relay can do at any time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// From the trick to the cut.
const PATIENCE: Duration = Duration::from_millis(150);
/// The records of so many circuits are kept, to be said again on another.
const REMEMBERED: usize = 4;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    Drop,
    Repeat,
    /// Held back until the next one has passed.
    Swap,
    /// Cut off after so many of its bytes.
    Truncate(usize),
    /// One bit of one of its bytes, the length's included.
    Flip(usize),
    /// Sent back to whom it came from.
    Reflect,
    /// Exchanged with the same record of the circuit beside it.
    Splice,
    /// The same, and every one after it: from here on the two circuits are swapped.
    Cross,
    /// Gone, and in its place the same record of the circuit before.
    Stale,
    /// In front of it the same record of the circuit before.
    StaleBefore,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Towards the outlet.
    Up,
    /// Towards the agent.
    Down,
}

/// What to do to the circuits that come.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) way: Way,
    /// Counted from the first handshake message of that way.
    pub(crate) record: usize,
    pub(crate) trick: Trick,
}

pub(crate) struct Wire {
    pub(crate) address: HubAddress,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

/// Which circuits are played on.
enum Script {
    Every(Option<Plan>),
    /// One each, in the order in which they come; those behind them are left alone.
    Each(VecDeque<Option<Plan>>),
}

/// The records of one circuit, by way.
type Records = [Vec<Vec<u8>>; 2];

struct Inner {
    hub: String,
    script: Mutex<Script>,
    applied: AtomicUsize,
    circuits: AtomicUsize,
    kept: Mutex<Vec<u8>>,
    /// What the newest circuits carried, by their numbers.
    carried: Mutex<BTreeMap<usize, Records>>,
    /// Records of the circuits with an even and with an odd number, on their way to the other.
    exchange: [Mailbox; 2],
}

type Mailbox = (mpsc::Sender<Vec<u8>>, AsyncMutex<mpsc::Receiver<Vec<u8>>>);

fn mailbox() -> Mailbox {
    let (post, collect) = mpsc::channel(1);
    (post, AsyncMutex::new(collect))
}

impl Wire {
    pub(crate) async fn before(hub: &HubAddress) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let inner = Arc::new(Inner {
            hub: hub.to_string(),
            script: Mutex::new(Script::Every(None)),
            applied: AtomicUsize::new(0),
            circuits: AtomicUsize::new(0),
            kept: Mutex::default(),
            carried: Mutex::default(),
            exchange: [mailbox(), mailbox()],
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            accepting,
        }
    }

    /// Plays this trick on circuits that come from now on.
    pub(crate) fn plan(&self, plan: Option<Plan>) {
        self.play(Script::Every(plan));
    }

    /// Plays these on the circuits that come from now on, one each; those that come later are left alone.
    pub(crate) fn plan_each(&self, plans: impl IntoIterator<Item = Option<Plan>>) {
        self.play(Script::Each(plans.into_iter().collect()));
    }

    fn play(&self, script: Script) {
        *self.inner.script.lock().unwrap() = script;
        self.inner.applied.store(0, Ordering::SeqCst);
        // What was on its way from one circuit to another when both were cut.
        for (_, mailbox) in &self.inner.exchange {
            while mailbox
                .try_lock()
                .is_ok_and(|mut left| left.try_recv().is_ok())
            {}
        }
    }

    /// How many circuits ever came.
    pub(crate) fn circuits(&self) -> usize {
        self.inner.circuits.load(Ordering::SeqCst)
    }

    /// How often it was played since.
    pub(crate) fn applied(&self) -> usize {
        self.inner.applied.load(Ordering::SeqCst)
    }

    /// Whether these bytes ever passed in clear.
    pub(crate) fn saw(&self, secret: &[u8]) -> bool {
        let kept = self.inner.kept.lock().unwrap();
        kept.windows(secret.len()).any(|window| window == secret)
    }

    /// How many bytes passed.
    pub(crate) fn kept(&self) -> usize {
        self.inner.kept.lock().unwrap().len()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut circuits = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        circuits.spawn(carry(tcp, Arc::clone(&inner)));
        while circuits.try_join_next().is_some() {}
    }
}

impl Inner {
    /// What is played on the circuit that has just come.
    fn next_plan(&self, number: usize) -> Option<Plan> {
        let mut carried = self.carried.lock().unwrap();
        carried.insert(number, Records::default());
        carried.retain(|of, _| of + REMEMBERED > number);
        match &mut *self.script.lock().unwrap() {
            Script::Every(plan) => *plan,
            Script::Each(plans) => plans.pop_front().flatten(),
        }
    }
}

type Writer = Arc<AsyncMutex<OwnedWriteHalf>>;

async fn carry(agent: TcpStream, inner: Arc<Inner>) {
    let outlet = TcpStream::connect(&inner.hub).await.unwrap();
    agent.set_nodelay(true).unwrap();
    outlet.set_nodelay(true).unwrap();
    let (mut agent_in, agent_out) = agent.into_split();
    let (outlet_in, mut outlet_out) = outlet.into_split();
    // "tg1C", the token, and the suite: 21 bytes before the first record.
    let mut preface = [0; 21];
    if agent_in.read_exact(&mut preface).await.is_err() {
        return;
    }
    let _ = outlet_out.write_all(&preface).await;
    let number = inner.circuits.fetch_add(1, Ordering::SeqCst);
    let plan = inner.next_plan(number);
    let writers: [Writer; 2] = [outlet_out, agent_out].map(|out| Arc::new(AsyncMutex::new(out)));
    let cut = AtomicBool::new(false);
    let direction = |from, way| Direction {
        from,
        way,
        number,
        onward: Arc::clone(&writers[usize::from(way == Way::Down)]),
        back: Arc::clone(&writers[usize::from(way == Way::Up)]),
        plan,
        inner: &inner,
        cut: &cut,
    };
    let both = async {
        tokio::join!(
            direction(agent_in, Way::Up).run(),
            direction(outlet_in, Way::Down).run()
        )
    };
    let cut_off = async {
        while !cut.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(PATIENCE).await;
    };
    tokio::select! {
        _ = both => {}
        () = cut_off => {}
    }
}

struct Direction<'a> {
    from: OwnedReadHalf,
    way: Way,
    number: usize,
    onward: Writer,
    back: Writer,
    plan: Option<Plan>,
    inner: &'a Inner,
    cut: &'a AtomicBool,
}

impl Direction<'_> {
    async fn run(mut self) {
        let mut index = 0;
        while let Some(record) = self.next().await {
            let mine = self
                .plan
                .filter(|plan| plan.way == self.way && plan.record == index);
            let passed = match mine {
                None => self.send(&record).await,
                Some(plan) => {
                    self.inner.applied.fetch_add(1, Ordering::SeqCst);
                    self.cut.store(true, Ordering::SeqCst);
                    self.play(plan.trick, record).await
                }
            };
            if passed.is_none() {
                return;
            }
            index += 1;
        }
        let _ = self.onward.lock().await.shutdown().await;
    }

    async fn play(&mut self, trick: Trick, mut record: Vec<u8>) -> Option<()> {
        match trick {
            Trick::Drop => Some(()),
            Trick::Repeat => {
                self.send(&record).await?;
                self.send(&record).await
            }
            Trick::Swap => {
                let next = self.next().await?;
                self.send(&next).await?;
                self.send(&record).await
            }
            Trick::Truncate(at) => {
                self.send(&record[..at % record.len()]).await?;
                let _ = self.onward.lock().await.shutdown().await;
                None
            }
            Trick::Flip(at) => {
                let length = record.len();
                record[at % length] ^= 1 << (at / length % 8);
                self.send(&record).await
            }
            Trick::Reflect => self.back.lock().await.write_all(&record).await.ok(),
            Trick::Splice => self.exchange(record).await,
            Trick::Cross => {
                self.exchange(record).await?;
                while let Some(record) = self.next().await {
                    self.exchange(record).await?;
                }
                None
            }
            Trick::Stale => self.send(&self.former()).await,
            Trick::StaleBefore => {
                self.send(&self.former()).await?;
                self.send(&record).await
            }
        }
    }

    async fn exchange(&self, record: Vec<u8>) -> Option<()> {
        let [ours, theirs] = [self.number % 2, (self.number + 1) % 2];
        self.inner.exchange[theirs].0.send(record).await.ok()?;
        let mut mailbox = self.inner.exchange[ours].1.lock().await;
        let foreign = timeout(Duration::from_secs(5), mailbox.recv()).await;
        self.send(&foreign.ok()??).await
    }

    /// The record that had this one's place on the circuit before.
    fn former(&self) -> Vec<u8> {
        let carried = self.inner.carried.lock().unwrap();
        let of = |number: usize| &carried[&number][self.way as usize];
        of(self.number - 1)[of(self.number).len() - 1].clone()
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let length = self.from.read_u16().await.ok()?;
        let mut record = length.to_be_bytes().to_vec();
        record.resize(2 + usize::from(length), 0);
        self.from.read_exact(&mut record[2..]).await.ok()?;
        self.inner.kept.lock().unwrap().extend_from_slice(&record);
        if let Some(records) = self.inner.carried.lock().unwrap().get_mut(&self.number) {
            records[self.way as usize].push(record.clone());
        }
        Some(record)
    }

    async fn send(&self, bytes: &[u8]) -> Option<()> {
        self.onward.lock().await.write_all(bytes).await.ok()
    }
}
