//! Problems have their words in one file (STYLE 12). Labels, buttons and what explains them stand where they are shown.

use crate::tree::{is_code, is_test, read, tracked, without_tests};

const WORDS: &str = "agent/proto/src/words.rs";
/// For tests alone: what somebody would like a person to read.
const HOSTILE: &str = "agent/proto/src/hostile.rs";
/// Shorter texts are labels, and may well be somewhere else too.
const A_SENTENCE: usize = 25;

/// Files a person's words could be in, without their tests.
fn others() -> Vec<(String, String)> {
    let files = tracked().into_iter().filter(|file| {
        let shown = ["agent/", "src-tauri/", "ui/src/"];
        let kept = shown.iter().any(|folder| file.starts_with(folder));
        kept && is_code(file)
            && !is_test(file)
            && !file.contains("/bindings/")
            && ![WORDS, HOSTILE].contains(&file.as_str())
    });
    let code = |text: String| {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    files
        .map(|file| (code(without_tests(&read(&file))), file))
        .map(|(text, file)| (file, text))
        .collect()
}

#[test]
fn no_other_file_says_what_a_problem_is() {
    let words = without_tests(&read(WORDS));
    let quoted = words
        .lines()
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    let sentences: Vec<&str> = quoted.filter(|text| text.len() >= A_SENTENCE).collect();
    assert!(
        sentences.len() > 100,
        "only {} sentences were found",
        sentences.len()
    );

    for (file, text) in others() {
        for sentence in &sentences {
            assert!(!text.contains(sentence), "{file} says too: {sentence}");
        }
        let codes = text
            .match_indices("TG-")
            .map(|(at, code)| &text[at + code.len()..]);
        let numbered = codes.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let first = numbered
            .map(|rest| rest.get(..4).unwrap_or_default())
            .next();
        assert_eq!(
            first, None,
            "{file} writes a code instead of asking {WORDS}"
        );
    }
}
