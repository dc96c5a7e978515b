//! How an outlet trusts a server it connects to: the system's roots or one CA file, always with the name checked.
//! There is no "encrypt but do not verify": it would keep out nobody who can answer in the server's place.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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

/// The client settings of one target's last connection, and what they were made of: to make them costs far more than to read
/// the CA file, which is read for each connection all the same, so that another one counts at once.
#[derive(Debug, Default)]
pub(crate) struct LastClient(Mutex<Option<(Trusted, Arc<ClientConfig>)>>);

/// What a trust says now.
#[derive(Debug, PartialEq, Eq)]
enum Trusted {
    /// Read once for the life of the process.
    System,
    /// The whole text of a CA file.
    Pem(Vec<u8>),
}

impl LastClient {
    /// Client settings that trust what `trust` says now, `finish`ed as they always are for this target. Blocks on files.
    ///
    /// # Errors
    /// When there is nothing to trust.
    pub(crate) fn client(
        &self,
        trust: &Trust,
        finish: impl FnOnce(&mut ClientConfig),
    ) -> Result<Arc<ClientConfig>, TrustError> {
        let trusted = trust.read()?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = last.as_ref().filter(|(before, _)| *before == trusted) {
            return Ok(Arc::clone(client));
        }
        let mut client = trust.client(&trusted)?;
        finish(&mut client);
        let client = Arc::new(client);
        *last = Some((trusted, Arc::clone(&client)));
        Ok(client)
    }
}

impl Trust {
    fn read(&self) -> Result<Trusted, TrustError> {
        match self {
            Self::System => Ok(Trusted::System),
            Self::File(path) => read_pem(path).map(Trusted::Pem),
        }
    }

    fn client(&self, trusted: &Trusted) -> Result<ClientConfig, TrustError> {
        match (trusted, self) {
            (Trusted::Pem(pem), Self::File(path)) => {
                tls::client_of_pem(pem).map_err(|_| TrustError::NoCertificate(path.clone()))
            }
            (Trusted::Pem(pem), Self::System) => Ok(tls::client_of_pem(pem)?),
            (Trusted::System, _) => Ok(tls::client_of_system()?),
        }
    }
}

fn read_pem(path: &Path) -> Result<Vec<u8>, TrustError> {
    let unreadable = |kind| TrustError::Unreadable {
        path: path.to_owned(),
        kind,
    };
    let about = std::fs::metadata(path).map_err(|e| unreadable(e.kind()))?;
    if !about.is_file() || about.len() > MAX_PEM {
        return Err(unreadable(std::io::ErrorKind::InvalidInput));
    }
    std::fs::read(path).map_err(|e| unreadable(e.kind()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn client_of(
        last: &LastClient,
        path: &Path,
        finished: &mut usize,
    ) -> Result<Arc<ClientConfig>, TrustError> {
        last.client(&Trust::File(path.to_owned()), |_| *finished += 1)
    }

    fn pem_of_a_new_ca() -> String {
        let ca = rcgen::generate_simple_self_signed(vec!["db".to_owned()]).unwrap();
        ca.cert.pem()
    }

    #[test]
    fn a_file_without_a_certificate_trusts_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "nothing").unwrap();
        let last = LastClient::default();

        let empty = client_of(&last, &path, &mut 0).err();
        let missing = client_of(&last, &dir.path().join("none"), &mut 0).err();

        assert_eq!(empty, Some(TrustError::NoCertificate(path)));
        assert!(matches!(missing, Some(TrustError::Unreadable { .. })));
    }

    #[test]
    fn a_ca_file_is_trusted_and_read_but_not_made_into_settings_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, pem_of_a_new_ca()).unwrap();
        let (last, mut made) = (LastClient::default(), 0);

        let first = client_of(&last, &path, &mut made).unwrap();
        let again = client_of(&last, &path, &mut made).unwrap();

        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(made, 1);
    }

    #[test]
    fn a_ca_that_was_replaced_damaged_or_taken_away_is_not_trusted_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let pem = pem_of_a_new_ca();
        std::fs::write(&path, &pem).unwrap();
        let (last, mut made) = (LastClient::default(), 0);
        let first = client_of(&last, &path, &mut made).unwrap();

        // As long as the first, so that only what it says differs.
        std::fs::write(&path, pem_of_a_new_ca()).unwrap();
        let other = client_of(&last, &path, &mut made).unwrap();
        std::fs::write(&path, pem.replace("CERTIFICATE", "CERTIFICATF")).unwrap();
        let damaged = client_of(&last, &path, &mut made).err();
        std::fs::remove_file(&path).unwrap();
        let gone = client_of(&last, &path, &mut made).err();

        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(damaged, Some(TrustError::NoCertificate(path)));
        assert!(matches!(gone, Some(TrustError::Unreadable { .. })));
        assert_eq!(made, 2);
    }
}
