//! Which request somebody means who types the first letters of an id.
//! A newcomer would take the only one that begins so: whoever asks may try ids until one begins like another request's, and
//! put it in that one's place between the look and the answer. Letters stand for what a terminal has printed, or are confirmed.

use tidegate_agent::{OrgSnapshot, RequestShown};
use tidegate_proto::span;

use super::not_open;
use crate::failure::{Exit, Failure};
use crate::out::asked;

/// Fewest letters of an id that are taken for it.
const SHORTEST: usize = 4;

/// The one that is meant; a person confirms it where the letters alone do not say.
pub(super) fn meant<'a>(org: &'a OrgSnapshot, id: &str) -> Result<&'a RequestShown, Failure> {
    let (request, sure) = found(org, id)?;
    if sure {
        return Ok(request);
    }
    let question = format!("{}\nIs this the one?", described(request));
    match asked(&question) {
        Some(true) => Ok(request),
        Some(false) => Err(Failure::new(
            Exit::Usage,
            "nothing was done",
            "another one was meant",
            "look at the list: tidegate requests",
        )),
        None => Err(Failure::new(
            Exit::Usage,
            "these letters are not certain",
            "no list that was printed here shows them for this request alone",
            format!("write the whole id: {}", request.id),
        )),
    }
}

/// The open one whose id begins so, and whether nothing else can be meant.
fn found<'a>(org: &'a OrgSnapshot, id: &str) -> Result<(&'a RequestShown, bool), Failure> {
    if let Some(whole) = org.requests.iter().find(|one| one.id == id) {
        return Ok((whole, true));
    }
    let begins = |other: &str| id.len() >= SHORTEST && other.starts_with(id);
    let open: Vec<_> = org.requests.iter().filter(|one| begins(&one.id)).collect();
    let printed: Vec<_> = org.printed.iter().filter(|one| begins(one)).collect();
    match open.as_slice() {
        [] => Err(not_open()),
        [only] => Ok((only, printed == [&only.id])),
        several => Err(Failure::new(
            Exit::Usage,
            "more than one could be meant",
            format!("{} requests begin with these letters", several.len()),
            "write more of the id",
        )),
    }
}

/// All that is decided about, with who asks as their device signed it.
fn described(request: &RequestShown) -> String {
    let only = if request.read_only { ", read-only" } else { "" };
    let emergency = if request.emergency { ", emergency" } else { "" };
    format!(
        "{}\n  {} asks for {} for {}{only}{emergency}: {}",
        request.id,
        who(request),
        request.service,
        span::text(request.seconds),
        request.reason,
    )
}

/// Who asks: what is signed first, and the hub's word for it beside it.
pub(super) fn who(request: &RequestShown) -> String {
    match &request.name {
        _ if request.mine => "you".to_owned(),
        Some(name) if *name != request.by => format!("{} ({name}, says the hub)", request.by),
        _ => request.by.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_agent::{RequestAt, UnixTime};

    use super::*;
    use crate::user::samples;

    fn request(id: &str) -> RequestShown {
        RequestShown {
            id: id.into(),
            service: "warehouse".parse().unwrap(),
            by: "00u8f2".into(),
            name: Some("ana.head@acme.example".into()),
            mine: false,
            here: false,
            yours: true,
            reason: "replica".into(),
            seconds: 600,
            read_only: false,
            emergency: false,
            extends: None,
            asked: UnixTime(1),
            needs: 1,
            approved: vec![],
            seen: vec![],
            seen_by_me: false,
            state: RequestAt::Waiting { until: UnixTime(2) },
        }
    }

    /// One org in which these are open, and these were printed.
    fn org(open: &[&str], printed: &[&str]) -> OrgSnapshot {
        let mut org = samples::org("acme", vec![]);
        org.requests = open.iter().map(|id| request(id)).collect();
        org.printed = printed.iter().map(ToString::to_string).collect();
        org
    }

    fn is_sure(org: &OrgSnapshot, id: &str) -> Option<bool> {
        found(org, id).ok().map(|(_, sure)| sure)
    }

    #[test]
    fn letters_stand_for_what_was_printed_and_for_nothing_that_took_its_place() {
        let (looked_at, swapped) = ("Xy3f5Zk0_replica", "Xy3f5Zk0_vault");

        let shown = org(&[looked_at], &[looked_at]);
        assert_eq!(is_sure(&shown, "Xy3f"), Some(true));
        assert_eq!(is_sure(&shown, "Xy3"), None, "too short");
        assert_eq!(is_sure(&shown, "Zz9y"), None);

        let in_its_place = org(&[swapped], &[looked_at]);
        assert_eq!(is_sure(&in_its_place, "Xy3f5Zk0"), Some(false));
        assert_eq!(is_sure(&in_its_place, swapped), Some(true), "all of it");

        let printed_later = org(&[swapped], &[looked_at, swapped]);
        assert_eq!(is_sure(&printed_later, "Xy3f5Zk0"), Some(false));

        let both = org(&[looked_at, swapped], &[looked_at]);
        assert_eq!(is_sure(&both, "Xy3f5Zk0"), None);
        assert_eq!(is_sure(&org(&[looked_at], &[]), "Xy3f5Zk0"), Some(false));
    }

    #[test]
    fn the_hubs_name_for_somebody_never_stands_alone() {
        let said = described(&request("Xy3f5Zk0_vault"));

        assert!(said.contains("00u8f2 (ana.head@acme.example, says the hub) asks"));
    }
}
