//! Configuration, keys, policy, kill switch and clock: what lies in the outlet's own directories.
//! Modes and owners are judged as at the start of an outlet, by the same functions.

use tidegate_link::keyfile::KeyFileError;
use tidegate_link::settings_file::ConfigMistake;
use tidegate_proto::check::Check;
use tidegate_proto::problem::Code;

use crate::clock;
use crate::config::OutletConfig;
use crate::keys::{KeysError, OutletKeys};
use crate::kill::Killed;
use crate::known::Kept;
use crate::owner::{OwnerError, Source};

/// A clock that is so far behind the last sign of life is wrong, in seconds.
const CLOCK_BACK: u64 = 300;

pub(super) fn mistake(mistake: &ConfigMistake) -> Check {
    let finding = format!("{}: {}.", mistake.key, mistake.reason);
    Check::fail("config", &finding, &mistake.fix.to_string())
}

pub(super) fn checks(config: &OutletConfig, keys: &Result<OutletKeys, KeysError>) -> Vec<Check> {
    vec![
        Check::ok("config", &format!("{} services.", config.services.len())),
        directory(config),
        of_keys(config, keys),
        policy(config),
        kill_switch(config),
        clock(config),
    ]
}

fn directory(config: &OutletConfig) -> Check {
    let path = config.data.display().to_string();
    let made = format!("make it: install -d -m 700 {path}");
    let fix = match std::fs::metadata(&config.data) {
        Err(_) => made,
        Ok(facts) if !facts.is_dir() => "name a directory as `data`".to_owned(),
        Ok(facts) => match wrong_hands(&facts) {
            Some(error) => error.fix().to_owned(),
            None => return Check::ok("data", "The directory is this user's alone.").about(&path),
        },
    };
    Check::fail(
        "data",
        "The directory is missing, belongs to another user, or others can enter it.",
        &capital(&fix),
    )
    .about(&path)
}

#[cfg(unix)]
fn wrong_hands(facts: &std::fs::Metadata) -> Option<KeyFileError> {
    use std::os::unix::fs::MetadataExt as _;
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Some(KeyFileError::ForeignOwner);
    }
    (facts.mode() & 0o077 != 0).then_some(KeyFileError::OpenToOthers)
}

#[cfg(not(unix))]
fn wrong_hands(_: &std::fs::Metadata) -> Option<KeyFileError> {
    None
}

fn of_keys(config: &OutletConfig, keys: &Result<OutletKeys, KeysError>) -> Check {
    let made = format!(
        "Make them with `tidegate outlet keys --data {}`, and let your administrator sign them.",
        config.data.display()
    );
    match keys {
        Ok(_) => Check::ok("keys", "Both are there, for this user only."),
        Err(error @ KeysError::File { why, .. }) if *why == KeyFileError::Missing => {
            Check::fail("keys", &capital(&format!("{error}.")), &made)
        }
        Err(error @ KeysError::File { why, .. }) => {
            Check::fail("keys", &capital(&format!("{error}.")), &capital(why.fix()))
        }
        Err(error @ KeysError::Content(_)) => Check::fail(
            "keys",
            &capital(&format!("{error}.")),
            "Bring back a good copy of it.",
        ),
    }
}

fn policy(config: &OutletConfig) -> Check {
    let fix = |error: &OwnerError| match error {
        OwnerError::Unreadable(..) => "Let this user read it, or correct `policy`.",
        OwnerError::NotSigned(..) => {
            "Sign it with `tidegate outlet policy sign`, or correct `owner`."
        }
        OwnerError::Older(_) => "Put the newest policy in its place.",
        OwnerError::OpenToAll(_) => "Take that right away: chmod o-w on it.",
        OwnerError::Policy(..) => "Correct the rule; until then nobody is let in.",
    };
    let newest = Kept::load(&config.data).ok().and_then(|kept| kept.owner);
    match Source::of(config).read(newest) {
        Ok(_) => Check::ok("policy", "The owner's rules compile."),
        Err(error) => Check::fail("policy", &capital(&format!("{error}.")), fix(&error)),
    }
}

fn kill_switch(config: &OutletConfig) -> Check {
    match Killed::load(&config.data) {
        Ok(killed) if killed == Killed::default() => Check::ok("kill switch", "Nothing is killed."),
        Ok(killed) => {
            let names: Vec<_> = killed.services.iter().map(ToString::to_string).collect();
            let what = if killed.all {
                "everything".to_owned()
            } else {
                names.join(", ")
            };
            Check::warn(
                "kill switch",
                &format!("It keeps {what} closed."),
                "Open again with `tidegate outlet kill --undo` and the same --config.",
            )
        }
        Err(error) => Check::fail(
            "kill switch",
            &capital(&format!("{error}.")),
            "Correct or remove the file, then kill again what must stay closed.",
        ),
    }
}

fn clock(config: &OutletConfig) -> Check {
    match Kept::load(&config.data) {
        Ok(kept) if clock::now().plus(CLOCK_BACK) < kept.beacon_at => {
            Check::problem("clock", &Code::ClockOff.into())
        }
        Ok(kept) if kept.beacon_at.0 == 0 => Check::skipped(
            "clock",
            "The authority was never heard, so there is nothing to compare with.",
        ),
        Ok(_) => Check::ok("clock", "It is not behind the authority's last word."),
        Err(error) => Check::fail(
            "known",
            &capital(&format!("{error}.")),
            "Bring back a good copy: it says who was revoked.",
        ),
    }
}

/// Errors are lowercase; what a person reads is not.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}
