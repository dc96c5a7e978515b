//! The StartupMessage: protocol version and parameters.
//! Parameter names reach the server's settings case-blind: `APPLICATION_NAME` is `application_name`.

use crate::cancel::BackendKey;
use crate::message::{push, push_counted, push_text};

/// A protocol version with major number 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    minor: u16,
}

impl Version {
    pub const V3_0: Self = Self { minor: 0 };
    /// PostgreSQL 18: as 3.0, with cancel keys of up to 256 bytes.
    pub const V3_2: Self = Self { minor: 2 };

    #[must_use]
    pub fn has_long_cancel_keys(self) -> bool {
        self >= Self::V3_2
    }

    fn as_code(self) -> u32 {
        3 << 16 | u32::from(self.minor)
    }
}

/// Why a startup packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    #[error("the protocol version is not 3.x")]
    Version,
    #[error("the startup packet's layout is broken")]
    Layout,
    #[error("replication connections are not offered")]
    Replication,
}

/// What a program asks for when it connects. Values are bytes: no encoding is agreed on yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    version: Version,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// `_pq_.` names: protocol extensions, none of which is known here.
    extensions: Vec<Vec<u8>>,
}

impl Startup {
    /// A startup of our own.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            parameters: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// Reads what follows the length: version, then pairs, then one zero byte.
    /// The longest packet, length field included, in bytes: PostgreSQL's own limit.
    pub const LONGEST: usize = 10_004;

    pub(crate) fn parse(packet: &[u8]) -> Result<Self, StartupError> {
        let (code, pairs) = packet
            .split_first_chunk::<4>()
            .ok_or(StartupError::Layout)?;
        let [0, 3, high, low] = *code else {
            return Err(StartupError::Version);
        };
        let mut startup = Self::new(Version {
            minor: u16::from_be_bytes([high, low]),
        });
        let mut rest = pairs;
        while rest != [0] {
            let (name, after_name) = split_text(rest)?;
            let (value, after_value) = split_text(after_name)?;
            if name.is_empty() {
                return Err(StartupError::Layout);
            }
            startup.take(name, value)?;
            rest = after_value;
        }
        Ok(startup)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), StartupError> {
        if name.starts_with(b"_pq_.") {
            self.extensions.push(name.to_vec());
        } else if !name.eq_ignore_ascii_case(b"replication") {
            self.parameters.push((name.to_vec(), value.to_vec()));
        } else if ![&b"false"[..], b"off", b"no", b"0"].contains(&value) {
            return Err(StartupError::Replication);
        }
        Ok(())
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The value of a parameter; of several the last, as the server takes it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let same = |entry: &&(Vec<u8>, Vec<u8>)| entry.0.eq_ignore_ascii_case(name.as_bytes());
        self.parameters
            .iter()
            .rev()
            .find(same)
            .map(|(_, value)| value.as_slice())
    }

    /// Its parameters but one, for a reader: names, and values in quotes. Quotes and backslashes have a backslash before.
    #[must_use]
    pub fn told_without(&self, one: &str) -> Vec<u8> {
        let others = self.parameters.iter();
        let others = others.filter(|(name, _)| !name.eq_ignore_ascii_case(one.as_bytes()));
        let quoted = |value: &[u8]| {
            let escaped = value.iter().flat_map(|byte| match byte {
                b'\'' | b'\\' => vec![b'\\', *byte],
                byte => vec![*byte],
            });
            escaped.collect::<Vec<u8>>()
        };
        let pair = |(name, value): &(Vec<u8>, Vec<u8>)| {
            [&quoted(name)[..], b"='", &quoted(value), b"'"].concat()
        };
        let all: Vec<_> = others.map(pair).collect();
        all.join(&b' ')
    }

    /// Sets a parameter, in place of whatever the program said under that name in any case.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name.as_bytes()));
        self.parameters
            .push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        self
    }

    /// The same wishes in version 3.0, which every server knows.
    #[must_use]
    pub fn in_version_3_0(mut self) -> Self {
        self.version = Version::V3_0;
        self.extensions.clear();
        self
    }

    /// What is spoken from now on, and the `NegotiateProtocolVersion` that says so, if it must be said.
    #[must_use]
    pub fn negotiated(mut self) -> (Self, Option<Vec<u8>>) {
        let newest = self.version.min(Version::V3_2);
        if newest == self.version && self.extensions.is_empty() {
            return (self, None);
        }
        let mut said = Vec::new();
        push(&mut said, b'v', |body| {
            body.extend_from_slice(&newest.as_code().to_be_bytes());
            let unknown = u32::try_from(self.extensions.len()).unwrap_or(u32::MAX);
            body.extend_from_slice(&unknown.to_be_bytes());
            self.extensions
                .iter()
                .for_each(|name| push_text(body, name));
        });
        self.version = newest;
        self.extensions.clear();
        (self, Some(said))
    }

    /// The packet as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        push_counted(&mut out, |body| {
            body.extend_from_slice(&self.version.as_code().to_be_bytes());
            for (name, value) in &self.parameters {
                push_text(body, name);
                push_text(body, value);
            }
            body.push(0);
        });
        out
    }
}

fn split_text(bytes: &[u8]) -> Result<(&[u8], &[u8]), StartupError> {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(StartupError::Layout)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

/// `BackendKeyData`: what the client must show to cancel.
pub(crate) fn push_backend_key(out: &mut Vec<u8>, key: &BackendKey) {
    push(out, b'K', |body| key.push(body));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PSQL: &[u8] = b"\0\x03\0\0user\0ana\0database\0nyc\0application_name\0psql\0\0";

    #[test]
    fn reads_and_writes_the_same_packet() {
        let startup = Startup::parse(PSQL).unwrap();

        assert_eq!(startup.version(), Version::V3_0);
        assert_eq!(startup.parameter("database"), Some(&b"nyc"[..]));
        assert_eq!(startup.parameter("options"), None);
        assert_eq!(startup.encode()[4..], *PSQL);
    }

    #[test]
    fn our_name_wins_over_every_spelling_of_the_programs() {
        let startup =
            Startup::parse(b"\0\x03\0\0APPLICATION_NAME\0a\0application_name\0b\0\0").unwrap();

        let named = startup.with("application_name", "tidegate:00uana");

        assert_eq!(
            named.encode()[4..],
            *b"\0\x03\0\0application_name\0tidegate:00uana\0\0"
        );
    }

    #[test]
    fn what_is_told_of_it_has_an_end_for_every_value() {
        let startup = Startup::new(Version::V3_0)
            .with("USER", "ana")
            .with("database", "nyc")
            .with("options", r"-c role=a' user='b\");

        assert_eq!(
            String::from_utf8(startup.told_without("user")).unwrap(),
            r"database='nyc' options='-c role=a\' user=\'b\\'"
        );
    }

    #[test]
    fn of_two_values_the_last_counts() {
        let startup = Startup::parse(b"\0\x03\0\0user\0a\0user\0b\0\0").unwrap();

        assert_eq!(startup.parameter("user"), Some(&b"b"[..]));
    }

    #[test]
    fn refuses_broken_layouts_at_every_cut() {
        for cut in 4..PSQL.len() {
            let result = Startup::parse(&PSQL[..cut]);

            assert!(
                result.is_err() || PSQL[..cut].ends_with(&[0, 0]),
                "cut at {cut}: {result:?}"
            );
        }
        assert_eq!(
            Startup::parse(b"\0\x03\0\0\0x\0\0"),
            Err(StartupError::Layout)
        );
        assert_eq!(
            Startup::parse(b"\0\x03\0\0a\0b\0\0\0"),
            Err(StartupError::Layout)
        );
        assert_eq!(Startup::parse(b"\0\x03"), Err(StartupError::Layout));
    }

    #[test]
    fn refuses_other_majors() {
        assert_eq!(Startup::parse(b"\0\x02\0\0\0"), Err(StartupError::Version));
        assert_eq!(Startup::parse(b"\0\x04\0\0\0"), Err(StartupError::Version));
    }

    #[test]
    fn refuses_replication_in_every_spelling() {
        for value in ["true", "on", "1", "yes", "database", "t", ""] {
            let packet = [b"\0\x03\0\0replication\0", value.as_bytes(), b"\0\0"].concat();

            assert_eq!(
                Startup::parse(&packet),
                Err(StartupError::Replication),
                "{value}"
            );
        }
        let upper = Startup::parse(b"\0\x03\0\0REPLICATION\0true\0\0");
        assert_eq!(upper, Err(StartupError::Replication));
        let no = Startup::parse(b"\0\x03\0\0replication\0false\0\0").unwrap();
        assert_eq!(no, Startup::new(Version::V3_0));
    }

    #[test]
    fn speaks_3_2_and_says_so_to_those_who_ask_for_more() {
        let (same, said) = Startup::parse(b"\0\x03\0\x02\0").unwrap().negotiated();
        assert_eq!((same.version(), said), (Version::V3_2, None));

        let (lower, said) = Startup::parse(b"\0\x03\x27\x0f_pq_.x\0on\0\0")
            .unwrap()
            .negotiated();

        assert_eq!(lower, Startup::new(Version::V3_2));
        assert_eq!(said.unwrap(), b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
    }
}
