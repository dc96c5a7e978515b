//! What looks like a host, an address or somebody's folder, also where nobody told its name.
//! A newcomer would replace the names that are known: an error brings others, of a proxy, a provider or a relay that was never listed.

use std::net::IpAddr;

use super::names::{Names, is_stand_in};

/// The last part of these is no domain: files, and names on the session bus.
const FILES: [&str; 24] = [
    "json", "toml", "log", "sock", "conf", "rs", "so", "pem", "crt", "key", "txt", "md", "gz",
    "deb", "rpm", "exe", "dll", "desktop", "html", "js", "py", "lock", "cedar", "service",
];
const BUS: [&str; 5] = [
    "org.freedesktop.",
    "org.kde.",
    "org.gnome.",
    "org.ayatana.",
    "org.tidegate.",
];
/// What is the same on every computer.
const SYSTEM: [&str; 12] = [
    "/usr/bin/",
    "/usr/lib/",
    "/usr/share/",
    "/bin/",
    "/lib/",
    "/proc/",
    "/dev/",
    "/etc/tidegate/",
    "/etc/ssl/",
    "~/.local/share/tidegate",
    "~/.config/tidegate",
    "~/.pg_service.conf",
];

/// Hosts and addresses in a word, by their looks; loopback stays, it is the same for everybody.
pub(super) fn hide(word: &str, names: &mut Names) -> String {
    if let Some(hidden) = bracketed(word, names) {
        return hidden;
    }
    let mut kept = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(is_of_host) {
        let (before, from) = rest.split_at(at);
        let length = from.find(|letter| !is_of_host(letter));
        let (run, after) = from.split_at(length.unwrap_or(from.len()));
        let bare = run.trim_end_matches(['.', '-', '_']);
        kept.push_str(before);
        let has_port = before_a_port(after) && bare.len() == run.len();
        match is_host(bare, has_port).then(|| names.stand_in("host", bare)) {
            Some(Some(letter)) => {
                kept.push(letter);
                kept.push_str(&run[bare.len()..]);
            }
            _ => kept.push_str(run),
        }
        rest = after;
    }
    kept + rest
}

/// An IPv6 address, in brackets or alone.
fn bracketed(word: &str, names: &mut Names) -> Option<String> {
    let inner = word.trim_matches(|letter: char| !letter.is_ascii_hexdigit() && letter != ':');
    let bare = inner.trim_end_matches(|letter: char| letter == ':' && !inner.ends_with("::"));
    let from = word.find(bare).filter(|_| bare.matches(':').count() > 1)?;
    // Behind the bracket may be a port.
    let candidates = [
        Some(bare),
        bare.split_once("]:").map(|(address, _)| address),
    ];
    let address = candidates
        .into_iter()
        .flatten()
        .find(|text| text.parse::<IpAddr>().is_ok())?;
    if is_everybodys(address) {
        return Some(word.to_owned());
    }
    let letter = names.stand_in("host", address)?;
    let (before, after) = (&word[..from], &word[from + address.len()..]);
    Some(format!("{before}{letter}{after}"))
}

fn is_of_host(letter: char) -> bool {
    letter.is_alphanumeric() || "-_.".contains(letter) || is_stand_in(letter)
}

fn before_a_port(after: &str) -> bool {
    let Some(port) = after.strip_prefix(':') else {
        return false;
    };
    let digits = port.find(|letter: char| !letter.is_ascii_digit());
    let digits = &port[..digits.unwrap_or(port.len())];
    digits.parse::<u16>().is_ok_and(|port| port > 9)
}

fn is_host(name: &str, has_port: bool) -> bool {
    if name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") {
        return !is_everybodys(name) && !name.eq_ignore_ascii_case("localhost");
    }
    let begins = |letter: fn(char) -> bool| name.chars().next().is_some_and(letter);
    if has_port && begins(char::is_alphabetic) {
        return true;
    }
    let Some((first, last)) = name.rsplit_once('.') else {
        return false;
    };
    let is_domain = last.chars().count() > 1 && last.chars().all(char::is_alphabetic);
    let is_domain = is_domain || last.starts_with("xn--");
    let is_file = FILES.iter().any(|end| last.eq_ignore_ascii_case(end));
    let is_on_the_bus = BUS.iter().any(|start| name.starts_with(start));
    // `ports.warehouse`, as settings are called.
    let is_setting = ["ports", "sockets"].contains(&first);
    is_domain && begins(char::is_alphanumeric) && !is_file && !is_on_the_bus && !is_setting
}

fn is_everybodys(address: &str) -> bool {
    let parsed = address.parse::<IpAddr>();
    parsed.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// A path that tells of a person, a project or a company: anything that is not the system's or ours.
pub(super) fn is_personal_path(path: &str) -> bool {
    let is_path = path.starts_with('/') || path.starts_with("~/") || is_of_windows(path);
    let long = path.trim_start_matches('/').chars().count() > 1;
    let in_run = path
        .strip_prefix("/run/user/")
        .and_then(|rest| rest.split_once('/'));
    let is_ours = in_run.is_some_and(|(_, rest)| rest.starts_with("tidegate"));
    is_path && long && !is_ours && !SYSTEM.iter().any(|known| path.starts_with(known))
}

fn is_of_windows(path: &str) -> bool {
    let mut letters = path.chars();
    let drive = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic());
    drive && letters.next() == Some(':') && letters.next() == Some('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str) -> String {
        let mut names = Names::default();
        let hidden = hide(word, &mut names);
        names.show(&hidden)
    }

    #[test]
    fn hosts_are_known_by_their_looks() {
        for (word, expected) in [
            ("login.acme.example", "host-1"),
            ("(proxy:3128),", "(host-1:3128),"),
            ("xn--bcher-kva.example:443.", "host-1:443."),
            ("bücher.example", "host-1"),
            ("10.1.2.3:443", "host-1:443"),
            ("[2001:db8::7]:443", "[host-1]:443"),
            ("2001:db8::7", "host-1"),
            ("hub.acme.example.", "host-1."),
        ] {
            assert_eq!(shown(word), expected, "{word}");
        }
    }

    #[test]
    fn what_is_no_host_stays() {
        for word in [
            "localhost:15432",
            "127.0.0.1:15432",
            "[::1]:15432",
            "state.json",
            "6.1.0-18-amd64",
            "2026-11-22T16:37:01.123456Z",
            "tidegate_agent::hub::keeper:",
            "org.freedesktop.secrets",
            "ports.warehouse",
            "e.g.",
            "15432",
        ] {
            assert_eq!(shown(word), word);
        }
    }

    #[test]
    fn paths_of_people_are_told_from_those_of_every_computer() {
        for path in [
            "/home/ana/x",
            "/opt/acme/browser",
            "~/clients/initech",
            "C:\\Users\\ana",
        ] {
            assert!(is_personal_path(path), "{path}");
        }
        for path in [
            "/usr/bin/tidegate",
            "~/.local/share/tidegate/orgs",
            "/run/user/1000/tidegate/agent.sock",
            "/",
            "and/or",
        ] {
            assert!(!is_personal_path(path), "{path}");
        }
    }
}
