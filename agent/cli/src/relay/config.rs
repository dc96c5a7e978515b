//! `relay.toml`: what every server has in its file, and which hub's authority the relay hears.
//! A newcomer would believe that hub whose relay this is: it is believed only in what follows from the root that stands here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tidegate_link::settings_file::{Mistakes, Reader, load};
use tidegate_proto::{
    identity::PeerId,
    names::{HubAddress, OrgName},
};

use crate::failure::Failure;
use crate::server_file::ServerFile;

pub(crate) struct RelayConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) org: OrgName,
    pub(crate) root: PeerId,
    pub(crate) hub: HubAddress,
}

impl RelayConfig {
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        Self::parse(path).map_err(|mistakes| Failure::mistakes(path, mistakes))
    }

    pub(super) fn parse(path: &Path) -> Result<Self, Mistakes> {
        load(path, Self::read)
    }

    /// `None` only after a note was made.
    fn read(mut top: Reader<'_>) -> Option<Self> {
        let server = ServerFile::read(&mut top, "relay");
        let hub = top.parsed(
            "hub",
            "host and port of the hub: hub = \"hub.example.com:7443\"",
        );
        top.finish();
        let server = server?;
        Some(Self {
            listen: server.listen,
            data: server.data,
            org: server.anchor.org,
            root: server.anchor.root,
            hub: hub?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<RelayConfig, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.toml");
        std::fs::write(&path, text).unwrap();
        RelayConfig::load(&path)
    }

    const ROOT: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

    #[test]
    fn reads_a_whole_file_with_paths_beside_it() {
        let text = format!(
            "listen = '[::]:7443'\ndata = 'd'\norg = 'acme'\nroot = '{ROOT}'\nhub = 'hub.example.com:7443'\n"
        );

        let config = read(&text).ok().unwrap();

        assert_eq!(config.listen.port(), 7443);
        assert!(config.data.ends_with("d") && config.data.is_absolute());
        assert_eq!(config.hub.to_string(), "hub.example.com:7443");
    }

    #[test]
    fn reports_every_mistake_at_once_with_key_reason_and_fix() {
        let failure = read("listen = 'here'\norg = 'ACME'\nroot = 'x'\nhub = '?'\nport = 1\n")
            .err()
            .unwrap()
            .to_string();

        assert_eq!(failure.matches("\n  - ").count(), 6, "{failure}");
        for (key, reason, fix) in [
            ("listen", "it is not usable: ", "address and port"),
            ("data", "it is missing", "a directory"),
            ("org", "it is not usable: ", "the org's name"),
            ("root", "it is not usable: ", "the fingerprint"),
            ("hub", "it is not usable: ", "host and port"),
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
