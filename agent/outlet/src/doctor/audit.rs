//! Whether the audit can be written, and whether what is there is whole.
//! An outlet that cannot write a record lets nobody in, so a full disk is found here before a person meets it.

use std::path::{Path, PathBuf};

use tidegate_proto::check::Check;

use super::files::capital;
use crate::audit::{Keeper, ProofError, verify};
use crate::config::{AuditPlace, OutletConfig};
use crate::keys::OutletKeys;

const NAME: &str = "audit";

pub(super) fn check(config: &OutletConfig, keys: Option<&OutletKeys>) -> Vec<Check> {
    let (path, directory) = match &config.audit {
        AuditPlace::Daily(directory) => (directory.clone(), directory.clone()),
        AuditPlace::File(file) => (
            file.clone(),
            file.parent().map_or_else(PathBuf::new, Path::to_owned),
        ),
    };
    let shown = path.display().to_string();
    [writable(&directory), whole(config, keys, &path)]
        .map(|check| check.about(&shown))
        .into()
}

/// Tried by making a file of another name, which is taken away again.
fn writable(directory: &Path) -> Check {
    let is_there = directory.is_dir();
    let place = if is_there {
        directory
    } else {
        directory.parent().unwrap_or(directory)
    };
    let probe = place.join(format!(".tidegate-doctor-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let tried = options.write(true).create_new(true).open(&probe);
    let tried = tried.and_then(|mut file| {
        use std::io::Write as _;
        file.write_all(&[b'.'; 4096]).and_then(|()| file.sync_all())
    });
    let _ = std::fs::remove_file(&probe);
    match tried {
        Ok(()) if is_there => Check::ok(NAME, "Records can be written."),
        Ok(()) => Check::ok(NAME, "Its directory will be made at the first start."),
        Err(error) => Check::fail(
            NAME,
            &format!(
                "No record can be written ({}), so nobody is let in.",
                error.kind()
            ),
            "Let the outlet's user write there, and see that the disk has room.",
        ),
    }
}

fn whole(config: &OutletConfig, keys: Option<&OutletKeys>, path: &Path) -> Check {
    let keeper = keys.map(|keys| Keeper {
        org: config.org.clone(),
        identity: keys.identity.verify_key(),
    });
    match verify(path, keeper) {
        Ok(proof) => Check::ok(NAME, &format!("{} events, chain unbroken.", proof.events)),
        Err(ProofError::Nothing(_)) => Check::ok(NAME, "Nothing was recorded yet."),
        Err(ProofError::UnknownKeeper) => {
            Check::skipped(NAME, "Without keys nobody can say whose record it is.")
        }
        Err(error @ ProofError::Unreadable { .. }) => Check::fail(
            NAME,
            &capital(&format!("{error}.")),
            "Run this as the outlet's own user.",
        ),
        Err(error @ (ProofError::Audit(_) | ProofError::NoStatements(_))) => Check::fail(
            NAME,
            &capital(&format!("{error}.")),
            "Keep it as evidence, move it away, and find out who changed it.",
        ),
    }
}
