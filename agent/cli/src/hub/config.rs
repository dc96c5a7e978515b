//! `hub.toml`: what every server has in its file, and the bundle of the org.
//! A newcomer would take org and root from the bundle: then whoever lays a file there decides whom the hub serves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tidegate_authority::Anchor;
use tidegate_link::settings_file::{Reader, load};

use crate::failure::Failure;
use crate::server_file::ServerFile;

pub(crate) struct HubConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) bundle: PathBuf,
    pub(crate) anchor: Anchor,
}

impl HubConfig {
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        load(path, Self::read).map_err(|mistakes| Failure::mistakes(path, mistakes))
    }

    /// `None` only after a note was made.
    fn read(mut top: Reader<'_>) -> Option<Self> {
        let server = ServerFile::read(&mut top, "hub");
        let bundle = top.path(
            "bundle",
            "what `tidegate org sign` wrote: bundle = \"bundle.json\"",
        );
        top.finish();
        let server = server?;
        Some(Self {
            listen: server.listen,
            data: server.data,
            bundle: bundle?,
            anchor: server.anchor,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<HubConfig, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.toml");
        std::fs::write(&path, text).unwrap();
        HubConfig::load(&path)
    }

    const ROOT: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

    #[test]
    fn reads_a_whole_file_with_paths_beside_it() {
        let text = format!(
            "listen = '[::]:7443'\ndata = 'd'\nbundle = 'b.json'\norg = 'acme'\nroot = '{ROOT}'\n"
        );

        let config = read(&text).ok().unwrap();

        assert_eq!(config.listen.port(), 7443);
        assert!(config.data.ends_with("d") && config.data.is_absolute());
        assert_eq!(config.anchor.org.as_str(), "acme");
    }

    #[test]
    fn reports_every_mistake_at_once_with_key_reason_and_fix() {
        let failure = read("listen = 'here'\norg = 'ACME'\nroot = 'x'\nport = 1\n")
            .err()
            .unwrap()
            .to_string();

        assert_eq!(failure.matches("\n  - ").count(), 6, "{failure}");
        for (key, reason, fix) in [
            ("listen", "it is not usable: ", "address and port"),
            ("data", "it is missing", "a directory"),
            ("org", "it is not usable: ", "the org's name"),
            ("root", "it is not usable: ", "the fingerprint"),
            ("bundle", "it is missing", "what `tidegate org sign` wrote"),
            ("port", "there is no such key", "one of: "),
        ] {
            let told = failure
                .split("\n  - ")
                .find(|told| told.starts_with(&format!("{key}: ")));
            let told = told.unwrap_or_default();
            assert!(
                told.starts_with(&format!("{key}: {reason}")),
                "{key} in {failure}"
            );
            assert!(
                told.contains(&format!("\n    write: {fix}")),
                "{key} in {failure}"
            );
        }
    }
}
