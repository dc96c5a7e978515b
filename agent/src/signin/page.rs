//! The page in the browser's tab after sign-in: what happened, and that the tab can be closed.
//! No script, nothing loaded from anywhere, every foreign word escaped: this page is served to a browser that may be hostile to it.

use std::fmt::Write;

/// What the tab tells. Plain text; escaping happens here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) good: bool,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

impl Page {
    pub(crate) fn signed_in() -> Self {
        Self {
            good: true,
            title: "You are signed in".into(),
            lines: vec!["Tidegate goes on by itself. You can close this tab.".into()],
        }
    }

    pub(crate) fn still_working() -> Self {
        Self {
            good: true,
            title: "Almost there".into(),
            lines: vec!["Tidegate is finishing your sign-in. You can close this tab and look at its window.".into()],
        }
    }

    pub(crate) fn failed(title: &str, cause: &str, next: &str) -> Self {
        let lines = [cause, next, "You can close this tab."];
        Self {
            good: false,
            title: title.into(),
            lines: lines.map(String::from).into(),
        }
    }

    /// The address was opened again after it had done its work.
    pub(crate) fn used_before() -> Self {
        Self {
            good: false,
            title: "This page was used before".into(),
            lines: vec!["A sign-in page works once, and this one has done its work. Look at Tidegate to see how it ended. You can close this tab.".into()],
        }
    }

    /// An answer that belongs to no sign-in of this Tidegate.
    pub(crate) fn of_another() -> Self {
        Self {
            good: false,
            title: "Not the sign-in that is under way".into(),
            lines: vec!["This tab belongs to another sign-in, perhaps an older one. Go on in the newest tab, or sign in again from Tidegate. You can close this tab.".into()],
        }
    }

    pub(crate) fn not_here() -> Self {
        Self {
            good: false,
            title: "Nothing to see here".into(),
            lines: vec!["This address only takes the answer of a sign-in that is under way. Start again from Tidegate.".into()],
        }
    }

    /// A whole HTML document.
    pub(crate) fn html(&self) -> String {
        let (mark, tint) = if self.good {
            ("&#10003;", "good")
        } else {
            ("!", "bad")
        };
        let mut body = String::new();
        for line in &self.lines {
            // Writing to a String cannot fail.
            let _ = write!(body, "<p>{}</p>", escape(line));
        }
        let title = escape(&self.title);
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title} - Tidegate</title><style>{STYLE}</style></head><body><main><div class=\"mark {tint}\">{mark}</div><h1>{title}</h1>{body}</main></body></html>"
        )
    }
}

const STYLE: &str = ":root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-items:center;font:16px/1.5 system-ui,sans-serif;background:#f3f6f8;color:#14212b}main{max-width:26rem;padding:2.5rem;border-radius:16px;background:#fff;box-shadow:0 8px 30px rgba(20,33,43,.12);text-align:center}.mark{width:56px;height:56px;margin:0 auto 1rem;border-radius:50%;font-size:30px;line-height:56px;color:#fff}.good{background:#0b7a75}.bad{background:#b3402a}h1{font-size:1.35rem;margin:0 0 .75rem}p{margin:.5rem 0}@media(prefers-color-scheme:dark){body{background:#0e161c;color:#e6edf1}main{background:#17232c;box-shadow:none}}";

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_cannot_become_markup() {
        let html = Page::failed("<script>alert(1)</script>", "\" onload='x'", "a&b\n").html();

        assert!(!html.contains("<script"));
        assert!(html.contains("&lt;script&gt;"));
        assert!(html.contains("&quot; onload=&#39;x&#39;"));
    }

    #[test]
    fn says_that_the_tab_can_be_closed_and_loads_nothing() {
        for page in [
            Page::signed_in(),
            Page::still_working(),
            Page::used_before(),
            Page::of_another(),
            Page::failed("a", "b", "c"),
        ] {
            let html = page.html();

            assert!(html.contains("close this tab"));
            for forbidden in ["<script", "http://", "https://", "<img", "<link", "url("] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
        }
    }
}
