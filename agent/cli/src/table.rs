//! Rows in columns for a person at a terminal; a pipe gets the same rows uncut and without colour.
//! What stands in a cell may come from a catalogue: whatever could move the cursor is taken out here, once.

use std::io::IsTerminal as _;

use unicode_width::UnicodeWidthStr as _;

/// The least a column is cut down to.
const LEAST: usize = 8;

/// What the terminal can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns; `None` where nothing is cut.
    pub(crate) width: Option<usize>,
    pub(crate) colour: bool,
}

/// How a cell looks where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
}

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell(String, Tone);

impl Screen {
    /// Standard output as it is.
    pub(crate) fn out() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: is_terminal.then(columns).flatten(),
            colour: is_terminal && !dumb && !is_set("NO_COLOR"),
        }
    }

    /// The rows under their heads; an empty text where there are none.
    pub(crate) fn table(self, heads: &[&str], rows: &[Vec<Cell>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let mut widths: Vec<_> = heads.iter().map(|head| head.width()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.0.width());
            }
        }
        self.fit(&mut widths);
        let head: Vec<_> = heads.iter().map(|head| cell(head, Tone::Faint)).collect();
        let rows = std::iter::once(&head).chain(rows);
        let lines = rows.map(|row| self.line(row, &widths));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    pub(crate) fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
        };
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Takes from the widest column until the line fits.
    fn fit(self, widths: &mut [usize]) {
        let Some(screen) = self.width else { return };
        while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > screen {
            match widths.iter_mut().max() {
                Some(widest) if *widest > LEAST => *widest -= 1,
                _ => return,
            }
        }
    }

    fn line(self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        for (n, (Cell(text, tone), width)) in row.iter().zip(widths).enumerate() {
            let text = cut(text, *width);
            let gap = width.saturating_sub(text.width()) + 2;
            line += &self.paint(&text, *tone);
            if n + 1 < row.len() {
                line += &" ".repeat(gap);
            }
        }
        line.trim_end().to_owned()
    }
}

/// A cell; what could move the cursor or hide text is shown as `·`.
pub(crate) fn cell(text: &str, tone: Tone) -> Cell {
    let safe = |c: char| {
        if tidegate_proto::text::deceives(c) {
            '·'
        } else {
            c
        }
    };
    let text: String = text.chars().map(safe).collect();
    Cell(if text.is_empty() { "-".into() } else { text }, tone)
}

pub(crate) fn plain(text: &str) -> Cell {
    cell(text, Tone::Plain)
}

/// At most `width` columns, with `…` where something was taken away.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if kept.width() + letter.to_string().width() + 1 > width {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

#[cfg(unix)]
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Screen = Screen {
        width: None,
        colour: false,
    };

    #[test]
    fn columns_are_aligned_whatever_alphabet_is_in_them() {
        let rows = [
            vec![plain("warehouse"), plain("数据"), plain("1")],
            vec![plain("a"), plain("x"), plain("")],
        ];

        let text = PIPE.table(&["SERVICE", "TITLE", "N"], &rows);

        assert_eq!(
            text,
            "SERVICE    TITLE  N\nwarehouse  数据   1\na          x      -\n"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column_and_a_pipe_nothing() {
        let rows = [vec![plain("warehouse"), plain(&"long ".repeat(40))]];
        let screen = Screen {
            width: Some(40),
            ..PIPE
        };

        let narrow = screen.table(&["SERVICE", "TITLE"], &rows);
        let piped = PIPE.table(&["SERVICE", "TITLE"], &rows);

        assert!(narrow.lines().all(|line| line.width() <= 40), "{narrow}");
        assert!(narrow.contains("warehouse") && narrow.contains('…'));
        assert!(piped.contains("long long long long long long long long long long"));
    }

    #[test]
    fn nothing_in_a_cell_moves_the_cursor() {
        let rows = [vec![plain("a\x1b[2Jb\n\u{202e}c"), plain("x")]];

        let text = PIPE.table(&["A", "B"], &rows);

        assert_eq!(text, "A          B\na·[2Jb··c  x\n");
    }

    #[test]
    fn colour_is_only_added_where_there_is_any() {
        let screen = Screen {
            width: None,
            colour: true,
        };

        assert_eq!(screen.paint("up", Tone::Good), "\x1b[32mup\x1b[0m");
        assert_eq!(PIPE.paint("up", Tone::Good), "up");
    }
}
