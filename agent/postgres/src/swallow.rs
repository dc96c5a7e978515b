//! The outlet's `AuthenticationOk` was already said by the inlet: it is dropped, once, and only that.
//! Anything else the outlet begins with (a FATAL, say) is the program's to read.

use crate::message::push_authentication_ok;

/// The outlet asked for authentication, which it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outlet did not begin with AuthenticationOk")]
pub struct SwallowError;

/// What is known so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Swallowed {
    /// Not enough to tell.
    Nothing,
    /// From here on everything goes to the program, these bytes first.
    Through(Vec<u8>),
}

/// Looks at the outlet's first message.
#[derive(Debug, Default)]
pub struct Swallow {
    begun: Vec<u8>,
}

impl Swallow {
    /// Takes what came out of the portal.
    ///
    /// # Errors
    /// When the outlet wants to authenticate the program.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<Swallowed, SwallowError> {
        self.begun.extend_from_slice(bytes);
        let mut ok = Vec::with_capacity(9);
        push_authentication_ok(&mut ok);
        match self.begun.first() {
            None => Ok(Swallowed::Nothing),
            Some(b'R') if self.begun.starts_with(&ok) => {
                Ok(Swallowed::Through(self.begun.split_off(ok.len())))
            }
            Some(b'R') if ok.starts_with(&self.begun) => Ok(Swallowed::Nothing),
            Some(b'R') => Err(SwallowError),
            Some(_) => Ok(Swallowed::Through(std::mem::take(&mut self.begun))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTLET: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x04Z\0\0\0\x05I";

    #[test]
    fn drops_the_ok_however_it_is_cut() {
        for cut in 0..=OUTLET.len() {
            let mut swallow = Swallow::default();
            let mut got = vec![];
            for piece in [&OUTLET[..cut], &OUTLET[cut..]] {
                if !got.is_empty() {
                    got.extend_from_slice(piece);
                } else if let Ok(Swallowed::Through(bytes)) = swallow.handle_input(piece) {
                    got = bytes;
                    if got.is_empty() {
                        got.extend_from_slice(&OUTLET[cut.max(9)..]);
                        break;
                    }
                }
            }
            assert_eq!(got, OUTLET[9..], "cut at {cut}");
        }
    }

    #[test]
    fn lets_a_refusal_through() {
        let refusal = b"E\0\0\0\x05\0".to_vec();

        assert_eq!(
            Swallow::default().handle_input(&refusal),
            Ok(Swallowed::Through(refusal))
        );
    }

    #[test]
    fn never_lets_the_outlet_ask_for_a_password() {
        let cleartext_please = b"R\0\0\0\x08\0\0\0\x03";

        assert_eq!(
            Swallow::default().handle_input(cleartext_please),
            Err(SwallowError)
        );
    }
}
