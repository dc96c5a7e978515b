//! What was promised of speed, and what came of it: each goal with its line, reached or missed with the reason.
//! A goal that this command cannot measure says so; it is never left out.

use super::series::Table;

const DIRECT: usize = 0;
const CHAIN: usize = 1;
const ONE: usize = 2;
const TWO: usize = 3;
const OURS: usize = 4;

/// How a goal is read off what was measured.
enum By {
    /// The median of the ratios to another road.
    Ratio(usize),
    /// The median itself.
    Value(usize),
}

enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

struct Goal {
    what: &'static str,
    series: &'static str,
    by: By,
    bar: Bar,
    /// Where the rest goes, as far as somebody has looked; never a guess.
    why: &'static str,
}

/// A goal's line on the page.
pub(super) struct Line {
    pub(super) what: &'static str,
    pub(super) bar: String,
    pub(super) measured: String,
    pub(super) verdict: String,
}

const COPIES: &str = "where the rest goes was not looked into; the plain chain beside it shows what three processes cost by themselves";
const RECORD: &str = "where the rest goes was not looked into; each connection is signed and on the disk before its first byte, which no peer does";
const HOPS: &str = "where the rest goes was not looked into; a relay is one process more on the way than ssh -L has";
const UNKNOWN: &str = "where the rest goes was not looked into";

/// What nobody measures here, and why.
const ELSEWHERE: [(&str, &str); 5] = [
    (
        "everything against Ockam",
        "left out: it is no peer of this command yet",
    ),
    (
        "café: connect and first reply, bulk with BBR and without",
        "left out: the café's link needs namespaces and an emulator, these roads are loopback",
    ),
    (
        "a stalled neighbour",
        "left out: a circuit of its own for each portal is held by the tests of link",
    ),
    (
        "relay: 10,000 live circuits on one core, 1,000 new ones a second",
        "left out: needs more descriptors than one machine's roads leave",
    ),
    (
        "memory over an hour of churn",
        "left out: an hour is no bench; the chaos run looks for leaks",
    ),
];

const GOALS: [Goal; 18] = [
    goal(
        "one stream down against ssh -L",
        "bulk, one stream down",
        By::Ratio(ONE),
        Bar::AtLeast(2.2),
        COPIES,
    ),
    goal(
        "one stream up against ssh -L",
        "bulk, one stream up",
        By::Ratio(ONE),
        Bar::AtLeast(2.2),
        COPIES,
    ),
    goal(
        "one stream down against ssh -J",
        "bulk, one stream down",
        By::Ratio(TWO),
        Bar::AtLeast(4.0),
        COPIES,
    ),
    goal(
        "one stream up against ssh -J",
        "bulk, one stream up",
        By::Ratio(TWO),
        Bar::AtLeast(4.0),
        COPIES,
    ),
    goal(
        "one stream down against the plain chain",
        "bulk, one stream down",
        By::Ratio(CHAIN),
        Bar::AtLeast(1.0),
        COPIES,
    ),
    goal(
        "one stream up against the plain chain",
        "bulk, one stream up",
        By::Ratio(CHAIN),
        Bar::AtLeast(1.0),
        COPIES,
    ),
    goal(
        "8 streams down against ssh -L",
        "bulk, 8 streams down",
        By::Ratio(ONE),
        Bar::AtLeast(2.2),
        COPIES,
    ),
    goal(
        "8 streams up against ssh -L",
        "bulk, 8 streams up",
        By::Ratio(ONE),
        Bar::AtLeast(2.2),
        COPIES,
    ),
    goal(
        "processor time for 1 GB against ssh -L",
        "processor time for 1 GB, all processes",
        By::Ratio(ONE),
        Bar::AtMost(0.43),
        COPIES,
    ),
    goal(
        "the relay's processor time for 1 GB, s",
        "the relay's part of it",
        By::Value(OURS),
        Bar::AtMost(0.05),
        "the kernel moves the bytes (splice); what is left are system calls and wake-ups",
    ),
    goal(
        "added to 100 bytes there and back, against ssh -L",
        "added to that over direct",
        By::Ratio(ONE),
        Bar::AtMost(1.0),
        HOPS,
    ),
    goal(
        "added to 100 bytes there and back, against ssh -J",
        "added to that over direct",
        By::Ratio(TWO),
        Bar::AtMost(0.5),
        HOPS,
    ),
    goal(
        "connections that come and go, against ssh -L",
        "connect, one round trip, close, 8 at a time",
        By::Ratio(ONE),
        Bar::AtLeast(1.5),
        RECORD,
    ),
    goal(
        "pgbench -S -c 8 against ssh -L",
        "pgbench -S -c 8",
        By::Ratio(ONE),
        Bar::AtLeast(1.5),
        UNKNOWN,
    ),
    goal(
        "pgbench -S -c 8 against the plain chain",
        "pgbench -S -c 8",
        By::Ratio(CHAIN),
        Bar::AtLeast(1.0),
        UNKNOWN,
    ),
    goal(
        "COPY of narrow rows against direct",
        "COPY of 5,000,000 narrow rows",
        By::Ratio(DIRECT),
        Bar::AtMost(1.0),
        UNKNOWN,
    ),
    goal(
        "COPY of wide rows against direct",
        "COPY of 200,000 rows of 1 kB",
        By::Ratio(DIRECT),
        Bar::AtMost(0.75),
        UNKNOWN,
    ),
    goal(
        "memory of 1,000 idle portals, MiB",
        "memory of 1,000 idle connections, all processes",
        By::Value(OURS),
        Bar::AtMost(24.0),
        UNKNOWN,
    ),
];

const fn goal(
    what: &'static str,
    series: &'static str,
    by: By,
    bar: Bar,
    why: &'static str,
) -> Goal {
    Goal {
        what,
        series,
        by,
        bar,
        why,
    }
}

pub(super) fn lines(table: &Table) -> Vec<Line> {
    let measured = GOALS.iter().map(|goal| goal.line(table));
    let not_here = ELSEWHERE.iter().map(|(what, why)| Line {
        what,
        bar: "–".to_owned(),
        measured: "–".to_owned(),
        verdict: (*why).to_owned(),
    });
    measured.chain(not_here).collect()
}

impl Goal {
    fn line(&self, table: &Table) -> Line {
        let series = table.find(self.series);
        let spread = series.and_then(|series| match self.by {
            By::Ratio(to) => series.ratio(OURS, to),
            By::Value(road) => series.spread(road),
        });
        let (measured, verdict) = match spread {
            None => ("–".to_owned(), "not measured in this run".to_owned()),
            Some(spread) if self.bar.holds(spread.median) => {
                (format!("{:.2}", spread.median), "reached".to_owned())
            }
            Some(spread) => (
                format!("{:.2}", spread.median),
                format!("missed: {}", self.why),
            ),
        };
        Line {
            what: self.what,
            bar: self.bar.words(),
            measured,
            verdict,
        }
    }
}

impl Bar {
    fn holds(&self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= *bar,
            Self::AtMost(bar) => value <= *bar,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::AtLeast(bar) => format!("at least {bar}"),
            Self::AtMost(bar) => format!("at most {bar}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::series::Series;
    use super::*;

    fn verdict(ours: f64) -> String {
        let mut series = Series::more("bulk, one stream down", "Gbit/s", 1);
        series.push(ONE, 10.0);
        series.push(OURS, ours);
        let table = Table(vec![series]);
        let mut lines = lines(&table).into_iter();
        let line = lines.find(|line| line.what == "one stream down against ssh -L");
        line.unwrap().verdict
    }

    #[test]
    fn a_goal_is_reached_at_its_bar_and_missed_with_a_reason_below_it() {
        assert_eq!(verdict(22.0), "reached");
        assert_eq!(verdict(21.9), format!("missed: {COPIES}"));
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let all = lines(&Table::default());

        assert_eq!(all.len(), GOALS.len() + ELSEWHERE.len());
        let silent = |line: &Line| line.verdict == "not measured in this run";
        assert_eq!(all.iter().filter(|line| silent(line)).count(), GOALS.len());
    }
}
