//! Reads an audit on from a line that somebody has already: what the authority is handed next.
//! Only lines that are durable are given out: one that the disk did not take is taken back, and must not be anywhere else.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tidegate_proto::api::record::{HandedIn, MAX_BYTES, MAX_LINES};
use tidegate_proto::event::Event;

use super::files::{MAX_LINE, daily, no_follow};
use crate::config::AuditPlace;

/// Where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// After the line that the other one has.
    Here(Cursor),
    /// That line is not in this audit: it is another one than what was handed in before.
    Other(Cursor),
    /// What follows on that line is not there any more.
    Gone,
}

/// A place between two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    path: PathBuf,
    offset: u64,
}

/// The lines after a place, and the place after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<String>,
    pub(crate) after: Cursor,
}

/// Looks for the line that the other one had last; `None` where there is no audit. Blocks.
pub(crate) fn find(place: &AuditPlace, has: HandedIn) -> io::Result<Option<Found>> {
    let paths = paths(place)?;
    let Some(first) = paths.first() else {
        return Ok(None);
    };
    let start = Cursor {
        path: first.clone(),
        offset: 0,
    };
    if has.seq == 0 {
        return Ok(Some(Found::Here(start)));
    }
    for path in paths.iter().rev() {
        let begins = first_of(path)?;
        if begins.is_some_and(|begins| begins <= has.seq) {
            let found = find_in(path, has)?;
            return Ok(Some(found.map_or(Found::Other(start), Found::Here)));
        }
    }
    let is_whole = first_of(first)?.is_none_or(|begins| begins == 1);
    Ok(Some(if is_whole {
        Found::Other(start)
    } else {
        Found::Gone
    }))
}

/// The next lines up to number `durable`, as many as one call takes; none where there are no more. Blocks.
pub(crate) fn next(place: &AuditPlace, from: &Cursor, durable: u64) -> io::Result<Batch> {
    let mut batch = Batch {
        lines: Vec::new(),
        after: from.clone(),
    };
    let mut bytes = 0;
    loop {
        let mut reader = open(&batch.after.path)?;
        reader.seek(SeekFrom::Start(batch.after.offset))?;
        while let Some(line) = whole_line(&mut reader)? {
            let is_durable = Event::head_of(&line).is_some_and(|head| head.seq <= durable);
            bytes += line.len() + 3; // with quotes and comma
            if !is_durable || bytes > MAX_BYTES || batch.lines.len() == MAX_LINES {
                return Ok(batch);
            }
            batch.after.offset += line.len() as u64 + 1;
            batch.lines.push(line);
        }
        let following = paths(place)?
            .into_iter()
            .find(|path| *path > batch.after.path);
        match following {
            Some(path) => batch.after = Cursor { path, offset: 0 },
            None => return Ok(batch),
        }
    }
}

fn paths(place: &AuditPlace) -> io::Result<Vec<PathBuf>> {
    match place {
        AuditPlace::File(path) if path.exists() => Ok(vec![path.clone()]),
        AuditPlace::File(_) => Ok(Vec::new()),
        AuditPlace::Daily(directory) => daily(directory),
    }
}

fn open(path: &Path) -> io::Result<BufReader<File>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(no_follow()).open(path)?;
    Ok(BufReader::new(file))
}

/// The next line that has its line feed, without that.
fn whole_line(reader: &mut BufReader<File>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.take(MAX_LINE + 1).read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => String::from_utf8(line)
            .map(Some)
            .map_err(|_| io::ErrorKind::InvalidData.into()),
        _ => Ok(None),
    }
}

/// The number of its first line.
fn first_of(path: &Path) -> io::Result<Option<u64>> {
    let line = whole_line(&mut open(path)?)?;
    Ok(line.and_then(|line| Some(Event::head_of(&line)?.seq)))
}

fn find_in(path: &Path, has: HandedIn) -> io::Result<Option<Cursor>> {
    let (mut reader, mut offset) = (open(path)?, 0);
    while let Some(line) = whole_line(&mut reader)? {
        offset += line.len() as u64 + 1;
        let Some(head) = Event::head_of(&line) else {
            return Ok(None);
        };
        if head.seq == has.seq {
            let path = path.to_owned();
            return Ok((head.digest == has.digest).then_some(Cursor { path, offset }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::event::{Chain, EventKind};
    use tidegate_proto::identity::SigningKey;
    use tidegate_proto::time::UnixTime;

    use super::*;

    /// An audit of so many lines a day.
    struct Desk {
        dir: tempfile::TempDir,
        heads: Vec<HandedIn>,
    }

    impl Desk {
        fn new(days: &[usize]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = SigningKey::from_seed(&[3; 32]);
            let mut chain = Chain::start(&"acme".parse().unwrap(), &key.verify_key());
            let mut heads = Vec::new();
            let mut note = |chain: &Chain| {
                let head = chain.head();
                heads.push(HandedIn {
                    seq: head.seq,
                    digest: head.digest,
                });
            };
            note(&chain);
            for (day, count) in days.iter().enumerate() {
                let mut text = String::new();
                for _ in 0..*count {
                    let appended = chain.append(UnixTime(1), EventKind::Stopped {}, &key);
                    text += &format!("{}\n", appended.line());
                    note(&chain);
                }
                std::fs::write(dir.path().join(format!("2026-01-0{}.jsonl", day + 1)), text)
                    .unwrap();
            }
            Self { dir, heads }
        }

        fn place(&self) -> AuditPlace {
            AuditPlace::Daily(self.dir.path().to_owned())
        }

        fn find(&self, has: HandedIn) -> Option<Found> {
            find(&self.place(), has).unwrap()
        }

        /// The numbers of what is read from there.
        fn read(&self, from: &Cursor, durable: u64) -> Vec<u64> {
            let (mut from, mut read) = (from.clone(), Vec::new());
            loop {
                let batch = next(&self.place(), &from, durable).unwrap();
                if batch.lines.is_empty() {
                    return read;
                }
                let numbers = batch.lines.iter().map(|line| Event::head_of(line).unwrap());
                read.extend(numbers.map(|head| head.seq));
                from = batch.after;
            }
        }
    }

    #[test]
    fn goes_on_after_any_line_over_all_days() {
        let desk = Desk::new(&[2, 0, 3, 70]);

        for (seq, has) in (0..).zip(&desk.heads) {
            let Some(Found::Here(cursor)) = desk.find(*has) else {
                panic!("{seq}")
            };
            let rest: Vec<u64> = (seq + 1..=75).collect();
            assert_eq!(desk.read(&cursor, 100), rest);
        }
    }

    #[test]
    fn gives_out_nothing_that_is_not_durable() {
        let desk = Desk::new(&[5]);
        let Some(Found::Here(start)) = desk.find(desk.heads[0]) else {
            panic!()
        };

        assert_eq!(desk.read(&start, 3), [1, 2, 3]);
        let file = desk.dir.path().join("2026-01-01.jsonl");
        let torn = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &torn[..torn.len() - 9]).unwrap();
        assert_eq!(desk.read(&start, 100), [1, 2, 3, 4]);
    }

    #[test]
    fn another_audit_is_told_from_one_whose_beginning_is_gone() {
        let desk = Desk::new(&[2, 2]);
        let other = Desk::new(&[1]).heads[0].digest;

        let differs = HandedIn {
            seq: 3,
            digest: other,
        };
        assert!(matches!(desk.find(differs), Some(Found::Other(_))));
        let longer = HandedIn {
            seq: 9,
            digest: other,
        };
        assert!(matches!(desk.find(longer), Some(Found::Other(_))));
        std::fs::remove_file(desk.dir.path().join("2026-01-01.jsonl")).unwrap();
        assert_eq!(desk.find(desk.heads[1]), Some(Found::Gone));
        assert_eq!(Desk::new(&[]).find(differs), None);
    }
}
