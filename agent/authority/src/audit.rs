//! The authority's record of what it did: one signed line an event, each holding the hash of the one before, synced to disk.
//! A line that could not be written whole is taken back, and what it would have recorded must not be answered.

mod gathered;

pub(crate) use gathered::{Gathered, NotTaken, TakenIn};

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    event::{Chain, EventKind, MAX_LINE},
    names::OrgName,
    time::UnixTime,
};
use tokio::sync::Mutex;

use crate::keys::AuthorityKeys;

/// Why something was not recorded.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit directory cannot be used: {0}")]
    Directory(#[from] KeyFileError),
    #[error("the audit record cannot be read or written: {0:?}")]
    Io(io::ErrorKind),
    #[error("the last line of the audit record is not ours")]
    ForeignLine,
}

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// The one writer of the record.
pub(crate) struct Audit {
    book: Arc<Mutex<Book>>,
    keys: Arc<AuthorityKeys>,
}

struct Book {
    file: File,
    /// Up to here everything is whole.
    length: u64,
    chain: Chain,
}

impl Audit {
    /// Opens the record in `dir`, or begins one; goes on after its last whole line.
    pub(crate) fn open(
        dir: &Path,
        org: &OrgName,
        keys: Arc<AuthorityKeys>,
    ) -> Result<Self, AuditError> {
        keyfile::private_directory(dir)?;
        let path = path(dir, &keys);
        match keyfile::create(&path, b"") {
            Ok(()) | Err(KeyFileError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let (length, last) = last_line(&mut file)?;
        file.set_len(length)?; // what a crash left behind was never answered for
        let key = keys.public().key;
        let chain = match last {
            None => Chain::start(org, &key),
            Some(line) => Chain::resume(org, &key, &line).map_err(|_| AuditError::ForeignLine)?,
        };
        Ok(Self {
            book: Arc::new(Mutex::new(Book {
                file,
                length,
                chain,
            })),
            keys,
        })
    }

    /// Writes an event; when this returns `Ok`, it is on disk. Gives its line and the number of that.
    pub(crate) async fn record(
        &self,
        at: UnixTime,
        what: EventKind,
    ) -> Result<(u64, String), AuditError> {
        let mut book = Arc::clone(&self.book).lock_owned().await;
        let keys = Arc::clone(&self.keys);
        let written = tokio::task::spawn_blocking(move || book.write(at, what, &keys)).await;
        written.unwrap_or(Err(AuditError::Io(io::ErrorKind::Other)))
    }
}

impl Book {
    fn write(
        &mut self,
        at: UnixTime,
        what: EventKind,
        keys: &AuthorityKeys,
    ) -> Result<(u64, String), AuditError> {
        let before = self.chain.clone();
        let appended = self.chain.append(at, what, &keys.signing);
        let mut line = appended.line().to_owned();
        line.push('\n');
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.chain = before;
            let _ = self.file.set_len(self.length); // fails when the disk is gone; opening repairs it
            return Err(error.into());
        }
        self.length += line.len() as u64;
        line.pop();
        Ok((self.chain.head().seq, line))
    }
}

/// One record for each signing key: a chain has one keeper.
fn path(dir: &Path, keys: &AuthorityKeys) -> PathBuf {
    let keeper = keys.public().key.peer_id().to_string();
    dir.join(format!(
        "authority-{}.jsonl",
        keeper.get(..12).unwrap_or(&keeper)
    ))
}

/// Length of the file up to its last line feed, and the line that ends there.
fn last_line(file: &mut File) -> Result<(u64, Option<String>), AuditError> {
    let end = file.seek(SeekFrom::End(0))?;
    // A torn line and the whole one before it fit into this window.
    let start = end.saturating_sub(2 * (MAX_LINE as u64 + 1));
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    let Some(whole) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return if start == 0 {
            Ok((0, None))
        } else {
            Err(AuditError::ForeignLine)
        };
    };
    let begin = tail[..whole]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |feed| feed + 1);
    let line =
        String::from_utf8(tail[begin..whole].to_vec()).map_err(|_| AuditError::ForeignLine)?;
    Ok((start + whole as u64 + 1, Some(line)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::{entropy::SystemEntropy, event::verify};

    use super::*;

    struct Desk {
        dir: tempfile::TempDir,
        org: OrgName,
        keys: Arc<AuthorityKeys>,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let keys = Arc::new(
                AuthorityKeys::open_or_make(&dir.path().join("data"), &SystemEntropy).unwrap(),
            );
            Self {
                dir,
                org: "acme".parse().unwrap(),
                keys,
            }
        }

        fn audits(&self) -> PathBuf {
            self.dir.path().join("data/audit")
        }

        fn open(&self) -> Audit {
            Audit::open(&self.audits(), &self.org, self.keys.clone()).unwrap()
        }

        fn file(&self) -> PathBuf {
            path(&self.audits(), &self.keys)
        }

        fn lines(&self) -> u64 {
            let text = std::fs::read_to_string(self.file()).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'));
            let lines = text.lines().map(str::as_bytes);
            verify(&self.org, &self.keys.public().key, lines, None)
                .unwrap()
                .seq
        }
    }

    fn event() -> EventKind {
        EventKind::StandingChanged {
            what: "policy".into(),
        }
    }

    #[tokio::test]
    async fn the_chain_goes_on_after_a_restart() {
        let desk = Desk::new();

        for _ in 0..3 {
            let audit = desk.open();
            audit.record(UnixTime(1), event()).await.unwrap();
            audit.record(UnixTime(2), event()).await.unwrap();
        }

        assert_eq!(desk.lines(), 6);
    }

    #[tokio::test]
    async fn a_line_torn_by_a_crash_is_taken_back() {
        let desk = Desk::new();
        desk.open().record(UnixTime(1), event()).await.unwrap();
        let mut file = OpenOptions::new().append(true).open(desk.file()).unwrap();
        file.write_all(b"eyJ0b3Ju").unwrap();

        desk.open().record(UnixTime(2), event()).await.unwrap();

        assert_eq!(desk.lines(), 2);
    }

    #[tokio::test]
    async fn a_record_that_was_tampered_with_is_not_continued() {
        let desk = Desk::new();
        desk.open().record(UnixTime(1), event()).await.unwrap();
        std::fs::write(desk.file(), b"a.b.c\n").unwrap();

        let opened = Audit::open(&desk.audits(), &desk.org, desk.keys.clone()).map(|_| ());

        assert_eq!(opened, Err(AuditError::ForeignLine));
    }

    #[tokio::test]
    async fn many_at_once_make_one_chain() {
        let desk = Desk::new();
        let audit = Arc::new(desk.open());

        let writers: Vec<_> = (0..20)
            .map(|_| {
                let audit = audit.clone();
                tokio::spawn(async move { audit.record(UnixTime(1), event()).await.unwrap() })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }

        assert_eq!(desk.lines(), 20);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_records_nothing_and_says_so() {
        let desk = Desk::new();
        let audit = desk.open();
        audit.record(UnixTime(1), event()).await.unwrap();
        audit.book.lock().await.file = OpenOptions::new().write(true).open("/dev/full").unwrap();

        assert_eq!(
            audit.record(UnixTime(2), event()).await,
            Err(AuditError::Io(io::ErrorKind::StorageFull))
        );

        audit.book.lock().await.file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(desk.file())
            .unwrap();
        audit.record(UnixTime(3), event()).await.unwrap();
        assert_eq!(desk.lines(), 2);
    }
}
