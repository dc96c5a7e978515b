//! The page's chart: how many times as good as `ssh -L` each road is, one group of bars for each thing measured.
//! Longer is better in every group, also where less was measured: a time twice as short is drawn twice as long.

use std::fmt::Write as _;

use super::ROADS;
use super::series::{Series, Table};

/// What all bars are drawn against.
const YARDSTICK: usize = 2;
const COLOURS: [&str; ROADS.len()] = ["#9aa5b1", "#c3b091", "#7b8794", "#52606d", "#1f6feb"];
const LEFT: f64 = 330.0;
const ONE: f64 = 110.0;
const BAR: f64 = 12.0;
const GAP: f64 = 14.0;
/// What is better than this is drawn to the edge, with its number.
const MOST: f64 = 5.0;

pub(super) fn svg(table: &Table) -> String {
    let mut groups = String::new();
    let mut y = 40.0;
    for series in table
        .0
        .iter()
        .filter(|series| series.spread(YARDSTICK).is_some())
    {
        y = group(&mut groups, series, y) + GAP;
    }
    let (width, line) = (LEFT + MOST * ONE + 60.0, LEFT + ONE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{y}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"13\">times as good as ssh -L (longer is better)</text>\n\
         <line x1=\"{line}\" y1=\"30\" x2=\"{line}\" y2=\"{y}\" stroke=\"#cbd2d9\"/>\n{groups}</svg>\n"
    )
}

/// Gives where the next one may begin.
fn group(into: &mut String, series: &Series, top: f64) -> f64 {
    let _ = writeln!(
        into,
        "<text x=\"10\" y=\"{:.0}\" font-weight=\"bold\">{}</text>",
        top + BAR - 2.0,
        series.what
    );
    let mut y = top;
    for (road, (name, colour)) in ROADS.iter().zip(COLOURS).enumerate() {
        let Some(times) = times_as_good(series, road) else {
            continue;
        };
        let length = times.clamp(0.0, MOST) * ONE;
        let (text, end) = (y + BAR - 2.0, LEFT + length + 4.0);
        let _ = writeln!(
            into,
            "<text x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{text:.0}\">{times:.2}</text>",
            LEFT - 6.0,
            BAR - 2.0,
        );
        y += BAR;
    }
    y
}

fn times_as_good(series: &Series, road: usize) -> Option<f64> {
    let ratio = match series.more_is_better {
        true => series.ratio(road, YARDSTICK),
        false => series.ratio(YARDSTICK, road),
    };
    ratio
        .map(|ratio| ratio.median)
        .filter(|times| times.is_finite() && *times > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_time_is_twice_as_good() {
        let mut series = Series::less("added", "µs", 1);
        series.push(YARDSTICK, 20.0);
        series.push(4, 10.0);

        let drawn = svg(&Table(vec![series]));

        assert!(
            drawn.contains(">2.00</text>") && drawn.contains(">1.00</text>"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<rect").count(), 3, "the ground and two bars");
    }
}
