//! The words about requests for access: in the window, in the tray's menu, in notifications, in the list of what happened.
//! A newcomer would put names of others first in a sentence of ours: what others wrote stands after ours, so that it cannot pose as it.

use tidegate_agent::{Follower, RequestAt, RequestShown, ServiceName};
use tidegate_proto::text::Shown;

use crate::label::label;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// In characters.
const REASON_TOLD: usize = 200;

/// `2 h`, `1 h 30 min`, `3 days`: as a button says it.
pub fn span(seconds: u64) -> String {
    // Rounded first and split then: what is left of an hour must not become sixty minutes.
    let seconds = seconds.div_ceil(MINUTE) * MINUTE;
    let days = seconds / DAY;
    let (hours, minutes) = ((seconds % DAY) / HOUR, (seconds % HOUR) / MINUTE);
    let mut parts = Vec::new();
    match days {
        0 => {}
        1 => parts.push("1 day".to_owned()),
        days => parts.push(format!("{days} days")),
    }
    if hours > 0 {
        parts.push(format!("{hours} h"));
    }
    if minutes > 0 || parts.is_empty() {
        parts.push(format!("{minutes} min"));
    }
    parts.join(" ")
}

/// `2 h, read-only`
pub fn extent(seconds: u64, read_only: bool) -> String {
    let only = if read_only { ", read-only" } else { "" };
    format!("{}{only}", span(seconds))
}

pub(super) fn who_decides(approvals: u8) -> String {
    match approvals {
        0 => "The rules decide at once.".to_owned(),
        1 => "One person has to approve.".to_owned(),
        many => format!("{many} people have to approve."),
    }
}

/// Who has seen it, and how many have approved.
pub(super) fn progress(request: &RequestShown) -> Vec<String> {
    let mut told = Vec::new();
    if let RequestAt::Waiting { .. } = request.state {
        if request.mine {
            told.push(match names(&request.seen) {
                None => "Nobody has seen it yet".to_owned(),
                Some(names) => format!("Seen by {names}, says the hub"),
            });
        }
        if request.needs > 1 {
            let have = request.approved.len();
            told.push(format!(
                "{have} of {} have approved, says the hub",
                request.needs
            ));
        }
    } else if let Some(names) = names(&request.approved) {
        told.push(format!("Approved by {names}, says the hub"));
    } else if let RequestAt::Granted { .. } = request.state {
        let how = if request.emergency {
            "Nobody approved it: it is an emergency"
        } else {
            "Approved by the rules"
        };
        told.push(how.to_owned());
    }
    told
}

fn names(all: &[String]) -> Option<String> {
    let shown: Vec<String> = all.iter().take(3).map(|name| label(name)).collect();
    let more = match all.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty()).then(|| shown.join(", ") + &more)
}

/// How it ended, as a sentence.
pub(super) fn end(request: &RequestShown) -> String {
    let because = |what: &str, by: &str, because: &str| {
        let by = label(by);
        match because {
            "" => format!("{what} by {by}, says the hub."),
            because => format!("{what} by {by}, says the hub: {because}"),
        }
    };
    match &request.state {
        RequestAt::TakenBack { .. } if was_given_back(request) => "Given back.".to_owned(),
        RequestAt::Denied { by, because: why } => because("Denied", by, why),
        RequestAt::TakenBack { by, because: why } => because("Taken back", by, why),
        RequestAt::Withdrawn => "Withdrawn.".to_owned(),
        RequestAt::Expired => "Nobody decided in time.".to_owned(),
        RequestAt::Over { used: true } => "Its time is over.".to_owned(),
        RequestAt::Over { used: false } => "It was never used.".to_owned(),
        RequestAt::Waiting { .. } | RequestAt::Granted { .. } => String::new(),
    }
}

/// Whoever asked ended it. The hub names them here as it does there.
fn was_given_back(request: &RequestShown) -> bool {
    let RequestAt::TakenBack { by, .. } = &request.state else {
        return false;
    };
    *by == request.by || Some(by) == request.name.as_ref()
}

/// A title and a text about an emergency that others have to see.
pub fn alarm(request: &RequestShown) -> (String, String) {
    let title = format!("Emergency access to {}", request.service);
    let (by, extent) = (who(request), extent(request.seconds, request.read_only));
    let took = match request.state {
        RequestAt::Waiting { .. } => "asks for it",
        _ if request.approved.is_empty() => "took it without an approval",
        _ => "took it",
    };
    let reason = shortened(&request.reason);
    (
        title,
        format!("{by} {took}, for {extent}. In their words: {reason}"),
    )
}

/// A title and a text for whoever is to decide.
pub fn asks(request: &RequestShown) -> (String, String) {
    let what = if request.emergency {
        "asks for emergency access to"
    } else if request.extends.is_some() {
        "asks for more time on"
    } else {
        "asks for"
    };
    let by = who(request);
    let title = format!("{by} {what} {}", request.service);
    let extent = extent(request.seconds, request.read_only);
    let reason = shortened(&request.reason);
    (title, format!("For {extent}. In their words: {reason}"))
}

/// As much of a reason as a notification has room for; the window shows it whole.
fn shortened(reason: &str) -> String {
    let shown = Shown::new(reason);
    let shown = shown.as_str();
    if shown.chars().count() <= REASON_TOLD {
        return shown.to_owned();
    }
    shown.chars().take(REASON_TOLD - 1).collect::<String>() + "…"
}

/// A line of the tray's menu.
pub fn waits(requests: &[&RequestShown]) -> Option<String> {
    match requests {
        [] => None,
        [request] => Some(format!("{}…", asks(request).0)),
        many => Some(format!("{} requests for access wait for you…", many.len())),
    }
}

/// A title and a text for whoever has asked, once it is decided; `None` for what they did themselves.
pub fn decided(request: &RequestShown) -> Option<(String, String)> {
    let service = &request.service;
    match &request.state {
        RequestAt::Granted {
            seconds, read_only, ..
        } => {
            let given = extent(*seconds, *read_only);
            let asked = extent(request.seconds, request.read_only);
            let less = if given == asked {
                String::new()
            } else {
                format!(" You had asked for {asked}.")
            };
            let title = format!("{service} is yours for {given}");
            let by = progress(request).into_iter().next().unwrap_or_default();
            Some((
                title,
                format!("{by}. The time begins with the first use.{less}"),
            ))
        }
        RequestAt::Denied { .. } => Some((format!("{service} was denied"), end(request))),
        RequestAt::TakenBack { .. } if was_given_back(request) => None,
        RequestAt::TakenBack { .. } => Some((format!("{service} was taken back"), end(request))),
        RequestAt::Expired => Some((
            format!("Nobody decided about {service}"),
            "Ask again, or ask them in person.".to_owned(),
        )),
        RequestAt::Waiting { .. } | RequestAt::Withdrawn | RequestAt::Over { .. } => None,
    }
}

/// A line of the list of what happened.
pub fn became(request: &RequestShown) -> String {
    let service = &request.service;
    match decided(request) {
        Some((title, _)) => format!("{title}."),
        None => match request.state {
            RequestAt::Withdrawn => format!("The request for {service} was withdrawn."),
            RequestAt::TakenBack { .. } => {
                format!("What was approved for {service} was given back.")
            }
            _ => format!("What was approved for {service} is over."),
        },
    }
}

/// A title and a text when the time that was approved runs out.
pub fn ends_soon(service: &ServiceName, minutes: u8, follower: Follower) -> (String, String) {
    let title = format!("{service}: {minutes} min left");
    let text = match follower {
        Follower::Nothing => "Then what runs there is ended. Ask for more time to go on.",
        Follower::Asked => {
            "Then what runs there is ended. More time was asked for; nobody has approved it yet."
        }
        Follower::Granted => "Then what was approved next goes on by itself.",
    };
    (title, text.to_owned())
}

/// The button that asks for more time, while nobody was asked.
pub fn more(follower: Follower) -> Option<&'static str> {
    match follower {
        Follower::Nothing => Some("Ask for more time"),
        Follower::Asked | Follower::Granted => None,
    }
}

/// Who asks: first what the device signed. The address is the hub's word and is called that; it closes no parenthesis of ours.
pub fn who(request: &RequestShown) -> String {
    match &request.name {
        Some(name) if *name != request.by => {
            let name = label(name).replace(['(', ')'], "");
            format!("{} ({name}, says the hub)", label(&request.by))
        }
        _ => label(&request.by),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_say_them() {
        let said = [
            60, 90, 900, 3_600, 5_400, 7_199, 86_399, 86_400, 90_000, 172_800, 0,
        ]
        .map(span);

        let wanted = [
            "1 min",
            "2 min",
            "15 min",
            "1 h",
            "1 h 30 min",
            "2 h",
            "1 day",
            "1 day",
            "1 day 1 h",
            "2 days",
            "0 min",
        ];
        assert_eq!(said, wanted);
    }
}
