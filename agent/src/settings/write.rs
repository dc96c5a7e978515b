//! What the app changes in `agent.toml`: one port, and never over what somebody else wrote meanwhile.
//! Comments, order and every other line stay: it is the person's file.

use std::io::Write as _;
use std::path::Path;

use tidegate_link::settings_file::{self, SettingsFileError};
use tidegate_proto::problem::{Code, Problem};

use super::ServiceKey;
use crate::ServiceRef;
use crate::platform::own_file;

/// Writes the port of a service, or takes it out; `also_without` goes too.
///
/// # Errors
/// `ConfigWrong` when the file cannot be read or written.
pub(crate) fn write_port(
    path: &Path,
    service: &ServiceRef,
    port: Option<u16>,
    also_without: Option<&ServiceKey>,
) -> Result<(), Problem> {
    // Looked up once: what is put under this name meanwhile is not followed.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let text = text_of(path)?;
    let mut file: toml_edit::DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| mistake(path, error.message()))?;
    if port.is_none() && !file.contains_key("ports") {
        return Ok(());
    }
    let table = file["ports"].or_insert(toml_edit::table());
    let ports = table
        .as_table_like_mut()
        .ok_or_else(|| mistake(path, "ports is not a table"))?;
    match port {
        Some(port) => {
            ports.insert(&service.to_string(), toml_edit::value(i64::from(port)));
        }
        None => {
            ports.remove(&service.to_string());
            also_without.map(|key| ports.remove(&key.to_string()));
        }
    }
    replace(path, (&text, &file.to_string())).map_err(|error| match error.kind() {
        std::io::ErrorKind::Other => mistake(path, "somebody changed it just now; try again"),
        kind => mistake(path, &format!("it cannot be written ({kind})")),
    })
}

/// Nothing, where there is no file.
fn text_of(path: &Path) -> Result<String, Problem> {
    match settings_file::read(path) {
        Ok(text) => Ok(text),
        Err(SettingsFileError::Missing) => Ok(String::new()),
        Err(error) => {
            let (first, rest) = error.fix().split_at(1);
            let fix = first.to_lowercase() + rest;
            Err(mistake(path, &format!("{error}; {fix}")))
        }
    }
}

/// Whole or not at all, with the rights it had, and only over what was read: neither what somebody wrote meanwhile
/// nor what a link planted under the name points to is written over.
fn replace(path: &Path, (before, after): (&str, &str)) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let beside = path.with_extension("toml.new");
    // Whatever is there is not ours to write through.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    own_file::with_mode(options.write(true).create_new(true), own_file::FRESH);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(after.as_bytes())?;
        if let Ok(facts) = std::fs::metadata(path) {
            file.set_permissions(facts.permissions())?;
        }
        file.sync_all()?;
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
        let now = text_of(path).unwrap_or_default();
        if is_link || now != before {
            return Err(std::io::Error::other("it is another file now"));
        }
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn mistake(path: &Path, said: &str) -> Problem {
    Problem::new(Code::ConfigWrong)
        .path(&path.display().to_string())
        .said(said)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_with_a_mistake_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        for text in ["ports = 7\n", "= what\n"] {
            std::fs::write(&path, text).unwrap();

            let problem = write_port(&path, &"acme/x".parse().unwrap(), Some(15999), None);

            assert_eq!(problem.unwrap_err().code, Code::ConfigWrong);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_somebody_put_in_its_place_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "changed = \"by hand\"\n").unwrap();

        let lost = replace(&path, ("what was read\n", "what was to be written\n"));

        assert!(lost.is_err());
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "changed = \"by hand\"\n"
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_when_it_was_there_and_never_when_it_came_between() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (
            dir.path().join("agent.toml"),
            dir.path().join("dotfiles.toml"),
        );
        std::fs::write(&kept, "# kept elsewhere\n").unwrap();
        symlink(&kept, &path).unwrap();
        let service = "acme/x".parse().unwrap();

        write_port(&path, &service, Some(15999), None).unwrap();
        assert!(path.is_symlink());
        assert!(std::fs::read_to_string(&kept).unwrap().contains("15999"));

        // As if the link had taken the file's place after it was read.
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "read\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        symlink(&victim, dir.path().join("agent.toml.new")).unwrap();
        assert!(replace(&path, ("read\n", "ours\n")).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "read\n");
    }
}
