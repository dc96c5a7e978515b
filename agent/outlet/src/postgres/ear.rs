//! Hears both directions of a session at the database's side and brings what it heard to the audit of statements.
//! It never changes a byte. Where the owner said `block`, a session whose words find no room waits; nothing is dropped in silence.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_postgres::{Event, Follower, Keep};
use tidegate_proto::permit::Permit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::stream::Stream;
use crate::audit::{Heard, NobodyWrites, Room, Speaker, StatementAudit, Word};
use crate::config::{ParametersKept, StatementSettings, WhenFull};

/// Most of one text that is kept, in bytes. Of a longer one its beginning, its length and its hash.
const TEXT: usize = 64 * 1024;
/// Most of one message's parameters that is looked at, in bytes.
const PARAMETERS: usize = 8 * 1024;
/// Most that one session holds back while the queue is full, in bytes; one more reading of its sockets comes on top.
const HELD: usize = 128 * 1024;
/// What a word takes besides its text.
const WORD: usize = 160;
/// How long a session that is over waits for room.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Hears one session.
pub(super) struct Ear {
    follower: Follower,
    speaker: Arc<Speaker>,
    audit: StatementAudit,
    room: Room,
    begun: Instant,
    events: Vec<Event>,
    /// Heard, and on its way to the queue.
    held: Heard,
    held_bytes: usize,
    /// Dropped after what is held.
    missed: u64,
}

impl Ear {
    pub(super) fn new(
        audit: &StatementAudit,
        settings: StatementSettings,
        permit: &Permit,
    ) -> Self {
        let parameters = match settings.parameters {
            ParametersKept::None => 0,
            ParametersKept::Types | ParametersKept::Values => PARAMETERS,
        };
        let speaker = Arc::new(Speaker {
            channel: permit.channel().to_owned(),
            portal: permit.portal(),
            service: permit.service().clone(),
            sub: permit.principal().sub.clone(),
            grant: permit.grant().map(|used| used.id),
            settings,
        });
        Self {
            follower: Follower::new(Keep {
                text: TEXT,
                parameters,
            }),
            held: nothing(&speaker),
            speaker,
            room: audit.room(),
            audit: audit.clone(),
            begun: Instant::now(),
            events: Vec::new(),
            held_bytes: 0,
            missed: 0,
        }
    }

    /// The session is over. Waits for room where the owner wants nothing missed, but not for ever.
    pub(super) async fn finish(mut self) {
        self.over();
        if !self.drops() {
            let said = poll_fn(|cx| {
                self.bring(cx);
                match self.is_empty() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            // What finds no room is counted when this is dropped.
            let _ = timeout(LAST_WORDS, said).await;
        }
    }

    fn asked(&mut self, bytes: &[u8]) {
        self.follower
            .asked(bytes, micros(self.begun), &mut self.events);
        self.take();
    }

    fn answered(&mut self, bytes: &[u8]) {
        self.follower
            .answered(bytes, micros(self.begun), &mut self.events);
        self.take();
    }

    fn over(&mut self) {
        self.follower.over(micros(self.begun), &mut self.events);
        self.take();
    }

    fn take(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let at = wall();
        let drops = self.drops();
        for event in self.events.drain(..) {
            if drops && (self.missed > 0 || self.held_bytes > HELD) {
                self.missed += 1;
                continue;
            }
            self.held_bytes += weight(&event);
            self.held.words.push(Word { at, event });
        }
    }

    /// Ready when more may be heard.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.bring(cx);
        match !self.drops() && self.held_bytes > HELD {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// Brings to the queue what is held, as far as there is room; wakes the task when there is more.
    fn bring(&mut self, cx: &mut Context<'_>) {
        while !self.is_empty() {
            match self.room.poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(place)) => drop(place.send(self.next())),
                // The writer has broken, and said so itself. Where nothing may be missed, nothing goes on.
                Poll::Ready(Err(NobodyWrites)) if self.drops() => return self.count_as_unsaid(),
                Poll::Ready(Err(NobodyWrites)) => return,
            }
        }
    }

    /// Whether the owner wants sessions to go on rather than everything on record.
    fn drops(&self) -> bool {
        self.speaker.settings.when_full == WhenFull::Gap
    }

    fn is_empty(&self) -> bool {
        self.held.words.is_empty() && self.held.missed == 0 && self.missed == 0
    }

    fn next(&mut self) -> Heard {
        self.held_bytes = 0;
        let next = Heard {
            missed: mem::take(&mut self.missed),
            ..nothing(&self.speaker)
        };
        let mut heard = mem::replace(&mut self.held, next);
        if heard.words.is_empty() {
            heard.missed += mem::take(&mut self.held.missed);
        }
        heard
    }

    fn count_as_unsaid(&mut self) {
        let heard = self.next();
        let count = heard.missed + heard.words.len() as u64 + mem::take(&mut self.held.missed);
        self.audit.left_unsaid(count);
    }
}

/// Whatever ends a session, what was heard of it is brought or counted.
impl Drop for Ear {
    fn drop(&mut self) {
        self.over();
        while !self.is_empty() {
            let Poll::Ready(Ok(place)) = self.room.now() else {
                return self.count_as_unsaid();
            };
            place.send(self.next());
        }
    }
}

fn nothing(speaker: &Arc<Speaker>) -> Heard {
    Heard {
        speaker: Arc::clone(speaker),
        missed: 0,
        words: Vec::new(),
    }
}

fn weight(event: &Event) -> usize {
    let Event::Began(began) = event else {
        return WORD;
    };
    let text = began.text.as_ref().map_or(0, |text| text.kept.len());
    let parameters = began.parameters.as_ref();
    let values = parameters.map_or(0, |all| {
        all.listed.iter().map(|one| WORD + one.kept.len()).sum()
    });
    WORD + text + values
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn wall() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A connection to a database, heard or not.
pub(super) struct Listened {
    stream: Stream,
    ear: Option<Box<Ear>>,
}

impl Listened {
    pub(super) fn new(stream: Stream, ear: Option<Box<Ear>>) -> Self {
        Self { stream, ear }
    }

    pub(super) fn into_parts(self) -> (Stream, Option<Box<Ear>>) {
        (self.stream, self.ear)
    }
}

impl AsyncRead for Listened {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, ear } = self.get_mut();
        let Some(ear) = ear else {
            return Pin::new(stream).poll_read(cx, buf);
        };
        ready!(ear.poll_room(cx));
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        ear.answered(&buf.filled()[before..]);
        ear.bring(cx);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Listened {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, ear } = self.get_mut();
        let Some(ear) = ear else {
            return Pin::new(stream).poll_write(cx, buf);
        };
        ready!(ear.poll_room(cx));
        let count = ready!(Pin::new(stream).poll_write(cx, buf))?;
        ear.asked(&buf[..count]);
        ear.bring(cx);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
