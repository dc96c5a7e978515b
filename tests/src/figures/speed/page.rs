//! The page of speed as Markdown: under what circumstances, what was measured, which goals were reached.
//! It names the kind of machine and never the machine: no host, no user, no folder.

use std::fmt::Write as _;
use std::process::Command;

use super::series::{Series, Spread, Table};
use super::{ROADS, goals};
use crate::stage;
use crate::trouble::{Doing, Outcome};

/// When, of what, on what kind of machine.
pub(super) struct Circumstances {
    date: String,
    commit: String,
    machine: String,
}

pub(super) fn circumstances() -> Outcome<Circumstances> {
    let checkout = stage::checkout()?;
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(checkout);
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unnamed processor", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism()?;
    Ok(Circumstances {
        date: said_by(Command::new("date").args(["-u", "+%F"]))?,
        commit: said_by(&mut git)?,
        machine: format!("{cores} cores of {model}, Linux"),
    })
}

fn said_by(command: &mut Command) -> Outcome<String> {
    let output = command.output().doing("ask a program for one line")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(super) fn markdown(table: &Table, under: &Circumstances) -> String {
    let mut page = format!(
        "# Speed\n\n\
         Written by `cargo xtask bench speed`; nothing on this page is written by hand.\n\n\
         - {} on {}, commit {}.\n\
         - All roads in one run over loopback, in turn within each round. A cell is the median of the rounds (least to most); \
         ratios are made within a round and the median taken then. What differs by less than a fifth is not proved.\n\
         - *plain chain*: three processes that copy unencrypted bytes with buffers of 64 KiB. *ssh -L*: one server, no relay. \
         *ssh -J*: over a jump host. *Tidegate*: laptop, relay and outlet, encrypted from end to end, both policies asked and every \
         connection on record before its first byte.\n\
         - The database is reached by TCP and TLS on every road.\n\n\
         ![Tidegate beside what people use today](speed.svg)\n\n## Measured\n\n",
        under.date, under.machine, under.commit,
    );
    let _ = writeln!(page, "| | {} | ÷ ssh -L | ÷ ssh -J |", ROADS.join(" | "));
    let _ = writeln!(page, "|---|{}", "---|".repeat(ROADS.len() + 2));
    for series in &table.0 {
        let _ = writeln!(page, "{}", row(series));
    }
    page.push_str("\n## Goals\n\n| goal | bar | measured | |\n|---|---|---|---|\n");
    for line in goals::lines(table) {
        let goals::Line {
            what,
            bar,
            measured,
            verdict,
        } = line;
        let _ = writeln!(page, "| {what} | {bar} | {measured} | {verdict} |");
    }
    page
}

fn row(series: &Series) -> String {
    let cells: Vec<_> = (0..ROADS.len())
        .map(|road| cell(series.spread(road), series.digits))
        .collect();
    let ours = ROADS.len() - 1;
    let ratio = |to| {
        let ratio = series.ratio(ours, to);
        ratio.map_or("–".to_owned(), |ratio| format!("{:.2}", ratio.median))
    };
    format!(
        "| {}, {} | {} | {} | {} |",
        series.what,
        series.unit,
        cells.join(" | "),
        ratio(ours - 2),
        ratio(ours - 1),
    )
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    let Some(Spread {
        median,
        least,
        most,
    }) = spread
    else {
        return "–".to_owned();
    };
    if least.total_cmp(&most).is_eq() {
        return format!("{median:.digits$}");
    }
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_every_road_and_says_where_nothing_was_measured() {
        let mut series = Series::more("bulk", "Gbit/s", 1);
        for (road, rates) in [(2, [10.0, 12.0, 11.0]), (4, [20.0, 24.0, 22.0])] {
            rates.into_iter().for_each(|rate| series.push(road, rate));
        }

        assert_eq!(
            row(&series),
            "| bulk, Gbit/s | – | – | 11.0 (10.0 to 12.0) | – | 22.0 (20.0 to 24.0) | 2.00 | – |"
        );
    }
}
