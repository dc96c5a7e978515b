//! Lines of several audits in one order, and what came to them since; whoever writes meanwhile is not disturbed.
//! An event that names nobody is told to be about whom an earlier one of the same thread named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tidegate_proto::event::{Event, Thread};
use tidegate_proto::names::Subject;
use tidegate_proto::statement::GrantId;
use tidegate_proto::text::Shown;

use crate::failure::{Exit, Failure};

/// As the authority's own record is called.
const AUTHORITY: &str = "authority";

/// One line.
#[derive(Clone)]
pub(super) struct Entry {
    /// Who wrote it, as its file is called.
    pub(super) source: String,
    pub(super) event: Event,
    /// Whom it is about, and who did it.
    pub(super) people: BTreeSet<Subject>,
    /// The request or grant it belongs to: a closing has that of its opening.
    pub(super) grant: Option<GrantId>,
}

impl Entry {
    /// As JSON names it.
    pub(super) fn kind(&self) -> String {
        let what = serde_json::to_value(&self.event.what).unwrap_or_default();
        what["kind"].as_str().unwrap_or_default().to_owned()
    }
}

/// The audits, and how far each was read.
pub(super) struct Sources {
    places: Vec<Place>,
    read: BTreeMap<PathBuf, u64>,
    /// By who knows of them, and their names.
    threads: BTreeMap<(String, String), Known>,
}

/// What is known of what earlier events began.
#[derive(Default)]
struct Known {
    people: BTreeSet<Subject>,
    grant: Option<GrantId>,
}

/// A file, or a directory in which there may be more of them later.
struct Place {
    path: PathBuf,
    named: Option<String>,
}

impl Sources {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut places = Vec::new();
        for path in paths {
            places.extend(places_of(path).map_err(|error| unreadable(path, &error))?);
        }
        Ok(Self {
            places,
            read: BTreeMap::new(),
            threads: BTreeMap::new(),
        })
    }

    /// What was written since it was asked last, oldest first.
    pub(super) fn read(&mut self) -> Result<Vec<Entry>, Failure> {
        let mut events = Vec::new();
        for place in &self.places {
            for path in files_of(&place.path).map_err(|error| unreadable(&place.path, &error))? {
                let from = self.read.entry(path.clone()).or_default();
                let text = whole_lines(&path, *from).map_err(|error| unreadable(&path, &error))?;
                *from += text.len() as u64;
                let source = place.named.clone().unwrap_or_else(|| source_of(&path));
                for line in text.lines() {
                    let event = Event::unproved(line).ok_or_else(|| no_audit(&path))?;
                    events.push((source.clone(), event));
                }
            }
        }
        // Those of one second stay in the order of their own chain.
        events.sort_by_key(|(_, event)| event.at);
        let entries = events.into_iter();
        let entries = entries.map(|(source, event)| self.entry(source, event));
        Ok(entries.collect())
    }

    fn entry(&mut self, source: String, event: Event) -> Entry {
        let (about, mut grant) = (event.what.about(), event.what.grant());
        let mut people: BTreeSet<_> = about.people.into_iter().collect();
        if let Some(thread) = about.thread {
            let (whose, ends) = match &thread {
                Thread::Authority(_) => (AUTHORITY, false),
                Thread::Keeper { ends, .. } => (source.as_str(), *ends),
            };
            let key = (whose.to_owned(), thread.name().to_owned());
            let known = self.threads.entry(key.clone()).or_default();
            if whose == source {
                known.people.extend(people.iter().cloned());
            }
            people.extend(known.people.iter().cloned());
            grant = grant.or(known.grant);
            known.grant = grant;
            if ends {
                self.threads.remove(&key);
            }
        }
        people.extend(event.what.done_by().cloned());
        Entry {
            source,
            event,
            people,
            grant,
        }
    }
}

/// A hub's data directory holds its own audit and those of its outlets; an outlet's its own; any other, files.
fn places_of(path: &Path) -> io::Result<Vec<Place>> {
    let is_dir = path.metadata()?.is_dir();
    for hub in [path.join("authority"), path.to_owned()] {
        let gathered = hub.join("gathered");
        if is_dir && gathered.is_dir() {
            let one = |path| Place { path, named: None };
            return Ok(vec![one(hub.join("audit")), one(gathered)]);
        }
    }
    let audit = path.join("audit");
    let path = if audit.is_dir() {
        audit
    } else {
        path.to_owned()
    };
    let files = files_of(&path)?;
    if files.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // The files of an outlet are called by their days.
    let is_day = |file: &PathBuf| source_of(file).parse::<jiff::civil::Date>().is_ok();
    let named = files.iter().all(is_day).then(|| "outlet".to_owned());
    Ok(vec![Place { path, named }])
}

fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `authority`, or the first letters of an outlet's fingerprint.
fn source_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match stem.strip_prefix("authority-") {
        Some(_) => AUTHORITY.into(),
        None => Shown::new(&stem).as_str().chars().take(12).collect(),
    }
}

/// From there on, as far as lines are whole: the last one may be on its way to disk.
fn whole_lines(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    bytes.truncate(whole);
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::NotFound => {
            "name an audit file, a directory of them, or a hub's data directory"
        }
        io::ErrorKind::InvalidData => "this is no audit: name the files that hub or outlet wrote",
        _ => {
            "run this as the user that wrote them: sudo -u tidegate-hub …, sudo -u tidegate-outlet …"
        }
    };
    let detail = format!("{}: {}", path.display(), error.kind());
    Failure::new(Exit::ThisComputer, "the audit cannot be read", detail, next)
}

fn no_audit(path: &Path) -> Failure {
    let detail = format!("{} holds a line that is no event", path.display());
    let next = "this is no audit, or it was changed: `tidegate audit verify` names the line";
    Failure::new(Exit::ThisComputer, "the audit cannot be read", detail, next)
}
