//! What a person may look at when the browser does not come back: one sentence a guess, each with something to do.
//! They are guesses and say so; a problem says what is known.

use crate::likely::LikelyCause;

/// The sentence for a guess.
#[must_use]
pub fn likely(cause: LikelyCause) -> &'static str {
    match cause {
        LikelyCause::BrowserDidNotOpen => {
            "No browser could be opened here: copy the address into one."
        }
        LikelyCause::OlderTab => {
            "A tab of an earlier sign-in came back: close it and go on in the newest one."
        }
        LikelyCause::PageWaits => {
            "The page may still wait for you: a password, a code, a message on your phone."
        }
        LikelyCause::AnotherAccount => {
            "The browser may be signed in with another account: sign out there, or copy the address into a private window."
        }
        LikelyCause::PageBlocked => {
            "The page may be behind another window or held by a blocker: look for a new tab, or copy the address."
        }
        LikelyCause::NeedsVpn => {
            "The page may open only in your company's network: if it shows an error, start the VPN and sign in again."
        }
        LikelyCause::WayBackBlocked => {
            "A proxy or an add-on may keep the browser from coming back to this computer: allow 127.0.0.1."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guess_is_one_sentence_with_something_to_do() {
        let all = LikelyCause::ALL.map(likely);

        for said in all {
            assert!(said.ends_with('.') && said.contains(": "), "{said}");
            assert_eq!(said.matches(". ").count(), 0, "{said}");
        }
        insta::assert_snapshot!("likely", all.join("\n"));
    }
}
