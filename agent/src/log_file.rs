//! The agent's log on disk: for this user alone, and never larger than twice its limit.
//! A newcomer would rotate by the day: a bad night fills a disk before midnight, so the size decides.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tidegate_link::keyfile;

use crate::platform::own_file::{self, FRESH};

/// Largest file, in bytes; the one before it is kept as well.
const LIMIT: u64 = 2 << 20;

/// A file to write log lines to. What cannot be written is lost: a log must not stop what it tells about.
pub struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    limit: u64,
}

impl LogFile {
    /// Goes on in the file at `path`, whose folder is made 0700.
    ///
    /// # Errors
    /// When folder or file cannot be made, or are not this user's alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, LIMIT)
    }

    /// Where the lines before the newest are.
    #[must_use]
    pub fn before(path: &Path) -> PathBuf {
        path.with_extension("1.log")
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        keyfile::private_directory(folder).map_err(io::Error::other)?;
        let file = append(path)?;
        Ok(Self {
            path: path.to_owned(),
            length: file.metadata()?.len(),
            file,
            limit,
        })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        match std::fs::rename(&self.path, Self::before(&self.path)) {
            // Put aside before, when no new one could be made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.file = append(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A disk that is full or read-only says so in the window, not by stopping whoever writes a line.
        if self.length + line.len() as u64 > self.limit && self.turn_over().is_err() {
            return Ok(line.len());
        }
        if let Ok(written) = self.file.write(line) {
            self.length += written as u64;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    own_file::with_mode(&mut options, FRESH);
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_year_of_lines_stays_within_twice_the_limit_and_the_newest_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/agent.log");
        let mut log = LogFile::with_limit(&path, 4096).unwrap();

        for number in 0..10_000 {
            writeln!(log, "line {number}").unwrap();
        }
        drop(log);
        writeln!(LogFile::with_limit(&path, 4096).unwrap(), "after a restart").unwrap();

        let newest = std::fs::read_to_string(&path).unwrap();
        let before = std::fs::read_to_string(LogFile::before(&path)).unwrap();
        assert!(newest.len() <= 4096 && before.len() <= 4096);
        assert!((before + &newest).contains("line 9999") && newest.ends_with("after a restart\n"));
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            2
        );
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/agent.log");

        writeln!(LogFile::open(&path).unwrap(), "line").unwrap();

        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(
            path.parent().unwrap(),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        assert!(LogFile::open(&path).is_err());
    }

    #[test]
    fn a_folder_that_is_gone_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/agent.log");
        let mut log = LogFile::with_limit(&path, 8).unwrap();
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();

        for _ in 0..3 {
            log.write_all(b"more than eight bytes").unwrap();
        }
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        log.write_all(b"there again").unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"there again");
    }
}
