//! Goes over every text of a bundle: what looks like a secret is taken out at each level, names by level.
//! It would rather take out too much: a fingerprint lost costs a question, a token kept costs a laptop.

mod hosts;
mod log;
mod names;
pub(super) mod said;

use serde_json::Value;
use tidegate_agent::NameOf;
use tidegate_proto::text::deceives;

use names::Names;

/// How much a bundle says.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Versions and verdicts.
    Summary,
    /// With findings; people, hosts, organisations and services are numbers.
    Normal,
    /// With their names.
    Full,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Normal => "normal",
            Self::Full => "full",
        }
    }
}

/// What stands in place of a secret.
const TAKEN: &str = "[secret]";
/// A run of letters and digits this long is no word.
const LONG: usize = 32;
/// What is said before a value that is nobody's business.
const KEYS: [&str; 14] = [
    "password",
    "passwd",
    "pgpassword",
    "passphrase",
    "secret",
    "token",
    "ticket",
    "code",
    "state",
    "nonce",
    "verifier",
    "authorization",
    "bearer",
    "cookie",
];
/// Browsers that everybody may have.
const PROGRAMS: [&str; 9] = [
    "xdg-open",
    "gio",
    "x-www-browser",
    "www-browser",
    "firefox",
    "chromium",
    "google-chrome",
    "wslview",
    "kde-open",
];

/// Knows which names stand for what.
pub(super) struct Redactor {
    level: Level,
    names: Names,
    home: Option<String>,
}

impl Redactor {
    /// Below the full level the names are replaced by numbers; whatever looks like a host or a folder of somebody is, too.
    pub(super) fn new(level: Level, known: &[(NameOf, String)]) -> Self {
        let mut names = Names::default();
        if level < Level::Full {
            for (of, name) in known {
                names.add(*of, name);
            }
        }
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().display().to_string());
        Self {
            level,
            names,
            home: home.filter(|home| home.len() > 1),
        }
    }

    /// The same value with every text in it gone over; keys of objects are ours and stay.
    pub(super) fn clean(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.clean(item)).collect())
            }
            Value::Object(map) => {
                let cleaned = map.into_iter().map(|(key, value)| (key, self.clean(value)));
                Value::Object(cleaned.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// A log, line by line; `is_cut` where its beginning is missing.
    pub(super) fn log(&mut self, log: &str, is_cut: bool) -> Value {
        if self.level < Level::Full {
            for (of, name) in log::names(log) {
                self.names.add(of, &name);
            }
        }
        let lines = log::without_statements(log, is_cut).into_iter();
        let lines = lines.map(|line| match self.level {
            Level::Full => line,
            _ => said::without(&line),
        });
        let lines: Vec<_> = lines.collect();
        lines.iter().map(|line| self.text(line)).collect()
    }

    fn text(&mut self, text: &str) -> String {
        let mut text: String = text
            .chars()
            .filter(|letter| "\n\t".contains(*letter) || !deceives(*letter))
            .collect();
        if let Some(home) = &self.home {
            text = text.replace(home.as_str(), "~");
        }
        let text = self.names.hide(&text, true);
        let mut kept = String::new();
        let mut after_key = false;
        for word in text.split_inclusive(char::is_whitespace) {
            let trimmed = word.trim_end();
            let space = &word[trimmed.len()..];
            kept += &if after_key {
                TAKEN.to_owned()
            } else {
                self.word(trimmed)
            };
            kept += space;
            after_key = ends_with_key(trimmed);
        }
        self.names.show(&kept)
    }

    fn word(&mut self, word: &str) -> String {
        if let Some((before, _)) = word.split_once("tidegate://") {
            return format!("{}[a link]", self.plain(before));
        }
        if let Some((scheme, rest)) = word.split_once("://") {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            // Who is before the @ may have brought a password; what is after the ? may be one.
            let host = authority.rsplit('@').next().unwrap_or_default();
            let path = path.split('?').next().unwrap_or_default();
            let (scheme, host) = (self.plain(scheme), self.plain(host));
            return match self.level {
                Level::Full => format!("{scheme}://{host}{}", runs(path)),
                // A tenant is known by its path.
                _ if path.len() > 1 => format!("{scheme}://{host}/…"),
                _ => format!("{scheme}://{host}{path}"),
            };
        }
        if self.level < Level::Full && word.contains('@') {
            return "[an address]".into();
        }
        self.plain(word)
    }

    /// A word that is neither link nor address.
    fn plain(&mut self, word: &str) -> String {
        if self.level == Level::Full {
            return runs(word);
        }
        let begins = |at: &usize| *at == 0 || "=:\"'`([<".contains(&word[at - 1..*at]);
        let signs = ["~/", "/"].iter().filter_map(|sign| word.find(sign));
        let windows = word.find(":\\").map(|at| at.saturating_sub(1));
        let path = signs.chain(windows).filter(begins).min();
        if let Some(at) = path.filter(|at| hosts::is_personal_path(&word[*at..])) {
            return format!("{}[a path]", self.plain(&word[..at]));
        }
        let hidden = hosts::hide(word, &mut self.names);
        runs(&self.names.hide(&hidden, false))
    }
}

/// Names that only this computer's environment knows: who is logged in, what it is called, its browser.
pub(super) fn of_surroundings() -> Vec<(NameOf, String)> {
    let set = |name: &str| std::env::var(name).ok();
    let person = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(set);
    // Every computer has this one.
    let person = person
        .filter(|name| name != "root")
        .map(|name| (NameOf::Person, name));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host
        .or_else(|| set("COMPUTERNAME"))
        .map(|name| name.trim().to_owned());
    let host = host
        .filter(|name| name != "localhost")
        .map(|name| (NameOf::Device, name));
    let browser = set("BROWSER").unwrap_or_default();
    let browser = browser.split([':', ' ']).filter(|word| {
        let name = word.rsplit('/').next().unwrap_or_default();
        !word.is_empty() && !PROGRAMS.contains(&name) && !word.starts_with(['-', '%'])
    });
    let browser = browser.map(|word| (NameOf::Program, word.to_owned()));
    person.chain(host).chain(browser).collect()
}

/// Letter by letter: `key=value` with such a key, and runs that are too long for a word.
fn runs(word: &str) -> String {
    if let Some((key, _)) = word.split_once(['=', ':']).filter(|(key, _)| is_key(key)) {
        return format!("{key}={TAKEN}");
    }
    let mut kept = String::new();
    let mut run = String::new();
    for letter in word.chars().chain([' ']) {
        if letter.is_ascii_alphanumeric() || "-_+.".contains(letter) {
            run.push(letter);
            continue;
        }
        kept += if is_secret(&run) { TAKEN } else { &run };
        run.clear();
        kept.push(letter);
    }
    kept.pop();
    kept
}

fn is_key(key: &str) -> bool {
    let key = key.to_lowercase();
    KEYS.iter().any(|known| key.ends_with(known))
}

/// `Authorization: Bearer`, `password:`: what follows is the value.
fn ends_with_key(word: &str) -> bool {
    let bare = word.trim_end_matches([':', '=']);
    let is_colon = bare.len() < word.len();
    is_key(bare) && (is_colon || bare.eq_ignore_ascii_case("bearer"))
}

/// Long runs with digits and letters in them, and what begins as tokens do.
fn is_secret(run: &str) -> bool {
    let has = |what: fn(&char) -> bool| run.chars().any(|letter| what(&letter));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    run.starts_with("eyJ") || (run.len() >= LONG && mixed)
}

#[cfg(test)]
mod tests;
