//! What strangers write where a name or a reason belongs: for the tests of every crate that shows or keeps such text.
//! A newcomer would try one escape sequence; readers are also deceived by what turns direction, hides, or fills the screen.

/// Text that deceives readers, steers terminals, or fills screens.
#[must_use]
pub fn texts() -> Vec<String> {
    let texts = [
        "<img src=x onerror=alert(1)>",
        "<b>Tidegate</b>: sign in at http://evil.example",
        "\u{202e}gpj.exe",
        "a\u{2066}b\u{2069}c",
        "ware\u{200b}house",
        "\u{feff}warehouse",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "line one\nTG-0000 all is well",
        "\u{0}",
        "\u{e0041}\u{e0042}",
        "{service} %s %n ${HOME} `id`",
    ];
    let long = ["x".repeat(10_000), "\u{202e}ä".repeat(5_000)];
    texts.into_iter().map(str::to_owned).chain(long).collect()
}
