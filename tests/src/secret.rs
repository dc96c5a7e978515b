//! Passwords of one run: random, so that finding one of them anywhere is proof of a leak.
//! They are long enough to search for in whole file trees without false hits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 24 random bytes as text.
///
/// # Panics
/// When the system has no randomness.
#[must_use]
pub fn text() -> String {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}
