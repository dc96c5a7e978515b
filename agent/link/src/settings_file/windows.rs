//! On Windows the folder carries the access rights, and files in it inherit them: there is no mode to check.
//! A directory cannot be opened there as a file, and no pipe stands under a file's name.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use super::SettingsFileError;

pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

pub(super) fn no_strangers(_: &Metadata) -> Result<(), SettingsFileError> {
    Ok(())
}
