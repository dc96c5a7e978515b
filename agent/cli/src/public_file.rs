//! Files that others must be able to read, written whole or not at all.
//! For secrets see `tidegate_link::keyfile`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Puts `content` in the place of the file: after a crash either the old or the new one is there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let beside = path.with_file_name(name);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // New, so that a link somebody planted under this name is not followed.
    let mut file = File::create_new(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
