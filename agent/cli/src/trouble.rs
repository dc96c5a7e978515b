//! What goes wrong for an administrator: every sentence that `org`, `ticket`, `revoke`, `hub` and `relay` can end with.
//! Problems of people at their laptops have their words in `tidegate_proto::words`; these never leave the terminal.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use tidegate_authority::{BundleError, KeysError, OpenError};
use tidegate_link::{LinkError, keyfile::KeyFileError};
use tidegate_proto::names::ServiceName;
#[cfg(unix)]
use tidegate_relay::follow::KeptError;

use crate::failure::{Exit, Failure};

/// One kind of trouble.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A file that must be there, or be secret, is not.
    File {
        path: PathBuf,
        error: KeyFileError,
    },
    Unwritable {
        path: PathBuf,
        error: std::io::ErrorKind,
    },
    PassphraseWrong,
    PassphraseShort {
        least: usize,
    },
    PassphrasesDiffer,
    NoTerminal,
    RootKeyDamaged {
        path: PathBuf,
    },
    RelayKeyDamaged {
        path: PathBuf,
    },
    OrgExists {
        path: PathBuf,
    },
    BundleDamaged {
        path: PathBuf,
    },
    BundleUnreadable {
        path: PathBuf,
        error: std::io::ErrorKind,
    },
    #[cfg(unix)]
    BundleRefused(BundleError),
    #[cfg(unix)]
    AuthorityRefused(OpenError),
    Unreachable {
        hub: String,
        error: LinkError,
    },
    HubRefused {
        hub: String,
        code: u16,
        text: String,
    },
    HubBroke {
        hub: String,
    },
    Listen {
        address: String,
        error: std::io::ErrorKind,
        config: PathBuf,
    },
    /// What a relay kept cannot be read.
    #[cfg(unix)]
    RelayForgot(KeptError),
    NothingToResend {
        path: PathBuf,
    },
    NoSuchService {
        service: ServiceName,
    },
    TooManyServices,
    OutletsByKey {
        service: ServiceName,
    },
}

impl Trouble {
    pub(crate) fn file(path: &Path, error: KeyFileError) -> Self {
        Self::File {
            path: path.to_owned(),
            error,
        }
    }

    pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unwritable {
            path: path.to_owned(),
            error: error.kind(),
        }
    }

    /// `config` is the file that names the address.
    pub(crate) fn listen(address: SocketAddr, error: &std::io::Error, config: &Path) -> Self {
        Self::Listen {
            address: address.to_string(),
            error: error.kind(),
            config: config.to_owned(),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        files(&trouble).unwrap_or_else(|| servers(&trouble))
    }
}

/// Trouble on this computer.
fn files(trouble: &Trouble) -> Option<Failure> {
    let here = |title: String, cause: String, next: &str| {
        Some(Failure::new(Exit::ThisComputer, title, cause, next))
    };
    match trouble {
        Trouble::File { path, error } => here(
            format!("{} cannot be used", path.display()),
            error.to_string(),
            error.fix(),
        ),
        Trouble::Unwritable { path, error } => here(
            format!("{} cannot be written", path.display()),
            error.to_string(),
            "Check the directory's owner and the space on the disk.",
        ),
        Trouble::PassphraseWrong => here(
            "the key stays closed".into(),
            "The passphrase is not the right one, or the file was changed.".into(),
            "Try again with the passphrase that was given when the key was made.",
        ),
        Trouble::PassphraseShort { least } => here(
            "the passphrase is too short".into(),
            format!(
                "It has fewer than {least} characters, and whoever copies the file can try them all."
            ),
            "Choose a longer one, for example six random words.",
        ),
        Trouble::PassphrasesDiffer => here(
            "the passphrases differ".into(),
            "What was typed the second time is not what was typed first.".into(),
            "Run this again.",
        ),
        Trouble::NoTerminal => here(
            "nobody can be asked for the passphrase".into(),
            "There is no terminal here.".into(),
            "Give a file that only you can read with --passphrase-file.",
        ),
        Trouble::RootKeyDamaged { path } => here(
            format!("{} holds no key of this kind", path.display()),
            "It could be opened, but what is in it was not made by `tidegate org init` or `tidegate outlet owner init`.".into(),
            "Take the file from your backup.",
        ),
        Trouble::RelayKeyDamaged { path } => here(
            format!("{} holds no relay key", path.display()),
            "What is in it was not made by `tidegate hub keys` or `tidegate relay keys`.".into(),
            "Take the file from your backup.",
        ),
        Trouble::OrgExists { path } => here(
            "there is a key already".into(),
            format!(
                "{} exists, and a key is never overwritten.",
                path.display()
            ),
            "Name another directory with --dir.",
        ),
        Trouble::NothingToResend { path } => here(
            "there is nothing to send again".into(),
            format!("{} holds no revocations.", path.display()),
            "Revoke with --sub or --device.",
        ),
        Trouble::NoSuchService { service } => here(
            format!("there is no service {service}"),
            "org.toml describes no service of this name.".into(),
            "Check the name, or describe the service and sign the org again.",
        ),
        Trouble::TooManyServices => here(
            "the link would become too long".into(),
            "A ticket names twelve services at most.".into(),
            "Name those that the person needs first; the others show after the sign-in.",
        ),
        Trouble::OutletsByKey { service } => here(
            format!("{service} takes no outlet by ticket"),
            "org.toml names its outlets by their keys.".into(),
            "Write outlets = \"ticket\" in their place, sign the org, and copy the bundle to the hub.",
        ),
        _ => None,
    }
}

/// Trouble with a bundle, a hub or the way to it.
fn servers(trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::BundleDamaged { path } => Failure::new(
            Exit::ThisComputer,
            format!("{} is no bundle", path.display()),
            "It was not written by `tidegate org sign`, or was changed since.",
            "Sign the org again and copy the new bundle here.",
        ),
        Trouble::BundleUnreadable { path, error } => Failure::new(
            Exit::ThisComputer,
            format!("{} cannot be read", path.display()),
            match error {
                std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                other => other.to_string(),
            },
            match error {
                std::io::ErrorKind::NotFound => {
                    "Put the bundle there that `tidegate org sign` wrote, or correct `bundle` in hub.toml."
                }
                _ => "Let the hub's user read it (chmod 644 on it): nothing in it is secret.",
            },
        ),
        #[cfg(unix)]
        Trouble::BundleRefused(error) => bundle(error),
        #[cfg(unix)]
        Trouble::AuthorityRefused(error) => authority(error),
        Trouble::Unreachable { hub, error } => Failure::new(
            if *error == LinkError::TimedOut {
                Exit::TimedOut
            } else {
                Exit::Network
            },
            format!("the hub at {hub} cannot be reached"),
            error.to_string(),
            "Check the address, and that the hub is running with a bundle of this org.",
        ),
        Trouble::HubRefused { hub, code, text } => Failure::new(
            Exit::Refused,
            format!("the hub at {hub} refused (TG-{code:04})"),
            text,
            "The hub's log has the exact reason.",
        ),
        Trouble::HubBroke { hub } => Failure::new(
            Exit::Network,
            format!("the hub at {hub} did not answer as it should"),
            "The connection broke off in the middle.",
            "Run this again; what was done is not done twice.",
        ),
        Trouble::Listen {
            address,
            error,
            config,
        } => Failure::new(
            Exit::ThisComputer,
            format!("cannot listen on {address}"),
            error.to_string(),
            format!(
                "Choose another address in {}, or stop what uses this one.",
                config.display()
            ),
        ),
        #[cfg(unix)]
        Trouble::RelayForgot(error) => Failure::new(
            Exit::ThisComputer,
            "the relay does not start",
            error.to_string(),
            "Mend the file, or take it from your backup.",
        ),
        other => Failure::internal(
            "unforeseen trouble",
            &std::io::Error::other(format!("{other:?}")),
        ),
    }
}

#[cfg(unix)]
fn bundle(error: &BundleError) -> Failure {
    let next = match error {
        BundleError::Rollback(_) => "Use the newest bundle; an older one is never taken again.",
        BundleError::SameVersion(_) => "Sign the org again: one version has one content.",
        BundleError::OtherAuthority => {
            "Put the keys that `tidegate hub keys` prints into org.toml and sign again."
        }
        BundleError::Store(_) => "Check the data directory and the space on the disk.",
        BundleError::Statement(_) | BundleError::Policy(_) => {
            "Check org and root in hub.toml, and sign the org again: a bundle is good for 30 days."
        }
    };
    Failure::new(
        Exit::ThisComputer,
        "the bundle is not put in force",
        error.to_string(),
        next,
    )
}

#[cfg(unix)]
fn authority(error: &OpenError) -> Failure {
    let next = match error {
        OpenError::Bundle(error) => return bundle(error),
        OpenError::InUse => "Stop the other hub, or give this one a data directory of its own.",
        OpenError::Keys(KeysError::File(error)) => error.fix(),
        OpenError::Keys(KeysError::Content) => "Take the key file from your backup.",
        OpenError::Store(_) => "Check the data directory and the space on the disk.",
        OpenError::Audit(_) => "Move the audit file away for inspection; a new one will be begun.",
    };
    Failure::new(
        Exit::ThisComputer,
        "the authority does not start",
        error.to_string(),
        next,
    )
}

#[cfg(all(test, unix))]
mod tests {
    use tidegate_proto::statement::StatementError;

    use super::*;

    #[test]
    fn every_trouble_has_words_of_its_own() {
        let path = || PathBuf::from("org/root.age");
        let service = || "warehouse".parse().expect("a name");
        let hub = || "hub.example.com:7443".to_owned();
        let all = [
            Trouble::file(&path(), KeyFileError::OpenToOthers),
            Trouble::unwritable(&path(), &std::io::ErrorKind::StorageFull.into()),
            Trouble::PassphraseWrong,
            Trouble::PassphraseShort { least: 8 },
            Trouble::PassphrasesDiffer,
            Trouble::NoTerminal,
            Trouble::RootKeyDamaged { path: path() },
            Trouble::RelayKeyDamaged { path: path() },
            Trouble::OrgExists { path: path() },
            Trouble::NothingToResend { path: path() },
            Trouble::NoSuchService { service: service() },
            Trouble::TooManyServices,
            Trouble::OutletsByKey { service: service() },
            Trouble::BundleDamaged { path: path() },
            Trouble::BundleUnreadable {
                path: path(),
                error: std::io::ErrorKind::PermissionDenied,
            },
            Trouble::BundleRefused(BundleError::OtherAuthority),
            Trouble::BundleRefused(BundleError::Rollback(vec!["idp".into(), "policy".into()])),
            Trouble::BundleRefused(BundleError::Statement(StatementError::Expired)),
            Trouble::AuthorityRefused(OpenError::InUse),
            Trouble::Unreachable {
                hub: hub(),
                error: LinkError::TimedOut,
            },
            Trouble::HubRefused {
                hub: hub(),
                code: 2005,
                text: "no".into(),
            },
            Trouble::HubBroke { hub: hub() },
            Trouble::Listen {
                address: "0.0.0.0:1".into(),
                error: std::io::ErrorKind::PermissionDenied,
                config: path(),
            },
            Trouble::RelayForgot(KeptError::Content(path())),
        ];

        for trouble in all {
            let text = Failure::from(trouble).to_string();
            assert!(!text.contains("unforeseen"), "{text}");
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 3, "{text}");
            assert!(lines[1..].iter().all(|line| line.ends_with('.')), "{text}");
        }
    }
}
