//! Requests and grants as a person reads them in a terminal.
//! All texts of others are safe to show by then; here they are only put into rows.

use tidegate_agent::{RequestAt, RequestShown, UnixTime};
use tidegate_proto::span;

use super::super::ls::left;
use super::naming;
use crate::table::{Cell, Screen, Tone, cell, plain};

/// Letters of an id that are shown.
const SHOWN_ID: usize = 8;

pub(super) fn requests(requests: &[RequestShown], screen: Screen, now: UnixTime) -> String {
    if requests.is_empty() {
        return "Nobody waits for you, and you have not asked for anything.".into();
    }
    let heads = ["ID", "SERVICE", "WHO", "FOR", "STATE", "REASON"];
    let rows: Vec<_> = requests.iter().map(|one| row(one, now)).collect();
    screen.table(&heads, &rows)
}

pub(super) fn grants(requests: &[RequestShown], screen: Screen, now: UnixTime) -> String {
    if requests.is_empty() {
        return "Nothing is granted.".into();
    }
    let heads = ["ID", "SERVICE", "WHO", "FOR", "LEFT", "APPROVED BY"];
    let rows: Vec<_> = requests.iter().map(|one| grant_row(one, now)).collect();
    screen.table(&heads, &rows)
}

pub(super) fn asked(request: &RequestShown, now: UnixTime) -> String {
    let (id, service) = (short(request), &request.service);
    match &request.state {
        RequestAt::Granted { claim_by, .. } => format!(
            "Granted: {service} for {}, to be used within {} ({id}).",
            extent(request),
            left(*claim_by, now)
        ),
        _ if request.extends.is_some() => format!(
            "Asked for {} more of {service} ({id}). What is open goes on once it is approved.",
            extent(request)
        ),
        _ => format!(
            "Asked for {service} for {} ({id}). `tidegate connect {service}` goes on by itself once it is approved.",
            extent(request)
        ),
    }
}

pub(super) fn approved(request: &RequestShown) -> String {
    match &request.state {
        RequestAt::Granted { .. } => {
            format!("Approved: {} for {}.", request.service, extent(request))
        }
        _ => format!(
            "Approved; {} of {} have.",
            request.approved.len(),
            request.needs
        ),
    }
}

fn row(request: &RequestShown, now: UnixTime) -> Vec<Cell> {
    let (state, tone) = state(request, now);
    vec![
        plain(short(request)),
        plain(request.service.as_str()),
        plain(&naming::who(request)),
        plain(&extent(request)),
        cell(&state, tone),
        cell(&request.reason, Tone::Faint),
    ]
}

fn grant_row(request: &RequestShown, now: UnixTime) -> Vec<Cell> {
    let until = match &request.state {
        RequestAt::Granted {
            until: Some(until), ..
        } => left(*until, now),
        RequestAt::Granted { claim_by, .. } => format!("unused, {} to begin", left(*claim_by, now)),
        _ => String::new(),
    };
    let approved = match request.approved.as_slice() {
        [] if request.emergency => "nobody: emergency".to_owned(),
        [] => "nobody: the rules".to_owned(),
        some => some.join(", "),
    };
    vec![
        plain(short(request)),
        plain(request.service.as_str()),
        plain(&naming::who(request)),
        plain(&extent(request)),
        plain(&until),
        cell(&approved, Tone::Faint),
    ]
}

fn state(request: &RequestShown, now: UnixTime) -> (String, Tone) {
    let because = |what: &str, by: &str, because: &str| match because {
        "" => format!("{what} by {by}"),
        because => format!("{what} by {by}: {because}"),
    };
    match &request.state {
        RequestAt::Waiting { .. } if request.yours => ("waits for you".into(), Tone::Waiting),
        RequestAt::Waiting { until } => {
            let seen = match request.seen.as_slice() {
                [] => String::new(),
                some => format!(", seen by {}", some.join(", ")),
            };
            (
                format!("waiting, {} left{seen}", left(*until, now)),
                Tone::Waiting,
            )
        }
        RequestAt::Granted {
            until: Some(until), ..
        } => (format!("in use, {} left", left(*until, now)), Tone::Good),
        RequestAt::Granted { .. } => ("granted".into(), Tone::Good),
        RequestAt::Denied { by, because: why } => (because("denied", by, why), Tone::Bad),
        RequestAt::Withdrawn => ("withdrawn".into(), Tone::Faint),
        RequestAt::Expired => ("nobody decided".into(), Tone::Faint),
        RequestAt::TakenBack { by, because: why } => (because("taken back", by, why), Tone::Bad),
        RequestAt::Over { used: true } => ("over".into(), Tone::Faint),
        RequestAt::Over { used: false } => ("never used".into(), Tone::Faint),
    }
}

/// What was given, or else asked for.
fn extent(request: &RequestShown) -> String {
    let (seconds, read_only) = match &request.state {
        RequestAt::Granted {
            seconds, read_only, ..
        } => (*seconds, *read_only),
        _ => (request.seconds, request.read_only),
    };
    let only = if read_only { ", read-only" } else { "" };
    format!("{}{only}", span::text(seconds))
}

fn short(request: &RequestShown) -> &str {
    request.id.get(..SHOWN_ID).unwrap_or(&request.id)
}
