//! What the programs of the product weigh, from `/proc`, and what lies in their folders and in the database's list of roles.
//! A task of theirs cannot be counted from outside: one that is left holds memory, and most hold a descriptor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::process::Process;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};
use crate::user::User;

/// Of one program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) kib: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

/// By the program's name.
pub(super) type Weights = BTreeMap<String, Weight>;

pub(super) fn weigh(programs: &[&Process]) -> Outcome<Weights> {
    let weighed = programs
        .iter()
        .map(|process| Ok((process.name().to_owned(), Weight::of(process)?)));
    weighed.collect()
}

impl Weight {
    /// What was seen at most, each for itself.
    pub(super) fn at_least(&mut self, other: Self) {
        self.kib = self.kib.max(other.kib);
        self.descriptors = self.descriptors.max(other.descriptors);
        self.threads = self.threads.max(other.threads);
    }

    fn of(process: &Process) -> Outcome<Self> {
        let pid = process.program().doing("find a program")?.as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next());
            number
                .and_then(|number| number.parse().ok())
                .unwrap_or_default()
        };
        Ok(Self {
            kib: field("VmRSS:"),
            threads: field("Threads:"),
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        })
    }
}

/// Every file in the homes of the product's users, but for records, which are there to grow, and locks, which stay once they
/// were taken: whoever takes such a file away lets two in.
pub(super) fn files(stage: &Stage) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for user in [User::Hub, User::Relay, User::Outlet, User::Analyst] {
        gather(&stage.run().home(user), &mut found);
    }
    found
}

fn gather(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_record = path.file_name().is_some_and(|name| name == "audit");
        let is_lock = path.extension().is_some_and(|kind| kind == "lock");
        let is_browser = path.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            part.contains("chrom") || part == ".cache" || part == ".pki"
        });
        match (is_folder, is_record || is_lock || is_browser) {
            (_, true) => {}
            (true, false) => gather(&path, found),
            (false, false) => drop(found.insert(path)),
        }
    }
}
