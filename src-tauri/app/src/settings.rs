//! What a person chose for the app itself: theme, window at start, notifications. Ports are the agent's.
//! A newcomer would refuse to start over a damaged file: it is put aside under a name that is told, and the app starts as new.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_proto::problem::{Code, Problem};
use ts_rs::TS;

/// A real file is under 1 kB; more is not ours.
const LARGEST: u64 = 64 * 1024;
/// Damaged files that are kept; then the newest takes the last one's place.
const KEPT_ASIDE: u32 = 9;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub theme: Theme,
    /// Started by hand, only the tray icon appears. At login that is always so.
    pub start_hidden: bool,
    pub notifications: Notifications,
    /// What a newer version wrote stays in the file.
    #[serde(flatten)]
    others: toml::Table,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Notifications {
    #[default]
    On,
    Off,
}

/// One change to the settings, as the window asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Setting {
    Theme { theme: Theme },
    StartHidden { on: bool },
    Notifications { to: Notifications },
    StartAtLogin { on: bool },
}

/// Where the settings are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile(PathBuf);

impl SettingsFile {
    /// `app.toml`, beside the agent's own file.
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.join("app.toml"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What was chosen before, and a problem where that could not be read.
    pub fn load(&self) -> (Settings, Option<Problem>) {
        let text = match read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Settings::default(), None);
            }
            Err(error) => {
                return (
                    Settings::default(),
                    Some(self.put_aside(&error.to_string())),
                );
            }
        };
        match toml::from_str(&text) {
            Ok(settings) => (settings, None),
            Err(error) => {
                let problem = self.put_aside(error.message());
                (Settings::default(), Some(problem))
            }
        }
    }

    /// Writes them whole or not at all.
    ///
    /// # Errors
    /// When the folder or the disk does not take it.
    pub fn save(&self, settings: &Settings) -> Result<(), Problem> {
        let text = toml::to_string(settings).map_err(|_| Problem::new(Code::Internal))?;
        write_whole(&self.0, &text).map_err(|error| {
            Problem::new(Code::SettingsNotSaved)
                .path(&self.0.display().to_string())
                .said(&error.to_string())
        })
    }

    fn put_aside(&self, said: &str) -> Problem {
        let aside = (1..KEPT_ASIDE)
            .map(|number| self.aside(number))
            .find(|path| !path.exists())
            .unwrap_or_else(|| self.aside(KEPT_ASIDE));
        let moved = fs::rename(&self.0, &aside);
        let place = if moved.is_ok() { &aside } else { &self.0 };
        tracing::warn!(file = %place.display(), said, "settings were damaged");
        Problem::new(Code::SettingsDamaged)
            .path(&place.display().to_string())
            .said(said)
    }

    fn aside(&self, number: u32) -> PathBuf {
        self.0.with_extension(format!("toml.damaged-{number}"))
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    fs::read_to_string(path)
}

/// Beside it first, then in its place: who reads meanwhile, or after a crash, finds the old text or the new one.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write_through(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_through(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_chosen_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::in_dir(&dir.path().join("new"));
        let chosen = Settings {
            theme: Theme::Dark,
            notifications: Notifications::Off,
            ..Settings::default()
        };

        assert_eq!(file.load(), (Settings::default(), None));
        file.save(&chosen).unwrap();

        assert_eq!(file.load(), (chosen, None));
        let left = fs::read_dir(dir.path().join("new")).unwrap().count();
        assert_eq!(left, 1, "nothing but the file is left");
    }

    #[test]
    fn a_damaged_file_is_named_and_kept_and_the_next_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::in_dir(dir.path());
        let damages = ["theme = \"da", "theme = \"pink\"", "\u{0}\u{0}\u{0}"];

        for (number, damage) in (1..).zip(damages) {
            fs::write(file.path(), damage).unwrap();
            let (settings, problem) = file.load();

            let problem = problem.unwrap();
            assert_eq!(settings, Settings::default());
            assert_eq!(problem.code, Code::SettingsDamaged);
            let aside = dir.path().join(format!("app.toml.damaged-{number}"));
            let named = problem.facts.path.unwrap();
            assert!(named.as_str().ends_with(&format!("damaged-{number}")));
            assert_eq!(fs::read_to_string(aside).unwrap(), damage);
            assert!(!file.path().exists());
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::in_dir(dir.path());
        fs::write(file.path(), "theme = \"light\"\nhalo = 3\n").unwrap();

        let (mut settings, problem) = file.load();
        settings.start_hidden = true;
        file.save(&settings).unwrap();

        assert_eq!(problem, None);
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(
            text.contains("halo = 3") && text.contains("start_hidden = true"),
            "{text}"
        );
    }

    #[test]
    fn a_folder_that_is_none_is_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let file = SettingsFile::in_dir(&dir.path().join("file"));

        let problem = file.save(&Settings::default()).unwrap_err();

        assert_eq!(problem.code, Code::SettingsNotSaved);
        assert!(problem.facts.path.is_some() && problem.facts.said.is_some());
    }
}
