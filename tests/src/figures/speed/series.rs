//! What was measured on all roads, round by round.
//! A ratio is made inside a round and the median taken then: the machine changes its pace from minute to minute.

use super::ROADS;

/// One thing that was measured.
pub(super) struct Series {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// Digits after the point.
    pub(super) digits: usize,
    /// Whether a greater value is the better one.
    pub(super) more_is_better: bool,
    /// By road; by round. Nothing where it does not apply.
    values: [Vec<f64>; ROADS.len()],
}

/// Everything that was measured, in the order of the page.
#[derive(Default)]
pub(super) struct Table(pub(super) Vec<Series>);

/// Of several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Series {
    /// More of it is better.
    pub(super) fn more(what: &'static str, unit: &'static str, digits: usize) -> Self {
        Self::new((what, unit, digits), true)
    }

    /// Less of it is better.
    pub(super) fn less(what: &'static str, unit: &'static str, digits: usize) -> Self {
        Self::new((what, unit, digits), false)
    }

    fn new(
        (what, unit, digits): (&'static str, &'static str, usize),
        more_is_better: bool,
    ) -> Self {
        Self {
            what,
            unit,
            digits,
            more_is_better,
            values: Default::default(),
        }
    }

    pub(super) fn push(&mut self, road: usize, value: f64) {
        if let Some(values) = self.values.get_mut(road) {
            values.push(value);
        }
    }

    /// None where nothing was measured.
    pub(super) fn spread(&self, road: usize) -> Option<Spread> {
        Spread::of(self.values.get(road)?.clone())
    }

    /// Of the ratios that each round had by itself.
    pub(super) fn ratio(&self, road: usize, to: usize) -> Option<Spread> {
        let (ours, theirs) = (self.values.get(road)?, self.values.get(to)?);
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        Spread::of(ratios.collect())
    }
}

impl Table {
    pub(super) fn extend(&mut self, series: impl IntoIterator<Item = Series>) {
        self.0.extend(series);
    }

    pub(super) fn find(&self, what: &str) -> Option<&Series> {
        self.0.iter().find(|series| series.what == what)
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_compares_only_what_was_measured_in_the_same_round() {
        let mut series = Series::more("visits", "per second", 0);
        // The machine is twice as fast in every other round; the ratio is not.
        for pace in [1.0, 2.0, 1.0] {
            series.push(2, 10.0 * pace);
            series.push(4, 15.0 * pace);
        }

        let ratio = series.ratio(4, 2);

        let steady = Spread {
            median: 1.5,
            least: 1.5,
            most: 1.5,
        };
        assert_eq!(ratio, Some(steady));
        assert_eq!(series.spread(0), None);
        assert_eq!(series.ratio(4, 0), None);
    }
}
