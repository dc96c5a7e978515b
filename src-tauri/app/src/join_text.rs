//! Reads a join link before anything acts on it, so that a person sees where it leads.
//! A newcomer would return the ticket too: the window has no use for a secret.

use serde::Serialize;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::JoinLink;
use ts_rs::TS;

use crate::problem::{ProblemView, without_button};

/// Longer text is refused unread. A real link is under 1.5 kB.
pub const MAX_JOIN_TEXT: usize = 8 * 1024;

/// What a join link says, for a person to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct LinkView {
    pub org: String,
    pub address: String,
    /// The fingerprint of the org's root key, in groups of four.
    pub root: String,
    /// Whether it enrols this computer; without one, another computer of the person has to let this one in.
    /// A link that was cut short may look like that too.
    pub invitation: bool,
}

/// # Errors
/// What is wrong with the link, for people.
pub fn read_join_text(text: &str) -> Result<LinkView, Box<ProblemView>> {
    let refused = || Box::new(without_button(None, &Problem::new(Code::JoinLinkBad)));
    if text.len() > MAX_JOIN_TEXT {
        return Err(refused());
    }
    let link = JoinLink::parse(text.trim()).map_err(|_| refused())?;
    Ok(LinkView {
        org: link.org.to_string(),
        address: link.address.to_string(),
        root: in_fours(&link.root.to_string()),
        invitation: link.ticket.is_some(),
    })
}

fn in_fours(text: &str) -> String {
    let groups: Vec<&str> = text
        .as_bytes()
        .chunks(4)
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(" ")
}
