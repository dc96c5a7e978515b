//! From a file's text to what it means: every key is taken by its reader, and every mistake is told at once.
//! A newcomer would stop at the first: whoever mends a file would then start the program as often as there are mistakes.

use std::path::Path;

use super::mistake::{ConfigMistake, Fix, Mistakes, Notes};
use super::reader::Reader;

/// The largest file of settings that is read, in bytes.
pub const MAX_FILE: usize = 256 * 1024;

/// Reads a TOML file with `read`, which takes every key and notes what is wrong; `None` from it only after a note.
/// Relative paths count from the file's directory.
///
/// # Errors
/// Every mistake in it, at once.
pub fn load<T>(path: &Path, read: impl FnOnce(Reader<'_>) -> Option<T>) -> Result<T, Mistakes> {
    let text = text_of(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    parse(&text, base, read)
}

/// Reads the text of a TOML file with `read`, as [`load`] does; relative paths count from `base`.
///
/// # Errors
/// Every mistake in it, at once.
pub fn parse<T>(
    text: &str,
    base: &Path,
    read: impl FnOnce(Reader<'_>) -> Option<T>,
) -> Result<T, Mistakes> {
    let table = match toml::from_str::<toml::Table>(text) {
        Ok(table) => table,
        Err(why) => return Err(Mistakes(vec![not_toml(text, &why)])),
    };
    let notes = Notes::default();
    let read = read(Reader::new(table, String::new(), base, &notes));
    let mistakes = notes.into_vec();
    match read {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(Mistakes(mistakes)),
    }
}

fn text_of(path: &Path) -> Result<String, Mistakes> {
    super::read(path).map_err(|error| Mistakes::of_file(path, error))
}

fn not_toml(text: &str, why: &toml::de::Error) -> ConfigMistake {
    let line = why.span().map_or(1, |span| {
        text[..span.start.min(text.len())].matches('\n').count() + 1
    });
    ConfigMistake {
        key: format!("line {line}"),
        reason: format!("it is not valid TOML: {}", why.message()),
        fix: Fix::Write("this line again; nothing after it was looked at".to_owned()),
    }
}
