//! The inlet answers the startup at once, so that the program waits, reading NOTICE lines, until it can go on.
//! To the program this is the time between authentication and `ReadyForQuery`, where notices are allowed.

use crate::message::push_authentication_ok;
use crate::report::Report;
use crate::startup::Startup;

/// What a program may send before it was told to go on, in bytes. Well-behaved ones send nothing.
const MOST_EARLY: usize = 16 * 1024;
/// Lines shown while waiting; more would be noise.
const MOST_NOTICES: usize = 100;

/// The program sent more than is kept for it before it was told to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client did not wait for its answer")]
pub struct Early;

/// A program that was greeted and waits.
#[derive(Debug)]
pub struct Hold {
    startup: Startup,
    early: Vec<u8>,
    last: Option<String>,
    notices: usize,
}

impl Hold {
    /// Takes a program's startup and gives what to answer at once.
    ///
    /// # Errors
    /// When the program sent too much already.
    pub fn begin(startup: Startup, early: Vec<u8>) -> Result<(Self, Vec<u8>), Early> {
        let (startup, negotiated) = startup.negotiated();
        let mut greeting = negotiated.unwrap_or_default();
        push_authentication_ok(&mut greeting);
        let mut hold = Self {
            startup,
            early: Vec::new(),
            last: None,
            notices: 0,
        };
        hold.handle_input(&early)?;
        Ok((hold, greeting))
    }

    /// Keeps what the program sends too early.
    ///
    /// # Errors
    /// When it is more than 16 KiB.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), Early> {
        if self.early.len() + bytes.len() > MOST_EARLY {
            return Err(Early);
        }
        self.early.extend_from_slice(bytes);
        Ok(())
    }

    /// The line that says what is awaited; nothing when it was just said.
    pub fn notice(&mut self, text: &str) -> Option<Vec<u8>> {
        if self.last.as_deref() == Some(text) || self.notices >= MOST_NOTICES {
            return None;
        }
        self.notices += 1;
        self.last = Some(text.to_owned());
        Some(Report::notice(text).encode())
    }

    /// The startup, for whoever logs in.
    #[must_use]
    pub fn startup(&self) -> Vec<u8> {
        self.startup.encode()
    }

    /// Goes on: what the program has said since.
    #[must_use]
    pub fn go_on(self) -> Vec<u8> {
        self.early
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::startup::Version;

    #[test]
    fn greets_waits_and_goes_on_with_what_the_program_said() {
        let startup = Startup::new(Version::V3_0).with("user", "ana");

        let (mut hold, greeting) = Hold::begin(startup.clone(), b"Q".to_vec()).unwrap();
        hold.handle_input(b"uery").unwrap();

        assert_eq!(greeting, b"R\0\0\0\x08\0\0\0\0");
        assert_eq!(hold.startup(), startup.encode());
        assert_eq!(hold.go_on(), b"Query");
    }

    #[test]
    fn says_the_version_before_it_says_ok() {
        let newer = Startup::parse(b"\0\x03\0\x09\0").unwrap();

        let (hold, greeting) = Hold::begin(newer, vec![]).unwrap();

        assert_eq!(
            greeting,
            b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0R\0\0\0\x08\0\0\0\0"
        );
        assert_eq!(hold.startup(), b"\0\0\0\x09\0\x03\0\x02\0");
    }

    #[test]
    fn says_each_thing_once_and_not_for_ever() {
        let (mut hold, _) = Hold::begin(Startup::new(Version::V3_0), vec![]).unwrap();

        assert!(hold.notice("waiting for sign-in").is_some());
        assert!(hold.notice("waiting for sign-in").is_none());
        assert!(hold.notice("waiting for the hub").is_some());
        let said = (0..1_000)
            .filter(|i| hold.notice(&i.to_string()).is_some())
            .count();
        assert_eq!(said, 98);
    }

    #[test]
    fn does_not_store_what_an_impatient_program_pours_in() {
        let (mut hold, _) = Hold::begin(Startup::new(Version::V3_0), vec![]).unwrap();

        assert_eq!(hold.handle_input(&vec![0; MOST_EARLY]), Ok(()));
        assert_eq!(hold.handle_input(&[0]), Err(Early));
    }
}
