//! Settings, key and memory: what lies in the relay's own directory.
//! Modes and owners are judged as at the start of a relay, by the same functions.

use std::path::Path;

use tidegate_link::keyfile::{KeyFileError, is_private_directory};
use tidegate_link::settings_file::ConfigMistake;
use tidegate_proto::check::Check;
use tidegate_proto::identity::NoiseSecret;
use tidegate_relay::follow::is_kept;

use crate::relay::config::RelayConfig;
use crate::relay::keys::NoKey;

pub(super) fn mistake(mistake: &ConfigMistake) -> Check {
    let finding = format!("{}: {}.", mistake.key, mistake.reason);
    Check::fail("config", &finding, &mistake.fix.to_string())
}

pub(super) fn checks(config: &RelayConfig, key: &Result<NoiseSecret, NoKey>) -> Vec<Check> {
    let path = config.data.display().to_string();
    vec![
        Check::ok("config", "Every setting can be used."),
        directory(&config.data).about(&path),
        of_key(&config.data, key).about(&path),
        known(&config.data).about(&path),
    ]
}

fn directory(data: &Path) -> Check {
    match is_private_directory(data) {
        Ok(()) => Check::ok("data", "The directory is this user's alone."),
        Err(KeyFileError::Missing) => Check::fail(
            "data",
            "There is no such directory.",
            &format!("Make it: install -d -m 700 {}", data.display()),
        ),
        Err(error) => Check::fail("data", &sentence(&error), &capital(error.fix())),
    }
}

fn of_key(data: &Path, key: &Result<NoiseSecret, NoKey>) -> Check {
    match key {
        Ok(_) => Check::ok("key", "It is there, for this user only."),
        Err(NoKey::File(KeyFileError::Missing)) => Check::fail(
            "key",
            "There is none yet.",
            &format!(
                "Make it with `tidegate relay keys --data {}`, and let your administrator put it into org.toml.",
                data.display()
            ),
        ),
        Err(NoKey::File(error)) => Check::fail("key", &sentence(error), &capital(error.fix())),
        Err(NoKey::Damaged) => Check::fail(
            "key",
            "What is in relay.key was not made by `tidegate relay keys`.",
            "Take the file from your backup; a new key would have to be signed first.",
        ),
    }
}

fn known(data: &Path) -> Check {
    match is_kept(data) {
        Ok(true) => Check::ok("known", "What the authority said last can be read."),
        Ok(false) => Check::skipped("known", "The authority was never heard here."),
        Err(error) => Check::fail(
            "known",
            &sentence(&error),
            "Bring it back from your backup; the relay does not start without knowing who was shut out.",
        ),
    }
}

fn sentence(error: &dyn std::error::Error) -> String {
    capital(&format!("{error}."))
}

/// Errors are lowercase; what a person reads is not.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}
