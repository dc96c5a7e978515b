//! Goes over every text of a bundle: what looks like a secret is taken out at each level, names by level.
//! It would rather take out too much: a fingerprint lost costs a question, a token kept costs a laptop.

use serde_json::Value;

use super::report::Status;

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
/// Words that begin a statement: such a line of a log is left out.
const SQL: [&str; 10] = [
    "select ", "insert ", "update ", "delete ", "create ", "alter ", "drop ", "copy ", "grant ",
    "with ",
];

/// Knows which names stand for what.
pub(super) struct Redactor {
    level: Level,
    /// Longest first, so that no name is left with half of another in it.
    names: Vec<(String, String)>,
}

impl Redactor {
    pub(super) fn new(level: Level, status: Option<&Status>) -> Self {
        let mut names = Vec::new();
        let mut add = |kind: &str, n: usize, name: &str| {
            if name.len() > 1 {
                names.push((name.to_owned(), format!("{kind}-{}", n + 1)));
            }
        };
        if let (true, Some(status)) = (level < Level::Full, status) {
            for (n, org) in status.orgs.iter().enumerate() {
                add("org", n, &org.name);
                add("hub", n, &org.hub);
                add(
                    "hub",
                    n,
                    org.hub.rsplit_once(':').map_or(&org.hub, |(host, _)| host),
                );
                add("device", n, &org.device);
                add("person", n, org.person.as_deref().unwrap_or_default());
            }
            for (n, service) in status.services.iter().enumerate() {
                add("service", n, &service.name);
                add("title", n, &service.title);
                add("url", n, &service.url);
            }
        }
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().display().to_string());
        names.extend(
            home.filter(|home| home.len() > 1)
                .map(|home| (home, "~".into())),
        );
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { level, names }
    }

    /// The same value with every text in it gone over; keys of objects are ours and stay.
    pub(super) fn clean(&self, value: Value) -> Value {
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

    fn text(&self, text: &str) -> String {
        let lower = text.to_lowercase();
        if SQL.iter().any(|word| begins_a_statement(&lower, word)) {
            return "[a line with a statement]".into();
        }
        let mut text = text.to_owned();
        for (name, instead) in &self.names {
            text = text.replace(name.as_str(), instead);
        }
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
        kept
    }

    fn word(&self, word: &str) -> String {
        if let Some((before, _)) = word.split_once("tidegate://") {
            return format!("{before}[a link]");
        }
        if let Some((scheme, rest)) = word.split_once("://") {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            // Who is before the @ may have brought a password; what is after the ? may be one.
            let host = authority.rsplit('@').next().unwrap_or_default();
            let path = path.split('?').next().unwrap_or_default();
            return format!(
                "{}://{}{}",
                self.runs(scheme),
                self.runs(host),
                self.runs(path)
            );
        }
        if self.level < Level::Full && word.contains('@') && word.contains('.') {
            return "[an address]".into();
        }
        self.runs(word)
    }

    /// Letter by letter: `key=value` with such a key, and runs that are too long for a word.
    fn runs(&self, word: &str) -> String {
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
}

fn begins_a_statement(text: &str, word: &str) -> bool {
    let starts = |at: usize| at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
    let rest = |at: usize| &text[at + word.len()..];
    let follows = [
        "from", "into", "table", " set ", "role", "values", "user", "*", "1",
    ];
    text.match_indices(word)
        .any(|(at, _)| starts(at) && follows.iter().any(|next| rest(at).contains(next)))
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
