//! How an outlet trusts a server it connects to: the system's roots or one CA file, always with the name checked.
//! There is no "encrypt but do not verify": it would keep out nobody who can answer in the server's place.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::path::{Path, PathBuf};
use tidegate_link::settings_file::Reader;
use tidegate_link::tls::{self, TlsError};
use tidegate_proto::names::HubAddress;

/// The largest CA file, in bytes.
const MAX_PEM: u64 = 1024 * 1024;

/// TLS towards a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetTls {
    /// None: only a target on this computer's loopback may be reached so.
    Off,
    /// Verified against `trust`; the certificate must be for `server_name`, or else for the target's host.
    Verified {
        trust: Trust,
        server_name: Option<String>,
    },
}

/// Whose signature under a certificate counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    System,
    File(PathBuf),
}

/// Why no TLS settings could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("the CA file {} cannot be read: {kind:?}", path.display())]
    Unreadable {
        path: PathBuf,
        kind: std::io::ErrorKind,
    },
    #[error("the CA file {} holds no usable certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("{0}")]
    Tls(#[from] TlsError),
}

impl TargetTls {
    /// `None` only after a note was made.
    pub(crate) fn read(service: &mut Reader<'_>, address: Option<&HubAddress>) -> Option<Self> {
        let Some(mut table) = service.optional_table("tls") else {
            return Some(Self::Verified {
                trust: Trust::System,
                server_name: None,
            });
        };
        let mode = table.text("mode").unwrap_or_else(|| "verify".to_owned());
        let trust = table
            .optional_path("ca_file")
            .map_or(Trust::System, Trust::File);
        let server_name = table.text("server_name");
        if server_name
            .as_ref()
            .is_some_and(|name| ServerName::try_from(name.as_str()).is_err())
        {
            table.note(
                "server_name",
                "it is not a host name",
                "the name in the server's certificate",
            );
        }
        let tls = match mode.as_str() {
            "verify" => Some(Self::Verified { trust, server_name }),
            "off" if address.is_none_or(|a| is_loopback(a.host())) => Some(Self::Off),
            "off" => {
                let fix = "mode = \"verify\", or put the outlet on the target's own computer";
                table.note(
                    "mode",
                    "only a target on this computer may do without TLS",
                    fix,
                );
                None
            }
            _ => {
                table.note(
                    "mode",
                    "there is no such mode",
                    "mode = \"verify\" or mode = \"off\"",
                );
                None
            }
        };
        table.finish();
        tls
    }
}

/// True for the names and addresses of this computer's own loopback.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl Trust {
    /// Client settings that trust what this says now; a CA file is read again each time, so a new one counts at once.
    ///
    /// # Errors
    /// When there is nothing to trust.
    pub fn client(&self) -> Result<ClientConfig, TrustError> {
        match self {
            Self::System => Ok(tls::client_of_system()?),
            Self::File(path) => of_file(path),
        }
    }
}

fn of_file(path: &Path) -> Result<ClientConfig, TrustError> {
    let unreadable = |kind| TrustError::Unreadable {
        path: path.to_owned(),
        kind,
    };
    let about = std::fs::metadata(path).map_err(|e| unreadable(e.kind()))?;
    if !about.is_file() || about.len() > MAX_PEM {
        return Err(unreadable(std::io::ErrorKind::InvalidInput));
    }
    let pem = std::fs::read(path).map_err(|e| unreadable(e.kind()))?;
    tls::client_of_pem(&pem).map_err(|_| TrustError::NoCertificate(path.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_without_a_certificate_trusts_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "nothing").unwrap();

        let empty = Trust::File(path.clone()).client().err();
        let missing = Trust::File(dir.path().join("none")).client().err();

        assert_eq!(empty, Some(TrustError::NoCertificate(path)));
        assert!(matches!(missing, Some(TrustError::Unreadable { .. })));
    }

    #[test]
    fn a_ca_file_is_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let ca = rcgen::generate_simple_self_signed(vec!["db".to_owned()]).unwrap();
        std::fs::write(&path, ca.cert.pem()).unwrap();

        assert!(Trust::File(path).client().is_ok());
    }
}
