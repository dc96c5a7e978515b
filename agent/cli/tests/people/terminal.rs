//! The same verbs at a real terminal: tables as wide as it is, and colours unless somebody wants none.
//! A newcomer would give them a pipe: there they print neither, and a test of that sees nothing of this.

use super::*;

/// What a terminal of so many columns shows.
fn shows(home: &Home, columns: u16, with: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_tidegate");
    let line = format!("stty cols {columns}; exec {program} ls");
    let mut terminal = Command::new("script");
    terminal.env_clear();
    for (name, value) in home.command(&[]).get_envs() {
        terminal.env(name, value.unwrap_or_default());
    }
    let shown = terminal
        .env("TERM", "xterm")
        .envs(with.iter().copied())
        .env("SHELL", "/bin/sh")
        .args(["-qec", &line, "/dev/null"])
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", text(&shown.stdout));
    text(&shown.stdout).replace('\r', "")
}

/// Without what paints it.
fn bare(shown: &str) -> String {
    let mut parts = shown.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
    first + &rest.collect::<String>()
}

#[test]
fn a_table_fits_its_terminal_and_is_painted_only_where_colours_are_wanted() {
    let home = Home::new();
    let mut open = with_warehouse(connected());
    open.orgs[0].services[0].title = "Every flight that was ever flown, by day and by month".into();
    home.agent(open.clone(), None, open);

    let wide = shows(&home, 200, &[]);
    let narrow = shows(&home, 60, &[]);
    let plain = shows(&home, 200, &[("NO_COLOR", "1")]);
    let dumb = shows(&home, 200, &[("TERM", "dumb")]);

    assert!(wide.contains("\u{1b}[32m"), "{wide:?}");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert_eq!(bare(&wide), plain);
    assert!(wide.contains("by month") && !narrow.contains("by month"));
    for line in bare(&narrow).lines() {
        assert!(line.chars().count() <= 60, "{line}");
    }
    assert_eq!(dumb, plain);
}
