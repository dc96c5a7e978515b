//! What must be true when it is over, each with its bound; whatever is not goes into the ledger as wrong.
//! At rest before and after: the same crowd has come and gone, so what weighs more by then was kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::base::Base;
use super::ledger::Ledger;
use super::load::Counted;
use super::weight::{self, Weights};
use crate::company::Company;
use crate::process::Process;
use crate::scene::World;
use crate::trouble::Outcome;

/// How much more a program may hold at rest after all faults than after the warm-up.
pub(super) const MORE_KIB: u64 = 24 * 1024;
pub(super) const MORE_DESCRIPTORS: u64 = 16;
pub(super) const MORE_THREADS: u64 = 4;
/// How long what a crowd leaves may take to be given back.
const SETTLES: Duration = Duration::from_secs(60);

/// What is there when nobody works.
pub(super) struct Rest {
    pub(super) weights: Weights,
    roles: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Rest {
    pub(super) async fn now(world: &World, agent: &Process, base: &Base) -> Outcome<Self> {
        world.warehouse.is_left_alone(SETTLES).await?;
        Ok(Self {
            weights: weight::weigh(&programs(&world.company, agent))?,
            roles: base.roles().await?,
            files: weight::files(&world.stage),
        })
    }
}

/// All that runs of the product.
pub(super) fn programs<'a>(company: &'a Company, agent: &'a Process) -> Vec<&'a Process> {
    let relay = company.relay.iter().map(|relay| &relay.process);
    [agent, &company.hub.process, &company.outlet.process]
        .into_iter()
        .chain(relay)
        .collect()
}

/// Compares the end with the rest after the warm-up.
pub(super) async fn judge(
    (world, agent): (&World, &Process),
    base: &Base,
    before: &Rest,
    counted: &[Counted],
    ledger: &Ledger,
) -> Outcome<Rest> {
    for wrong in base.miscounted(counted).await? {
        ledger.wrong(wrong);
    }
    let begun = Instant::now();
    let after = loop {
        let after = Rest::now(world, agent, base).await?;
        let too_much = heavier(&before.weights, &after.weights);
        if too_much.is_empty() {
            break after;
        }
        if begun.elapsed() > SETTLES {
            too_much.into_iter().for_each(|what| ledger.wrong(what));
            break after;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    for role in after.roles.symmetric_difference(&before.roles) {
        ledger.wrong(format!("the role {role} was not there before, or is gone"));
    }
    for file in after.files.difference(&before.files) {
        ledger.wrong(format!("the file {} is left", file.display()));
    }
    let tables = base.temporary_tables().await?;
    if tables > 0 {
        ledger.wrong(format!("{tables} temporary tables are left"));
    }
    record_is_closed(world, ledger).await?;
    for process in programs(&world.company, agent) {
        super::programs::complaints(process, ledger);
    }
    Ok(after)
}

fn heavier(before: &Weights, after: &Weights) -> Vec<String> {
    let mut told = Vec::new();
    for (name, now) in after {
        let was = before.get(name).copied().unwrap_or_default();
        for (what, was, now, more) in [
            ("KiB of memory", was.kib, now.kib, MORE_KIB),
            (
                "descriptors",
                was.descriptors,
                now.descriptors,
                MORE_DESCRIPTORS,
            ),
            ("threads", was.threads, now.threads, MORE_THREADS),
        ] {
            if now > was + more {
                told.push(format!("{name} held {was} {what} at rest, and now {now}"));
            }
        }
    }
    told
}

/// The outlet's record is whole, and no portal in it is open.
async fn record_is_closed(world: &World, ledger: &Ledger) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        let said = world.company.outlet.verify_audit().await?;
        let fits = |word: &str| said.contains(word);
        if fits("\"whole\":true") && fits("\"open\":0") {
            return Ok(());
        }
        if begun.elapsed() > SETTLES {
            ledger.wrong(format!("the outlet's record is not closed: {said}"));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::weight::Weight;
    use super::*;

    #[test]
    fn what_is_kept_beyond_its_bound_is_told() {
        let of = |kib, descriptors, threads| {
            let weight = Weight {
                kib,
                descriptors,
                threads,
            };
            Weights::from([("agent".to_owned(), weight)])
        };
        let before = of(50_000, 40, 5);

        let just = of(50_000 + MORE_KIB, 40 + MORE_DESCRIPTORS, 5 + MORE_THREADS);
        assert!(heavier(&before, &just).is_empty());
        let more = of(50_001 + MORE_KIB, 41 + MORE_DESCRIPTORS, 6 + MORE_THREADS);
        assert_eq!(heavier(&before, &more).len(), 3);
    }
}
