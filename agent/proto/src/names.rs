//! The names people and programs use for orgs, services, subjects and hubs: parsed once, valid ever after.
//! Names are never normalised before they are compared; anything outside the alphabet is refused, not repaired.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest org or service name, in bytes.
pub const MAX_NAME: usize = 63;
/// Longest `sub` of a provider, in bytes (OpenID Connect Core 1.0, section 2).
pub const MAX_SUBJECT: usize = 255;
/// Longest host name, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// Why a name was refused. Carries no text of the peer's.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name is too long")]
    TooLong,
    #[error("the name contains a character outside its alphabet")]
    Character,
    #[error("the address is not host:port")]
    Address,
}

/// Defines a newtype over `String` that can only be made by its checker.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A tenant: 1 to 63 of `a-z`, `0-9`, `-`.
    OrgName,
    label
);
name!(
    /// Something to connect to: 1 to 63 of `a-z`, `0-9`, `-`.
    ServiceName,
    label
);
name!(
    /// The identity provider's `sub`: 1 to 255 printable ASCII characters, opaque.
    Subject,
    printable
);

fn label(text: &str) -> Result<(), NameError> {
    length(text, MAX_NAME)?;
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.bytes()
        .all(ok)
        .then_some(())
        .ok_or(NameError::Character)
}

fn printable(text: &str) -> Result<(), NameError> {
    length(text, MAX_SUBJECT)?;
    let ok = |b: u8| b.is_ascii_graphic() || b == b' ';
    text.bytes()
        .all(ok)
        .then_some(())
        .ok_or(NameError::Character)
}

fn length(text: &str, most: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        n if n > most => Err(NameError::TooLong),
        _ => Ok(()),
    }
}

/// Where a hub (or any TCP server we are told about) is reached: `host:port`, IPv6 as `[::1]:443`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubAddress {
    host: String,
    port: u16,
}

impl HubAddress {
    /// An address from its parts; `host` without brackets.
    ///
    /// # Errors
    /// When the host is not a host name or an IP address, or the port is zero.
    pub fn new(host: &str, port: u16) -> Result<Self, NameError> {
        length(host, MAX_HOST)?;
        let v6 = host.contains(':');
        let fits = if v6 {
            host.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            host.bytes().all(host_byte)
        };
        if !fits || port == 0 {
            return Err(NameError::Address);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port, never zero.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn host_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'.' || b == b'-'
}

impl FromStr for HubAddress {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (host, port) = text.rsplit_once(':').ok_or(NameError::Address)?;
        let digits = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        let port = digits
            .then(|| port.parse().ok())
            .flatten()
            .ok_or(NameError::Address)?;
        match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) if v6.contains(':') => Self::new(v6, port),
            None if !host.contains(':') => Self::new(host, port),
            _ => Err(NameError::Address),
        }
    }
}

impl TryFrom<String> for HubAddress {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<HubAddress> for String {
    fn from(address: HubAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refuses_names_outside_the_alphabet() {
        let long = "a".repeat(300);
        let bad = [
            "",
            "../../x",
            "a/b",
            &long,
            "ware\u{ad}house",
            "w\u{430}rehouse",
            "a\u{202e}b",
            "Warehouse",
            "a b",
            "a\0",
            "a\n",
            "a_b",
            "a.b",
        ];

        for name in bad {
            assert!(name.parse::<ServiceName>().is_err(), "{name:?}");
            assert!(name.parse::<OrgName>().is_err(), "{name:?}");
            assert!(
                serde_json::from_value::<ServiceName>(name.into()).is_err(),
                "{name:?}"
            );
        }
        assert_eq!(
            "a".repeat(63).parse::<OrgName>().unwrap().as_str().len(),
            63
        );
    }

    #[test]
    fn a_subject_is_opaque_printable_ascii() {
        assert_eq!(
            "00uana|x 1".parse::<Subject>().unwrap().to_string(),
            "00uana|x 1"
        );
        for bad in ["", "a\u{0}", "a\n", "ä", &"s".repeat(256)] {
            assert!(bad.parse::<Subject>().is_err());
        }
    }

    #[test]
    fn an_address_survives_its_own_text() {
        for text in ["hub.example:443", "127.0.0.1:7000", "[::1]:443", "a-b:1"] {
            assert_eq!(text.parse::<HubAddress>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "hub",
            "hub:",
            ":1",
            "hub:0",
            "hub:65536",
            "hub:+1",
            "::1:443",
            "[hub]:1",
            "[::1",
            "h@x:1",
            "h:1:2",
            "h/x:1",
            "h:01234567",
        ] {
            assert!(bad.parse::<HubAddress>().is_err(), "{bad}");
        }
    }
}
