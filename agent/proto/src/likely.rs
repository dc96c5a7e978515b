//! Why a sign-in may be waiting in vain: guesses, most likely first, for a person who looks at a browser that does not come back.
//! A newcomer would show them as problems: nothing has gone wrong yet, and perhaps nothing will.

use serde::{Deserialize, Serialize};

/// One guess; `words::likely` says it.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LikelyCause {
    /// No browser could be started here.
    BrowserDidNotOpen,
    /// A tab of an earlier sign-in came back.
    OlderTab,
    /// The page asks for something: password, second factor, consent.
    PageWaits,
    /// The browser is signed in there as somebody else.
    AnotherAccount,
    /// The page was opened in the background, or a blocker holds it.
    PageBlocked,
    /// The page is only for the company's network.
    NeedsVpn,
    /// Something keeps the browser from coming back to this computer.
    WayBackBlocked,
}

impl LikelyCause {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::BrowserDidNotOpen,
        Self::OlderTab,
        Self::PageWaits,
        Self::AnotherAccount,
        Self::PageBlocked,
        Self::NeedsVpn,
        Self::WayBackBlocked,
    ];
}
