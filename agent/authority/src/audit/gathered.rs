//! The chains of outlets as they were handed in: each line is checked before it is kept, and on disk before it is answered.
//! What is kept here an outlet cannot take back: a chain that no longer follows from it stands beside it, as another one.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    event::{Event, Head, Verifier},
    identity::{PeerId, VerifyKey},
    names::OrgName,
};

use super::{AuditError, last_line};

/// Below so much room on the disk, in bytes, nothing is taken in: our own record needs it more.
const ROOM: u64 = 256 << 20;
/// Chains of one outlet, one after the other.
const MOST_CHAINS: u32 = 1000;

/// Why lines were not taken in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the lines do not follow from what was handed in before")]
    DoesNotFollow,
    #[error("the chain was begun anew too often")]
    TooOften,
    #[error("too little room is left on the disk")]
    NoRoom,
    #[error(transparent)]
    Kept(#[from] AuditError),
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        Self::Kept(error.into())
    }
}

/// All chains that were handed in.
pub(crate) struct Gathered {
    dir: PathBuf,
    org: OrgName,
    /// Those that were asked for since the start.
    open: Mutex<HashMap<PeerId, Arc<Mutex<Volume>>>>,
}

/// What was taken in.
pub(crate) struct TakenIn {
    pub(crate) head: Head,
    /// The lines and what they say.
    pub(crate) events: Vec<(String, Event)>,
    /// Lines of the chain before, where this one was begun anew.
    pub(crate) before: Option<u64>,
}

impl Gathered {
    /// In `dir`, which is made if need be.
    pub(crate) fn open(dir: &Path, org: &OrgName) -> Result<Self, AuditError> {
        keyfile::private_directory(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            org: org.clone(),
            open: Mutex::default(),
        })
    }

    /// Takes the next lines of this outlet's chain, all or none, and says how far it has it. Blocks.
    pub(crate) fn take(
        &self,
        keeper: &VerifyKey,
        lines: Vec<String>,
        anew: bool,
    ) -> Result<TakenIn, NotTaken> {
        let volume = self.volume(keeper)?;
        let mut volume = volume.lock().unwrap_or_else(PoisonError::into_inner);
        if !anew {
            return volume.take(lines);
        }
        let before = volume.head().seq;
        let mut next = volume.next(&self.dir, &self.org, keeper)?;
        let taken = next.take(lines)?;
        *volume = next;
        Ok(TakenIn {
            before: Some(before),
            ..taken
        })
    }

    fn volume(&self, keeper: &VerifyKey) -> Result<Arc<Mutex<Volume>>, NotTaken> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = open.get(&keeper.peer_id()) {
            return Ok(Arc::clone(volume));
        }
        let volume = Volume::newest(&self.dir, &self.org, keeper)?;
        let volume = Arc::new(Mutex::new(volume));
        open.insert(keeper.peer_id(), Arc::clone(&volume));
        Ok(volume)
    }
}

/// One chain in one file.
struct Volume {
    number: u32,
    path: PathBuf,
    /// Up to here everything is whole.
    length: u64,
    org: OrgName,
    keeper: VerifyKey,
    /// The last line, if there is one.
    last: Option<String>,
}

impl Volume {
    fn newest(dir: &Path, org: &OrgName, keeper: &VerifyKey) -> Result<Self, NotTaken> {
        let is_there = |number: &u32| path(dir, keeper, *number).exists();
        let number = (1..=MOST_CHAINS).take_while(is_there).last().unwrap_or(1);
        Self::open(dir, org, keeper, number)
    }

    fn next(&self, dir: &Path, org: &OrgName, keeper: &VerifyKey) -> Result<Self, NotTaken> {
        if self.number >= MOST_CHAINS {
            return Err(NotTaken::TooOften);
        }
        // An empty one is begun as it is.
        let number = self.number + u32::from(self.last.is_some());
        Self::open(dir, org, keeper, number)
    }

    fn open(dir: &Path, org: &OrgName, keeper: &VerifyKey, number: u32) -> Result<Self, NotTaken> {
        let path = path(dir, keeper, number);
        let mut volume = Self {
            number,
            length: 0,
            org: org.clone(),
            keeper: *keeper,
            last: None,
            path,
        };
        match OpenOptions::new().read(true).write(true).open(&volume.path) {
            Ok(mut file) => {
                let (length, last) = last_line(&mut file)?;
                file.set_len(length)?; // what a crash left behind was never answered for
                (volume.length, volume.last) = (length, last);
                volume.verifier().map_err(|_| AuditError::ForeignLine)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(volume)
    }

    fn verifier(&self) -> Result<Verifier, AuditError> {
        match &self.last {
            None => Ok(Verifier::new(&self.org, &self.keeper)),
            Some(line) => {
                Verifier::resume(&self.org, &self.keeper, line).map_err(|_| AuditError::ForeignLine)
            }
        }
    }

    fn head(&self) -> Head {
        // It was checked when it was opened, and is written by `take` alone.
        self.verifier().map_or_else(
            |_| Verifier::new(&self.org, &self.keeper).head(),
            |verifier| verifier.head(),
        )
    }

    fn take(&mut self, lines: Vec<String>) -> Result<TakenIn, NotTaken> {
        let mut verifier = self.verifier()?;
        let mut events = Vec::with_capacity(lines.len());
        let mut bytes = Vec::new();
        for line in lines {
            let event = verifier
                .line(line.as_bytes())
                .map_err(|_| NotTaken::DoesNotFollow)?;
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            events.push((line, event));
        }
        if let Some((last, _)) = events.last() {
            self.write(&bytes)?;
            self.last = Some(last.clone());
        }
        Ok(TakenIn {
            head: verifier.head(),
            events,
            before: None,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotTaken> {
        let mut file = self.file()?;
        let written = has_room(&file)
            .and_then(|()| Ok(file.seek(SeekFrom::Start(self.length))?))
            .and_then(|_| Ok(file.write_all(bytes)?))
            .and_then(|()| Ok(file.sync_data()?));
        if let Err(error) = written {
            let _ = file.set_len(self.length); // fails when the disk is gone; opening repairs it
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Opened for each write: outlets are many, and descriptors are not.
    fn file(&self) -> Result<File, NotTaken> {
        match keyfile::create(&self.path, b"") {
            Ok(()) | Err(KeyFileError::Exists) => {}
            Err(error) => return Err(AuditError::from(error).into()),
        }
        Ok(OpenOptions::new().write(true).open(&self.path)?)
    }
}

/// One file for each chain, named by who keeps it.
fn path(dir: &Path, keeper: &VerifyKey, number: u32) -> PathBuf {
    let keeper = keeper.peer_id();
    match number {
        1 => dir.join(format!("{keeper}.jsonl")),
        number => dir.join(format!("{keeper}.{number}.jsonl")),
    }
}

#[cfg(unix)]
fn has_room(file: &File) -> Result<(), NotTaken> {
    let about = rustix::fs::fstatvfs(file).map_err(io::Error::from)?;
    match about.f_bavail.saturating_mul(about.f_frsize) {
        room if room < ROOM => Err(NotTaken::NoRoom),
        _ => Ok(()),
    }
}

/// Hubs run on Unix alone; elsewhere this is built for tests.
#[cfg(not(unix))]
fn has_room(_: &File) -> Result<(), NotTaken> {
    Ok(())
}

/// The files there are, in order.
#[cfg(test)]
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::{
        event::{Chain, EventKind, verify},
        identity::SigningKey,
        time::UnixTime,
    };

    use super::*;

    struct Desk {
        dir: tempfile::TempDir,
        org: OrgName,
        outlet: SigningKey,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
                org: "acme".parse().unwrap(),
                outlet: SigningKey::from_seed(&[3; 32]),
            }
        }

        fn open(&self) -> Gathered {
            Gathered::open(&self.dir.path().join("gathered"), &self.org).unwrap()
        }

        /// So many lines of a chain that begins at `start`.
        fn lines(&self, start: u64, count: u64) -> Vec<String> {
            let mut chain = Chain::start(&self.org, &self.outlet.verify_key());
            let mut line = |n| {
                let what = EventKind::RefusalsNotListed { count: n };
                let appended = chain.append(UnixTime(start), what, &self.outlet);
                appended.line().to_owned()
            };
            (0..count).map(&mut line).collect()
        }

        fn take(&self, gathered: &Gathered, lines: &[String]) -> Result<u64, NotTaken> {
            let taken = gathered.take(&self.outlet.verify_key(), lines.to_vec(), false)?;
            Ok(taken.head.seq)
        }

        /// Lines that are kept, of each chain, all of which hold.
        fn kept(&self) -> Vec<u64> {
            let files = files(&self.dir.path().join("gathered")).unwrap();
            let whole = |path: &PathBuf| {
                let text = std::fs::read_to_string(path).unwrap();
                assert!(text.is_empty() || text.ends_with('\n'));
                let key = self.outlet.verify_key();
                let lines = text.lines().map(str::as_bytes);
                verify(&self.org, &key, lines, None).unwrap().seq
            };
            files.iter().map(whole).collect()
        }
    }

    #[test]
    fn lines_are_taken_in_order_and_go_on_after_a_restart() {
        let (desk, all) = (Desk::new(), Desk::new().lines(1, 5));

        assert_eq!(desk.take(&desk.open(), &all[..2]), Ok(2));
        let again = desk.open();
        assert_eq!(desk.take(&again, &[]), Ok(2));
        assert_eq!(desk.take(&again, &all[2..]), Ok(5));

        assert_eq!(desk.kept(), [5]);
    }

    #[test]
    fn what_does_not_follow_changes_nothing() {
        let (desk, all) = (Desk::new(), Desk::new().lines(1, 5));
        let gathered = desk.open();
        desk.take(&gathered, &all[..2]).unwrap();
        let mut forged = all[2].clone();
        forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
        let stranger = SigningKey::from_seed(&[4; 32]).verify_key();

        for bad in [
            &all[..1],
            &all[3..],
            &[all[2].clone(), all[4].clone()],
            &[forged],
        ] {
            assert_eq!(desk.take(&gathered, bad), Err(NotTaken::DoesNotFollow));
        }
        let others = gathered.take(&stranger, all[..1].to_vec(), false);

        assert!(matches!(others, Err(NotTaken::DoesNotFollow)));
        assert_eq!(desk.kept(), [2]);
        assert_eq!(desk.take(&gathered, &all[2..]), Ok(5));
    }

    #[test]
    fn a_chain_that_was_begun_anew_stands_beside_the_old_one() {
        let desk = Desk::new();
        let gathered = desk.open();
        desk.take(&gathered, &desk.lines(1, 3)).unwrap();
        let key = desk.outlet.verify_key();

        let other = desk.lines(2, 2);
        assert_eq!(desk.take(&gathered, &other), Err(NotTaken::DoesNotFollow));
        let half = gathered.take(&key, other[1..].to_vec(), true);
        assert!(matches!(half, Err(NotTaken::DoesNotFollow)));
        let taken = gathered.take(&key, other, true).unwrap();

        assert_eq!((taken.before, taken.head.seq), (Some(3), 2));
        assert_eq!(desk.kept(), [2, 3]);
        assert_eq!(desk.take(&desk.open(), &[]), Ok(2), "the newest goes on");
    }

    #[test]
    fn a_line_torn_by_a_crash_is_taken_back() {
        let (desk, all) = (Desk::new(), Desk::new().lines(1, 3));
        desk.take(&desk.open(), &all[..2]).unwrap();
        let file = &files(&desk.dir.path().join("gathered")).unwrap()[0];
        let mut torn = OpenOptions::new().append(true).open(file).unwrap();
        torn.write_all(b"eyJ0b3Ju").unwrap();

        assert_eq!(desk.take(&desk.open(), &all[2..]), Ok(3));
        assert_eq!(desk.kept(), [3]);
    }
}
