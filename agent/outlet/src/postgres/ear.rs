//! Hears both directions of a session at the database's side and brings what it heard to the audit of statements.
//! It never changes a byte. Where the owner said `block`, a session whose words find no room waits; nothing is dropped in silence.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidegate_postgres::{Began, Event, Follower, How, Keep, Text};
use tidegate_proto::permit::Permit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::Fault;
use super::stream::Stream;
use crate::audit::{Heard, NobodyWrites, Place, Room, Speaker, StatementAudit, VALUE, Word};
use crate::config::{ParametersKept, StatementSettings, WhenFull};

/// Most of one text that is kept, in bytes. Of a longer one its beginning, its length and its hash.
const TEXT: usize = 64 * 1024;
/// Most of one message's parameters that is looked at, in bytes.
const PARAMETERS: usize = 8 * 1024;
/// Most that one session holds back while the queue is full, in bytes; one more reading of its sockets comes on top.
const HELD: usize = 128 * 1024;
/// Most of one bundle, in bytes, and one word more.
const BUNDLE: usize = 128 * 1024;
/// What a word takes besides its text.
const WORD: usize = size_of::<Word>();

/// Hears one session.
pub(super) struct Ear {
    follower: Follower,
    speaker: Arc<Speaker>,
    audit: StatementAudit,
    room: Room,
    /// For the end of the session, whatever the queue looks like then.
    last: Option<Place>,
    begun: Instant,
    events: Vec<Event>,
    /// Heard, and on its way to the queue.
    held: VecDeque<Word>,
    held_bytes: usize,
    /// Dropped before what is held, and after it.
    missed_before: u64,
    missed: u64,
}

impl Ear {
    /// None where nothing may be missed and there is no place for a session's last words.
    pub(super) fn new(
        audit: &StatementAudit,
        settings: StatementSettings,
        permit: &Permit,
    ) -> Result<Self, Fault> {
        let last = audit.last_place();
        if last.is_none() && settings.when_full == WhenFull::Block {
            return Err(Fault::NotRecorded);
        }
        let (parameters, value) = match settings.parameters {
            ParametersKept::None => (0, 0),
            ParametersKept::Types => (PARAMETERS, 0),
            ParametersKept::Values => (PARAMETERS, VALUE),
        };
        let speaker = Arc::new(Speaker {
            channel: permit.channel().to_owned(),
            portal: permit.portal(),
            service: permit.service().clone(),
            sub: permit.principal().sub.clone(),
            grant: permit.grant().map(|used| used.id),
            settings,
        });
        Ok(Self {
            follower: Follower::new(Keep {
                text: TEXT,
                parameters,
                value,
            }),
            speaker,
            room: audit.room(),
            last,
            audit: audit.clone(),
            begun: Instant::now(),
            events: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            missed_before: 0,
            missed: 0,
        })
    }

    /// The session begins with these parameters, and the server has already said so much of it.
    pub(super) fn begins(&mut self, told: Vec<u8>, after_ready: &[u8]) {
        let text = Text {
            bytes: told.len() as u64,
            kept: told,
            sha256: None,
        };
        self.events.push(Event::Began(Began {
            n: 0,
            how: How::Startup,
            of: None,
            name: Vec::new(),
            text: Some(text),
            parameters: None,
        }));
        self.answered(after_ready);
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
            self.held.push_back(Word { at, event });
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
                Poll::Ready(Ok(place)) => place.send(self.next(BUNDLE)),
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
        self.held.is_empty() && self.missed_before == 0 && self.missed == 0
    }

    /// What is held, or so much of it.
    fn next(&mut self, most: usize) -> Heard {
        let mut heard = Heard {
            speaker: Arc::clone(&self.speaker),
            missed: mem::take(&mut self.missed_before),
            words: Vec::new(),
            bytes: 0,
        };
        while heard.bytes < most
            && let Some(word) = self.held.pop_front()
        {
            heard.bytes += weight(&word.event);
            heard.words.push(word);
        }
        self.held_bytes -= heard.bytes;
        if self.held.is_empty() {
            self.missed_before = mem::take(&mut self.missed);
        }
        if heard.words.is_empty() {
            heard.missed += mem::take(&mut self.missed_before);
        }
        heard
    }

    fn use_the_last_place(&mut self) {
        let Some(place) = self.last.take() else {
            return self.count_as_unsaid();
        };
        // A gap at the end belongs to the words before it: there are none after it.
        let gap = mem::take(&mut self.missed);
        let heard = self.next(usize::MAX);
        place.send(heard);
        if gap > 0 {
            self.audit.left_unsaid(&self.speaker, gap);
        }
    }

    fn count_as_unsaid(&mut self) {
        let heard = self.next(usize::MAX);
        let count = heard.missed + heard.words.len() as u64 + mem::take(&mut self.missed_before);
        self.audit.left_unsaid(&self.speaker, count);
    }
}

/// Whatever ends a session, what was heard of it is brought or counted.
impl Drop for Ear {
    fn drop(&mut self) {
        self.over();
        while !self.is_empty() {
            let place = match self.room.now() {
                Poll::Ready(Ok(place)) => place,
                Poll::Ready(Err(NobodyWrites)) => return self.count_as_unsaid(),
                Poll::Pending => return self.use_the_last_place(),
            };
            place.send(self.next(BUNDLE));
        }
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

#[cfg(test)]
#[path = "ear_tests.rs"]
mod tests;
