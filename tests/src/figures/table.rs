//! The figures as a Markdown table: medians with their spread, and the ratios that are worth quoting.
//! A median without its spread says nothing about a machine that does other things too.

use std::fmt::Write as _;

/// What was measured on the three roads, in one unit.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// Digits after the point.
    pub(super) digits: usize,
    pub(super) direct: Vec<f64>,
    pub(super) ssh: Vec<f64>,
    pub(super) tidegate: Vec<f64>,
}

/// Memory of the agent in MiB: alone, and with so many idle portals.
pub(super) struct Weight {
    pub(super) idle: f64,
    pub(super) portals: usize,
    pub(super) busy: f64,
}

pub(super) fn markdown(rows: &[Row], weight: Option<&Weight>) -> String {
    let mut table = String::from(
        "| median (least to most) | direct | `ssh -J` | Tidegate | ÷ `ssh -J` | ÷ direct |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(table, "{}", row.line());
    }
    let Some(weight) = weight else {
        return table;
    };
    let each = (weight.busy - weight.idle) * 1024.0 / weight.portals as f64;
    let _ = writeln!(
        table,
        "| memory of the agent, resident, MiB | | | {:.1} idle, {:.1} with {} idle portals ({each:.1} KiB each) | | |",
        weight.idle, weight.busy, weight.portals,
    );
    table
}

impl Row {
    fn line(&self) -> String {
        let (direct, ssh, tidegate) = (
            Spread::of(&self.direct),
            Spread::of(&self.ssh),
            Spread::of(&self.tidegate),
        );
        format!(
            "| {}, {} | {} | {} | {} | {:.2} | {:.2} |",
            self.what,
            self.unit,
            direct.cell(self.digits),
            ssh.cell(self.digits),
            tidegate.cell(self.digits),
            tidegate.median / ssh.median,
            tidegate.median / direct.median,
        )
    }
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of many values, without the two outermost percents: one hiccup in thousands is no spread.
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let cut = sorted.len() / 50;
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        Self {
            median: at(sorted.len() / 2),
            least: at(cut),
            most: at((sorted.len() - cut).saturating_sub(1)),
        }
    }

    fn cell(&self, digits: usize) -> String {
        format!(
            "{:.digits$} ({:.digits$} to {:.digits$})",
            self.median, self.least, self.most
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_medians_spreads_and_ratios() {
        let row = Row {
            what: "one stream",
            unit: "Gbit/s",
            digits: 1,
            direct: vec![10.0, 30.0, 20.0],
            ssh: vec![2.0, 1.0, 3.0],
            tidegate: vec![8.0, 8.0, 9.0],
        };

        assert_eq!(
            row.line(),
            "| one stream, Gbit/s | 20.0 (10.0 to 30.0) | 2.0 (1.0 to 3.0) | 8.0 (8.0 to 9.0) | 4.00 | 0.40 |"
        );
    }
}
