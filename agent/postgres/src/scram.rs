//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with `tls-server-end-point` where there is a certificate.
//! The server proves itself too: whoever does not ask for `finish` has logged in to somebody who may know nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::keys::{KeptKeys, Keys};

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
    kept: Arc<KeptKeys>,
    binding: Binding,
    nonce: String,
    /// Without the header.
    first: String,
}

/// The second message is out; the server's own proof is awaited.
pub(crate) struct Proven {
    keys: Arc<Keys>,
    kept: Arc<KeptKeys>,
    conversation: String,
}

impl Scram {
    /// Begins with a nonce that nobody has seen.
    pub(crate) fn begin(
        nonce: Nonce,
        password: &[u8],
        binding: Binding,
        kept: Arc<KeptKeys>,
    ) -> Self {
        // PostgreSQL takes the name from the startup.
        Self::with("", STANDARD.encode(nonce), (password, kept), binding)
    }

    fn with(
        name: &str,
        nonce: String,
        (password, kept): (&[u8], Arc<KeptKeys>),
        binding: Binding,
    ) -> Self {
        Self {
            password: prepared(password),
            kept,
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
        let keys = self.kept.keys(&self.password, &salt, rounds);
        let bare = format!("c={},r={nonce}", self.binding.encoded());
        let conversation = format!("{},{challenge},{bare}", self.first);
        let proof = STANDARD.encode(keys.proof(&conversation));
        let proven = Proven {
            keys,
            kept: self.kept,
            conversation,
        };
        Ok((proven, format!("{bare},p={proof}")))
    }
}

impl Proven {
    /// Takes the server's last message: it knows what belongs to the password.
    pub(crate) fn finish(self, last: &[u8]) -> Result<(), Unproven> {
        let verifier = last.strip_prefix(b"v=").ok_or(Unproven)?;
        let verifier = STANDARD.decode(verifier).map_err(|_| Unproven)?;
        if !self.keys.verifies(&self.conversation, &verifier) {
            return Err(Unproven);
        }
        self.kept.keep(self.keys);
        Ok(())
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
        example_with(&kept())
    }

    fn example_with(kept: &Arc<KeptKeys>) -> Scram {
        let secret = (&b"pencil"[..], Arc::clone(kept));
        Scram::with("user", NONCE_OF_RFC.into(), secret, Binding::Unsupported)
    }

    fn kept() -> Arc<KeptKeys> {
        Arc::new(KeptKeys::new(&[1; 32]))
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
    fn only_a_server_that_proved_itself_leaves_keys_for_the_next_login_which_says_the_same() {
        let kept = kept();
        let login = |last: &[u8]| {
            let (proven, second) = example_with(&kept).prove(CHALLENGE.as_bytes()).unwrap();
            let keys = Arc::downgrade(&proven.keys);
            (second, keys, proven.finish(last))
        };

        let (first, of_liar, refused) = login(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(refused, Err(Unproven));
        assert!(of_liar.upgrade().is_none());

        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let (second, keys, done) = login(last);
        assert_eq!(done, Ok(()));
        let (third, again, done) = login(last);
        assert_eq!(done, Ok(()));
        assert!(keys.ptr_eq(&again) && keys.upgrade().is_some());
        assert_eq!([&first, &second], [&second, &third]);
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
            let secret = (&b"pencil"[..], kept());
            let scram = Scram::with("", NONCE_OF_RFC.into(), secret, binding);
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
