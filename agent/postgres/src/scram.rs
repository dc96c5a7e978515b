//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with `tls-server-end-point` where there is a certificate.
//! The server proves itself too: whoever does not ask for `finish` has logged in to somebody who may know nothing.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub(crate) const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
pub(crate) const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// A server may ask for more rounds than its default of 4096, but not keep us at it.
const MOST_ROUNDS: u32 = 100_000;
/// Fresh random bytes for one login, so that nobody can have recorded the answer to it.
pub type Nonce = [u8; 18];

/// What is said about the TLS connection around the exchange.
pub(crate) enum Binding {
    /// There is nothing to bind to.
    Unsupported,
    /// "I could, you do not offer it": a server that did offer it hears that somebody cut it out.
    NotOffered,
    /// The hash of the server's certificate.
    ServerEndPoint(Vec<u8>),
}

impl Binding {
    fn header(&self) -> &'static str {
        match self {
            Self::Unsupported => "n,,",
            Self::NotOffered => "y,,",
            Self::ServerEndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    /// Header and hash as the second message repeats them.
    fn encoded(&self) -> String {
        let hash: &[u8] = match self {
            Self::Unsupported | Self::NotOffered => &[],
            Self::ServerEndPoint(hash) => hash,
        };
        STANDARD.encode([self.header().as_bytes(), hash].concat())
    }
}

/// The server said what SCRAM does not know, or did not prove what it has to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's part in SCRAM does not hold")]
pub(crate) struct Unproven;

/// The first message is out.
pub(crate) struct Scram {
    password: Zeroizing<Vec<u8>>,
    binding: Binding,
    nonce: String,
    /// Without the header.
    first: String,
}

/// The second message is out; the server's own proof is awaited.
pub(crate) struct Proven {
    server_key: hmac::Key,
    conversation: String,
}

impl Scram {
    /// Begins with a nonce that nobody has seen.
    pub(crate) fn begin(nonce: Nonce, password: &[u8], binding: Binding) -> Self {
        // PostgreSQL takes the name from the startup.
        Self::with("", STANDARD.encode(nonce), password, binding)
    }

    fn with(name: &str, nonce: String, password: &[u8], binding: Binding) -> Self {
        Self {
            password: prepared(password),
            first: format!("n={name},r={nonce}"),
            binding,
            nonce,
        }
    }

    /// What to send first.
    pub(crate) fn message(&self) -> String {
        format!("{}{}", self.binding.header(), self.first)
    }

    /// Takes the server's challenge; gives what to send next.
    pub(crate) fn prove(self, challenge: &[u8]) -> Result<(Proven, String), Unproven> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| Unproven)?;
        let Challenge {
            nonce,
            salt,
            rounds,
        } = Challenge::read(challenge).ok_or(Unproven)?;
        // The server adds to our nonce: the same again would be somebody's echo.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Unproven);
        }
        let mut salted = Zeroizing::new([0; SHA256_OUTPUT_LEN]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            &self.password,
            &mut *salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        let stored_key = digest(&SHA256, client_key.as_ref());

        let bare = format!("c={},r={nonce}", self.binding.encoded());
        let conversation = format!("{},{challenge},{bare}", self.first);
        let stored_key = hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref());
        let signature = hmac::sign(&stored_key, conversation.as_bytes());
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signed)| key ^ signed).collect();
        let proven = Proven {
            server_key: hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref()),
            conversation,
        };
        Ok((proven, format!("{bare},p={}", STANDARD.encode(proof))))
    }
}

impl Proven {
    /// Takes the server's last message: it knows what belongs to the password.
    pub(crate) fn finish(self, last: &[u8]) -> Result<(), Unproven> {
        let verifier = last.strip_prefix(b"v=").ok_or(Unproven)?;
        let verifier = STANDARD.decode(verifier).map_err(|_| Unproven)?;
        hmac::verify(&self.server_key, self.conversation.as_bytes(), &verifier)
            .map_err(|_| Unproven)
    }
}

/// `r=…,s=…,i=…`, and nothing else.
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

impl<'a> Challenge<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = parts.next()?.strip_prefix("s=")?;
        let rounds = parts.next()?.strip_prefix("i=")?;
        let digits = rounds.bytes().all(|byte| byte.is_ascii_digit());
        let rounds: u32 = rounds.parse().ok().filter(|_| digits)?;
        let (salt, over) = (STANDARD.decode(salt).ok()?, parts.next());
        (over.is_none() && !salt.is_empty() && rounds <= MOST_ROUNDS).then_some(())?;
        Some(Self {
            nonce,
            salt,
            rounds: NonZeroU32::new(rounds)?,
        })
    }
}

/// As PostgreSQL does: prepared where that is possible, else as it is.
fn prepared(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = std::str::from_utf8(password).ok();
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    Zeroizing::new(match prepared {
        Some(text) => text.into_owned().into_bytes(),
        None => password.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NONCE_OF_RFC: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677 section 3.
    fn example() -> Scram {
        Scram::with("user", NONCE_OF_RFC.into(), b"pencil", Binding::Unsupported)
    }

    #[test]
    fn speaks_as_the_rfc_does() {
        let scram = example();
        assert_eq!(scram.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");

        let (proven, second) = scram.prove(CHALLENGE.as_bytes()).unwrap();

        assert_eq!(
            second,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(proven.finish(last), Ok(()));
    }

    #[test]
    fn a_server_that_proves_nothing_is_not_believed() {
        for last in [
            &b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="[..],
            b"v=",
            b"v=6rri",
            b"e=invalid-proof",
            b"",
        ] {
            let (proven, _) = example().prove(CHALLENGE.as_bytes()).unwrap();
            assert_eq!(proven.finish(last), Err(Unproven), "{last:?}");
        }
    }

    #[test]
    fn a_challenge_that_is_none_is_not_answered() {
        let ours = NONCE_OF_RFC;
        for challenge in [
            String::new(),
            format!("r={ours},s=W22Z,i=4096"),
            "r=another,s=W22Z,i=4096".to_owned(),
            format!("r={ours}x,s=W22Z,i=0"),
            format!("r={ours}x,s=W22Z,i=-1"),
            format!("r={ours}x,s=W22Z,i=+1"),
            format!("r={ours}x,s=W22Z,i=100001"),
            format!("r={ours}x,s=W22Z,i=99999999999"),
            format!("r={ours}x,s=,i=4096"),
            format!("r={ours}x,s=?,i=4096"),
            format!("r={ours}x,s=W22Z"),
            format!("r={ours}x,s=W22Z,i=4096,x=1"),
            format!("m=more,r={ours}x,s=W22Z,i=4096"),
        ] {
            let answered = example().prove(challenge.as_bytes());
            assert!(answered.is_err(), "{challenge}");
        }
    }

    #[test]
    fn binds_to_the_certificate_and_says_when_it_could_have() {
        let said = |binding| {
            let scram = Scram::with("", NONCE_OF_RFC.into(), b"pencil", binding);
            let first = scram.message();
            (first, scram.prove(CHALLENGE.as_bytes()).unwrap().1)
        };

        let (first, second) = said(Binding::ServerEndPoint(vec![1, 2, 3]));
        assert!(first.starts_with("p=tls-server-end-point,,n=,r="));
        assert!(second.starts_with("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAQID,r="));
        let (first, second) = said(Binding::NotOffered);
        assert!(first.starts_with("y,,n=,r="));
        assert!(second.starts_with("c=eSws,r="));
    }
}
