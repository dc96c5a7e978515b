//! Text that others wrote, made fit for one line: nothing invisible, nothing that turns the reading direction, not endless.
//! A newcomer would escape markup here: whoever draws text escapes it for where it is drawn (`&` in menus, `<` in notifications).

use tidegate_proto::text::Shown;

/// About as much as a menu can show before it covers the screen.
const LONGEST: usize = 60;

/// One line of a menu, in characters at most `LONGEST`.
pub fn label(text: &str) -> String {
    let shown = Shown::new(text);
    let text = shown.as_str();
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_deceive_is_shown_as_what_it_is() {
        assert_eq!(label("ana@acme.example"), "ana@acme.example");
        assert_eq!(label("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(label("a\nQuit"), "a\\u{a}Quit");
        assert_eq!(label("a\u{200b}"), "a\\u{200b}");
    }

    #[test]
    fn ten_thousand_characters_are_one_line() {
        for text in ["x".repeat(10_000), "é\u{202e}".repeat(5_000)] {
            assert_eq!(label(&text).chars().count(), LONGEST);
            assert!(label(&text).ends_with('…'));
        }
    }
}
