//! The audit's lines on disk: one file, or one a day; appended, made durable, and cut back when a write fails half way.
//! A line without a newline at its end was never confirmed to anybody: a restart after a crash takes it away.

use crate::config::AuditPlace;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A longer line, in bytes, is not ours.
pub(super) const MAX_LINE: u64 = tidegate_proto::event::MAX_LINE as u64;
const SUFFIX: &str = "jsonl";

/// The file that is being appended to.
pub(super) struct Files {
    place: AuditPlace,
    /// The last file in order: a clock that went back must not begin one before it.
    newest: Option<PathBuf>,
    current: Option<Current>,
}

struct Current {
    path: PathBuf,
    file: File,
    /// Bytes that are durable.
    length: u64,
    /// A write failed and could not be cut off again: only a restart helps.
    dirty: bool,
}

impl Files {
    /// Makes the directory if need be; opens nothing yet.
    pub(super) fn new(place: AuditPlace) -> io::Result<Self> {
        let directory = match &place {
            AuditPlace::Daily(directory) => Some(directory.as_path()),
            AuditPlace::File(path) => path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty()),
        };
        if let Some(directory) = directory {
            make_directory(directory)?;
        }
        let mut files = Self {
            place,
            newest: None,
            current: None,
        };
        files.newest = files.existing()?.pop();
        Ok(files)
    }

    /// The files there are, oldest first.
    pub(super) fn existing(&self) -> io::Result<Vec<PathBuf>> {
        match &self.place {
            AuditPlace::File(path) if path.symlink_metadata().is_ok() => Ok(vec![path.clone()]),
            AuditPlace::File(_) => Ok(Vec::new()),
            AuditPlace::Daily(directory) => daily(directory),
        }
    }

    /// Where the newest line is noted besides, so that a cut at the end shows.
    pub(super) fn tip(&self) -> PathBuf {
        tip_of(match &self.place {
            AuditPlace::File(path) | AuditPlace::Daily(path) => path,
        })
    }

    /// Appends whole lines to the file of `day` and makes them durable. On failure nothing of them stays.
    pub(super) fn append(&mut self, day: &str, lines: &str) -> io::Result<()> {
        let path = match &self.place {
            AuditPlace::File(path) => path.clone(),
            AuditPlace::Daily(directory) => directory.join(format!("{day}.{SUFFIX}")),
        };
        let path = self
            .newest
            .take()
            .map_or(path.clone(), |newest| newest.max(path));
        self.newest = Some(path.clone());
        self.turn_to(path)?.append(lines)
    }

    fn turn_to(&mut self, path: PathBuf) -> io::Result<&mut Current> {
        let turned = match self.current.take() {
            Some(current) if current.path == path => current,
            _ => Current::open(path)?,
        };
        Ok(self.current.insert(turned))
    }
}

impl Current {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(&path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if about.len() == 0 {
            sync_directory(&path)?;
        }
        Ok(Self {
            path,
            file,
            length: about.len(),
            dirty: false,
        })
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        if self.dirty {
            self.cut_back()?;
        }
        let written = self
            .file
            .write_all(lines.as_bytes())
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.dirty = true;
                // Tried again before the next write if it fails now.
                let _ = self.cut_back();
                Err(error)
            }
        }
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_data()?;
        self.dirty = false;
        Ok(())
    }
}

/// The daily files in a directory, oldest first; anything else in it is left alone.
pub(super) fn daily(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Beside a single file, inside a directory.
pub(super) fn tip_of(place: &Path) -> PathBuf {
    if place.extension().is_some_and(|suffix| suffix == SUFFIX) {
        place.with_extension("tip")
    } else {
        place.join("newest.tip")
    }
}

/// Calls `each` with every line of a file, without its newline, and gives back whether the last one had its newline.
pub(super) fn for_each_line<E: From<io::Error>>(
    path: &Path,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<bool, E> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader)
            .take(MAX_LINE + 2)
            .read_until(b'\n', &mut line)?;
        match line.split_last() {
            None => return Ok(true),
            // Bytes that are no text cannot be a line of ours; the caller sees an empty one.
            Some((b'\n', text)) => each(std::str::from_utf8(text).unwrap_or_default())?,
            Some(_) if line.len() as u64 > MAX_LINE => each("")?,
            Some(_) => return Ok(false),
        }
    }
}

/// Takes away what follows the last newline. Gives back how many bytes that were.
pub(super) fn cut_torn_line(path: &Path) -> io::Result<u64> {
    let bytes = std::fs::read(path)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(no_follow())
        .open(path)?;
    file.set_len(whole as u64)?;
    file.sync_all()?;
    Ok((bytes.len() - whole) as u64)
}

fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

pub(super) fn no_follow() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
        .bits()
        .cast_signed()
}

#[cfg(test)]
impl Files {
    /// On a disk that takes every line and makes none durable: `/dev/null` knows how to write and not how to sync.
    pub(super) fn that_never_sync() -> Self {
        let path = PathBuf::from("/dev/null");
        let current = Current {
            file: OpenOptions::new()
                .append(true)
                .open(&path)
                .expect("every system has it"),
            path: path.clone(),
            length: 0,
            dirty: false,
        };
        Self {
            place: AuditPlace::File(path.clone()),
            newest: Some(path),
            current: Some(current),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lines_of(path: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        for_each_line::<io::Error>(path, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn begins_a_new_file_each_day_and_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::new(AuditPlace::Daily(dir.path().join("audit"))).unwrap();

        for (day, line) in [
            ("2026-01-30", "a\n"),
            ("2026-01-31", "b\nc\n"),
            ("2026-01-30", "d\n"),
        ] {
            files.append(day, line).unwrap();
        }
        let mut restarted = Files::new(AuditPlace::Daily(dir.path().join("audit"))).unwrap();
        restarted.append("2026-01-29", "e\n").unwrap();

        let found = files.existing().unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (lines_of(&found[0]).concat(), lines_of(&found[1]).concat()),
            ("a".into(), "bcde".into())
        );
    }

    #[test]
    fn a_full_disk_is_an_error_and_leaves_no_half_line() {
        let full = File::options().append(true).open("/dev/full").unwrap();
        let mut current = Current {
            path: "/dev/full".into(),
            file: full,
            length: 0,
            dirty: false,
        };

        let error = current.append("line\n").err().unwrap();

        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(current.length, 0);
    }

    #[test]
    fn a_line_that_was_written_and_did_not_become_durable_is_an_error() {
        let mut files = Files::that_never_sync();

        let error = files.append("2026-01-30", "line\n").err().unwrap();

        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let current = files.current.unwrap();
        assert_eq!((current.length, current.dirty), (0, true));
    }

    #[test]
    fn a_torn_last_line_is_seen_and_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, "whole\nto").unwrap();

        let ended = for_each_line::<io::Error>(&path, |_| Ok(())).unwrap();

        assert!(!ended);
        assert_eq!(cut_torn_line(&path).unwrap(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"whole\n");
    }

    #[test]
    fn links_and_devices_are_no_audit_files() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("audit.jsonl");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();

        assert!(
            Files::new(AuditPlace::File(link.clone()))
                .unwrap()
                .append("d", "x\n")
                .is_err()
        );
        assert!(for_each_line::<io::Error>(&link, |_| Ok(())).is_err());
        assert!(for_each_line::<io::Error>(Path::new("/dev/zero"), |_| Ok(())).is_err());
    }
}
