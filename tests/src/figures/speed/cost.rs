//! What a road's processes cost: processor time and memory, by `/proc`, of some processes and all that they started.
//! An SSH server works in children that it makes for each connection: who counts only the first one counts nothing.

use std::collections::BTreeMap;

use crate::trouble::{Doing, Outcome};

/// Ticks of the processor's account in a second; Linux has told programs 100 on every machine since 2.6.
const TICKS: f64 = 100.0;

/// Processor seconds that `roots` and their descendants have used so far.
pub(super) fn seconds(roots: &[u32]) -> Outcome<f64> {
    let ticks = family(roots)?.into_iter().map(|pid| ticks_of(pid) as f64);
    Ok(ticks.sum::<f64>() / TICKS)
}

/// Their memory in MiB; what several share is shared out among them (PSS).
pub(super) fn memory(roots: &[u32]) -> Outcome<f64> {
    let kib = family(roots)?.into_iter().map(|pid| pss_of(pid) as f64);
    Ok(kib.sum::<f64>() / 1024.0)
}

fn family(roots: &[u32]) -> Outcome<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").doing("list the processes")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = fields_of(pid).get(1).and_then(|ppid| ppid.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut family = roots.to_vec();
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        family.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    Ok(family)
}

/// What `/proc/PID/stat` says behind the name; nothing of a process that has ended.
fn fields_of(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_whitespace().map(str::to_owned).collect()
}

/// User and system time, its threads' included: fields 14 and 15 of `proc(5)`.
fn ticks_of(pid: u32) -> u64 {
    let fields = fields_of(pid);
    let field = |number: usize| fields.get(number - 3).and_then(|ticks| ticks.parse().ok());
    field(14).unwrap_or(0) + field(15).unwrap_or(0)
}

fn pss_of(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = std::fs::read_to_string(path).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_a_child_weighs_counts_for_whoever_started_it() {
        let me = std::process::id();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();

        let ours = family(&[me]).unwrap();

        assert!(ours.contains(&me) && ours.contains(&child.id()));
        assert!(memory(&[me]).unwrap() > memory(&[child.id()]).unwrap());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!family(&[me]).unwrap().contains(&child.id()));
    }

    #[test]
    fn work_shows_as_seconds() {
        let me = [std::process::id()];
        let before = seconds(&me).unwrap();

        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_millis(200) {
            std::hint::spin_loop();
        }

        assert!(seconds(&me).unwrap() > before);
    }
}
