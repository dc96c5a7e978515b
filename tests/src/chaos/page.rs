//! What a run has shown, as tables: on the terminal, and as the page `agent/docs/chaos.md`, which only the command writes.
//! Figures of one run on one machine; what is claimed is only what was compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::faults::{Kind, counted};
use super::ledger::Carried;
use super::verdict::{MORE_DESCRIPTORS, MORE_KIB, MORE_THREADS};
use super::weight::{Weight, Weights};
use super::{Crowd, KEPT, Plan, Storm};

/// What was seen.
pub struct Report {
    plan: Plan,
    faults: BTreeMap<Kind, usize>,
    has_wires: bool,
    took: Duration,
    calm: Vec<Duration>,
    carried: Carried,
    /// Opened, and left by their programs.
    connections: [u64; 2],
    ended: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    wrong: Vec<(String, u64)>,
    wrongs: u64,
    /// At rest before, at most, at rest after.
    weights: [Weights; 3],
}

impl Report {
    pub(super) fn of(plan: Plan, storm: &Storm, before: Weights, after: Weights) -> Self {
        let book = storm.ledger.book();
        let mut calm = storm.calm.clone();
        calm.sort();
        Self {
            plan,
            faults: counted(&storm.faults),
            has_wires: storm.has_wires,
            took: storm.took,
            calm,
            carried: book.carried,
            connections: [book.opened, book.left],
            ended: book.ended.clone(),
            refused: book.refused.clone(),
            wrong: book.wrong.clone(),
            wrongs: book.wrongs,
            weights: [before, storm.heaviest.clone(), after],
        }
    }

    /// Nothing where nothing was wrong.
    pub(super) fn wrong_in_words(&self) -> Option<String> {
        let told = self.wrong.iter();
        let lines: Vec<_> = told
            .map(|(what, times)| format!("{times} times: {what}"))
            .collect();
        (self.wrongs > 0).then(|| lines.join("\n"))
    }

    /// All tables, as Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        self.write_faults(&mut text);
        self.write_work(&mut text);
        self.write_ends(&mut text);
        self.write_weights(&mut text);
        text
    }

    fn write_faults(&self, text: &mut String) {
        let _ = writeln!(text, "| fault | times |\n|---|---|");
        for (kind, times) in &self.faults {
            let _ = writeln!(text, "| {} | {times} |", kind.in_words());
        }
        let _ = writeln!(text, "| **together** | **{}** |", self.plan.faults);
        if !self.has_wires {
            let _ = writeln!(text, "\nOn loopback: no wire was harmed.");
        }
    }

    fn write_work(&self, text: &mut String) {
        let Crowd {
            copies_out,
            copies_in,
            counters,
            sessions,
            ..
        } = self.plan.crowd();
        let carried = self.carried;
        let seconds = |place: Option<&Duration>| place.map_or(0.0, Duration::as_secs_f64);
        let rows = [
            ("minutes", format!("{:.1}", self.took.as_secs_f64() / 60.0)),
            (
                "at work at once",
                format!(
                    "{sessions} sessions, {copies_out} copies out, {copies_in} copies in, {counters} counters"
                ),
            ),
            ("connections opened", self.connections[0].to_string()),
            (
                "copied out, each byte compared",
                format!(
                    "{} MB in {} whole copies",
                    carried.bytes_out / 1_000_000,
                    carried.copies_out
                ),
            ),
            (
                "copied in, each row compared in the database",
                format!(
                    "{} MB in {} whole copies",
                    carried.bytes_in / 1_000_000,
                    carried.copies_in
                ),
            ),
            ("transactions committed", carried.committed.to_string()),
            (
                "commits whose answer never came, each settled by the next transaction",
                carried.unknown.to_string(),
            ),
            ("answers to sessions", carried.answers.to_string()),
            (
                "everybody had gone on after a round, median and longest",
                format!(
                    "{:.1} s, {:.1} s",
                    seconds(self.calm.get(self.calm.len() / 2)),
                    seconds(self.calm.last())
                ),
            ),
            (
                "**wrong: bytes, rows, counters, silent or needless ends, hangs, things left**",
                format!("**{}**", self.wrongs),
            ),
        ];
        let _ = writeln!(text, "\n| what | how much |\n|---|---|");
        for (what, much) in rows {
            let _ = writeln!(text, "| {what} | {much} |");
        }
    }

    fn write_ends(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n| end of a connection, in the words that the program got | times |\n|---|---|"
        );
        let _ = writeln!(text, "| its program left | {} |", self.connections[1]);
        for (words, times) in &self.ended {
            let _ = writeln!(text, "| the outlet was killed: {words} | {times} |");
        }
        for (words, times) in &self.refused {
            let _ = writeln!(text, "| not opened: {words} | {times} |");
        }
    }

    fn write_weights(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n| program | at rest before: MiB, descriptors, threads | at most between faults | at rest after |\n|---|---|---|---|"
        );
        for name in self.weights[2].keys() {
            let cells = self.weights.each_ref().map(|weights| {
                let Weight {
                    kib,
                    descriptors,
                    threads,
                } = weights.get(name).copied().unwrap_or_default();
                format!("{}, {descriptors}, {threads}", kib / 1024)
            });
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
    }

    /// The whole page.
    #[must_use]
    pub fn page(&self) -> String {
        let [idle, in_transaction] = KEPT;
        format!(
            "# Chaos\n\n\
             Programs work through the tunnel while everything between them and the database breaks, in an order that a seed gives. \
             This page is written by the command that plays it; whatever was wrong would have kept it from being written.\n\n\
             ```sh\n{}\n```\n\n\
             ## What is done\n\n\
             - **Stage:** agent in a caf\u{e9} 40 ms away, hub with a relay in it, a second relay, outlet and PostgreSQL 15 behind a firewall; the outlet keeps portals for {idle} s, in a transaction for {in_transaction} s.\n\
             - **Faults** of wires and of programs are played in two lanes beside each other, each lane in its order; every {} faults there is a pause in which everybody must take a step within 60 s, and the database may have no session that no program has.\n\
             - **Work:** COPY out, of which each byte is foretold and compared; COPY in, which the database compares row by row and place by place; transactions that count, whose committed number must be the database's; sessions that remember what was said last and by whom it was answered.\n\
             - **Ends:** a connection may end unasked only where the outlet was killed in its life, and always with a FATAL in words, but in the middle of an answer, whose rest died with the outlet; a connection that is refused has its words always. What counts is what the program was sent, not what its library passed on. The agent is never killed: the programs' own connections would die with it.\n\
             - **Left behind:** at rest, after as before, the same roles, no further file, no session, no temporary table, no open portal in the outlet's record; no program holds more than {} MiB, {MORE_DESCRIPTORS} descriptors or {MORE_THREADS} threads beyond its rest after the warm-up. Tasks cannot be counted from outside: one that is left holds memory or a descriptor. Hub, relay and outlet are started again in the run, so for them this speaks of their last life; the agent lives through all of it.\n\n\
             ## The last run\n\n{}",
            self.plan.command(),
            super::faults::ROUND,
            MORE_KIB / 1024,
            self.table()
        )
    }
}
