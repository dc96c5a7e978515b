//! Takes keys out of a TOML table one by one, notes what is wrong and goes on.
//! Whoever takes a table must call `finish`: what nobody took is an unknown key, hence a mistake.

use super::mistake::{ConfigMistake, Fix, Notes};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Value;

/// One table and where it stands in the file.
pub struct Reader<'n> {
    table: toml::Table,
    path: String,
    base: &'n Path,
    notes: &'n Notes,
    asked: Vec<String>,
}

impl<'n> Reader<'n> {
    pub(super) fn new(table: toml::Table, path: String, base: &'n Path, notes: &'n Notes) -> Self {
        Self {
            table,
            path,
            base,
            notes,
            asked: Vec::new(),
        }
    }

    pub fn note(&self, key: &str, reason: &str, fix: &str) {
        let key = match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        };
        self.notes.add(ConfigMistake {
            key,
            reason: reason.to_owned(),
            fix: Fix::Write(fix.to_owned()),
        });
    }

    /// A text that must be there and parse; notes and returns `None` otherwise.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        fix: &str,
    ) -> Option<T> {
        self.required(key, fix)?;
        self.optional_parsed(key, fix)
    }

    /// A text that must parse if it is there.
    pub fn optional_parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        fix: &str,
    ) -> Option<T> {
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                self.note(key, &format!("it is not usable: {why}"), fix);
                None
            }
        }
    }

    pub fn path(&mut self, key: &str, fix: &str) -> Option<PathBuf> {
        self.required(key, fix)?;
        self.optional_path(key)
    }

    pub fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.note(key, "it is empty", "a path, absolute or beside this file");
            return None;
        }
        Some(self.base.join(text))
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.note(key, "it is not a text", "the value in double quotes");
                None
            }
        }
    }

    /// False when it is not there.
    pub fn flag(&mut self, key: &str) -> bool {
        match self.take(key) {
            Some(Value::Boolean(flag)) => flag,
            Some(_) => {
                self.note(
                    key,
                    "it is not a yes or no",
                    "true or false, without quotes",
                );
                false
            }
            None => false,
        }
    }

    /// A number that must be there and in its range; notes and returns `None` otherwise.
    pub fn required_number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let fix = format!("a whole number from {} to {}", range.start(), range.end());
        self.required(key, &fix)?;
        self.number(key, range)
    }

    pub fn number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(key)?;
        let number = value
            .as_integer()
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| range.contains(n));
        if number.is_none() {
            let fix = format!("a whole number from {} to {}", range.start(), range.end());
            self.note(key, "it is not a number in its range", &fix);
        }
        number
    }

    /// A list of texts that must parse, if it is there.
    pub fn parsed_list<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        fix: &str,
    ) -> Option<Vec<T>> {
        let Value::Array(items) = self.take(key)? else {
            self.note(key, "it is not a list", fix);
            return None;
        };
        let mut list = Vec::new();
        for item in items {
            // Numbers may be written without quotes.
            let text = item
                .as_str()
                .map_or_else(|| item.to_string(), str::to_owned);
            match text.parse() {
                Ok(value) => list.push(value),
                Err(why) => {
                    self.note(key, &format!("one of them is not usable: {why}"), fix);
                    return None;
                }
            }
        }
        Some(list)
    }

    pub fn optional_table(&mut self, key: &str) -> Option<Reader<'n>> {
        match self.take(key)? {
            Value::Table(table) => Some(Reader::new(table, self.under(key), self.base, self.notes)),
            _ => {
                self.note(key, "it is not a table", &format!("a table, [{key}]"));
                None
            }
        }
    }

    /// `[[key]]` tables; none at all is a mistake.
    pub fn tables(&mut self, key: &str, fix: &str) -> Vec<Reader<'n>> {
        let items = match self.take(key) {
            Some(Value::Array(items)) => items,
            Some(_) => return self.none(key, "it is not a list of tables", fix),
            None => return self.none(key, "it is missing", fix),
        };
        if items.is_empty() {
            return self.none(key, "it is empty", fix);
        }
        let mut readers = Vec::new();
        for (n, item) in items.into_iter().enumerate() {
            let path = format!("{}[{n}]", self.under(key));
            match item {
                Value::Table(table) => {
                    readers.push(Reader::new(table, path, self.base, self.notes))
                }
                _ => self.note(key, "it is not a list of tables", fix),
            }
        }
        readers
    }

    /// `[[key]]` tables, if there are any.
    pub fn optional_tables(&mut self, key: &str, fix: &str) -> Vec<Reader<'n>> {
        if self.table.contains_key(key) {
            return self.tables(key, fix);
        }
        self.know(key);
        Vec::new()
    }

    /// A table whose keys are names: `read` gets each in turn, and none is unknown.
    pub fn each(mut self, mut read: impl FnMut(&mut Self, &str)) {
        let keys: Vec<String> = self.table.keys().cloned().collect();
        for key in keys {
            read(&mut self, &key);
        }
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        for key in self.table.keys() {
            let near = self.asked.iter().find(|known| alike(known, key));
            let fix = match near {
                Some(known) => format!("{known} if you meant that, or take the line out"),
                None => format!("one of: {}; or take the line out", self.asked.join(", ")),
            };
            self.note(key, "there is no such key", &fix);
        }
    }

    fn required(&mut self, key: &str, fix: &str) -> Option<()> {
        self.know(key);
        if self.table.contains_key(key) {
            return Some(());
        }
        self.note(key, "it is missing", fix);
        None
    }

    /// Whatever is at a key.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.know(key);
        self.table.remove(key)
    }

    fn know(&mut self, key: &str) {
        if !self.asked.iter().any(|k| k == key) {
            self.asked.push(key.to_owned());
        }
    }

    fn none(&self, key: &str, reason: &str, fix: &str) -> Vec<Reader<'n>> {
        self.note(key, reason, fix);
        Vec::new()
    }

    fn under(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// True when two keys differ in case, dashes or one slip of a finger.
fn alike(known: &str, typed: &str) -> bool {
    let plain = |s: &str| s.to_ascii_lowercase().replace(['-', '_'], "");
    let (known, typed) = (plain(known), plain(typed));
    if known == typed {
        return true;
    }
    let front = known
        .bytes()
        .zip(typed.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let back = known
        .bytes()
        .rev()
        .zip(typed.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let longer = known.len().max(typed.len());
    front + back + 1 >= longer && longer > 2
}
