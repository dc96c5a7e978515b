//! Reads the sums that test runners print: cargo's `test result:` lines, vitest's `Tests` line, node's `# pass` and `# fail`.
//! Terminal colours may stand inside the lines, so they are taken out before anything is compared.

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Count {
    pub(crate) fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    pub(crate) fn of(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().map(plain) {
            let line = line.trim();
            if line.starts_with("test result:") || line.starts_with("Tests ") {
                sum.add(Self {
                    passed: number_before(line, "passed"),
                    failed: number_before(line, "failed"),
                });
            }
            sum.passed += number_after(line, "# pass ");
            sum.failed += number_after(line, "# fail ");
        }
        sum
    }
}

/// `3 passed; 1 failed;` and `1 failed | 3 passed (4)` both say the number right before the word.
fn number_before(line: &str, word: &str) -> usize {
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .find(|pair| pair[1].trim_end_matches([';', ',']) == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

fn number_after(line: &str, word: &str) -> usize {
    let rest = line.strip_prefix(word);
    rest.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A line as a reader sees it, without the codes that colour it.
pub(crate) fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn sums_the_lines_of_all_runners() {
        let output = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\n\
                      test result: FAILED. 3 passed; 2 failed; 0 ignored\n\
                      \u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m7 passed\u{1b}[39m (8)\n\
                      # pass 10\n# fail 1\n";

        assert_eq!(
            Count::of(output),
            Count {
                passed: 32,
                failed: 4
            }
        );
    }

    #[test]
    fn a_line_that_only_talks_about_tests_counts_nothing() {
        assert_eq!(Count::of("I saw 5 passed and 3 failed\n"), Count::default());
    }
}
