//! Writes a service's section into the person's own `pg_service.conf`, on request, so that `psql service=warehouse` works.
//! The file is theirs: only what stands between our markers is ever changed, and what looks like a trick is refused.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::platform::own_file::{self, NotOwn, Own};

mod section;

pub use section::section;
pub(crate) use section::write_section;

/// Largest file that is edited, in bytes.
const LIMIT: u64 = 1 << 20;

/// Why a section was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgServiceError {
    #[error("there is no home directory to keep it in")]
    NoHome,
    #[error("the name is a symbolic link")]
    Symlink,
    #[error("it belongs to another user, or others can change it")]
    Foreign,
    #[error("it is not a text file of at most one megabyte")]
    NotText,
    #[error("it has a section of that name already, which somebody wrote by hand")]
    Taken,
    #[error("the lines that mark Tidegate's part are damaged")]
    Damaged,
    #[error("it cannot be read or written: {0}")]
    Io(ErrorKind),
}

impl PgServiceError {
    /// What a person can do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self {
            Self::NoHome => "name the file with PGSERVICEFILE",
            Self::Symlink => "name the real file with PGSERVICEFILE",
            Self::Foreign => "own the file and take the right to write from others: chmod go-w",
            Self::NotText => "name a text file with PGSERVICEFILE",
            Self::Taken => "rename that section, or add the lines of `tidegate dsn` yourself",
            Self::Damaged => {
                "take out the lines between `# >>> tidegate` and `# <<< tidegate` by hand"
            }
            Self::Io(_) => "check that the directory exists and the disk has room",
        }
    }
}

/// What a call did to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Written,
    Removed,
    /// It said so already.
    Unchanged,
}

/// The file that libpq reads for this user: `PGSERVICEFILE`, else `~/.pg_service.conf`.
///
/// # Errors
/// `NoHome`.
pub fn path() -> Result<PathBuf, PgServiceError> {
    if let Some(named) = std::env::var_os("PGSERVICEFILE").filter(|name| !name.is_empty()) {
        return Ok(named.into());
    }
    let home = directories::BaseDirs::new().ok_or(PgServiceError::NoHome)?;
    Ok(home.home_dir().join(".pg_service.conf"))
}

/// Puts `entry`, a whole section that begins with `[section]`, into the file in place of the one we wrote before.
///
/// # Errors
/// When the file cannot be trusted, or the section is somebody else's.
pub fn write(path: &Path, section: &str, entry: &str) -> Result<Edit, PgServiceError> {
    edit(path, section, Some(entry))
}

/// Takes our section out again.
///
/// # Errors
/// As `write`.
pub fn remove(path: &Path, section: &str) -> Result<Edit, PgServiceError> {
    edit(path, section, None)
}

fn edit(path: &Path, section: &str, entry: Option<&str>) -> Result<Edit, PgServiceError> {
    let (before, mode) = read(path)?;
    let after = edited(&before, section, entry)?;
    if after == before {
        return Ok(Edit::Unchanged);
    }
    replace(path, after.as_bytes(), mode).map_err(|error| PgServiceError::Io(error.kind()))?;
    Ok(if entry.is_some() {
        Edit::Written
    } else {
        Edit::Removed
    })
}

/// The new text: everything outside of our markers as it was, to the byte.
fn edited(text: &str, section: &str, entry: Option<&str>) -> Result<String, PgServiceError> {
    let (begin, end) = (
        format!("# >>> tidegate {section} >>>"),
        format!("# <<< tidegate {section} <<<"),
    );
    let (before, after) = around(text, &begin, &end)?;
    let is_header = |line: &str| line.trim() == format!("[{section}]");
    if before.lines().chain(after.lines()).any(is_header) {
        return Err(PgServiceError::Taken);
    }
    let Some(entry) = entry else {
        return Ok(format!("{before}{after}"));
    };
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Ok(format!("{before}{gap}{begin}\n{entry}{end}\n{after}"))
}

/// What stands before and after our part; all of it before, where we have none.
fn around<'a>(text: &'a str, begin: &str, end: &str) -> Result<(&'a str, &'a str), PgServiceError> {
    let marks = |mark: &str| -> Vec<(usize, usize)> {
        let lines = text.split_inclusive('\n').scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, *at, line))
        });
        let ours = lines.filter(|(_, _, line)| line.trim() == mark);
        ours.map(|(start, stop, _)| (start, stop)).collect()
    };
    match (marks(begin).as_slice(), marks(end).as_slice()) {
        ([], []) => Ok((text, "")),
        ([(start, _)], [(last, stop)]) if start < last => Ok((&text[..*start], &text[*stop..])),
        _ => Err(PgServiceError::Damaged),
    }
}

/// The text, and the mode to keep. A file that is not there is empty.
fn read(path: &Path) -> Result<(String, u32), PgServiceError> {
    match own_file::open(path) {
        Ok(Own { file, mode }) => Ok((text_of(file)?, mode)),
        Err(NotOwn::Missing) => Ok((String::new(), own_file::FRESH)),
        Err(NotOwn::Symlink) => Err(PgServiceError::Symlink),
        Err(NotOwn::Foreign) => Err(PgServiceError::Foreign),
        Err(NotOwn::NotAFile) => Err(PgServiceError::NotText),
        Err(NotOwn::Io(kind)) => Err(PgServiceError::Io(kind)),
    }
}

fn text_of(file: File) -> Result<String, PgServiceError> {
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| PgServiceError::Io(error.kind()))?;
    if bytes.len() as u64 > LIMIT {
        return Err(PgServiceError::NotText);
    }
    String::from_utf8(bytes).map_err(|_| PgServiceError::NotText)
}

/// After a crash either the old or the new file is there, whole.
fn replace(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tidegate-new");
    let beside = path.with_file_name(name);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    own_file::with_mode(&mut options, mode);
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(all(test, unix))]
mod tests;
