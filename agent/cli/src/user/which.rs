//! Which service a person means, and what they may have meant where there is none of that name.
//! The names offered come from their own catalogue only: a forbidden service and one that never was are answered alike.

use tidegate_agent::{Code, OrgName, ServiceRef, ServiceView, Snapshot};

use crate::failure::Failure;

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.7;

/// `warehouse` or `acme/warehouse`, as the agent is told.
pub(crate) fn service(snapshot: &Snapshot, text: &str) -> Result<ServiceRef, Failure> {
    let found = snapshot.find(text).map_err(Failure::from);
    found.map_err(|failure| suggest(failure, snapshot, text))
}

/// As `service`, and it must be in the catalogue.
pub(crate) fn listed<'a>(
    snapshot: &'a Snapshot,
    text: &str,
) -> Result<(OrgName, &'a ServiceView), Failure> {
    let found = service(snapshot, text)?;
    let unknown = || suggest(Code::NotAvailable.into(), snapshot, text);
    let view = snapshot.service(&found).ok_or_else(unknown)?;
    Ok((found.org, view))
}

/// Adds the name that was probably meant.
pub(crate) fn suggest(failure: Failure, snapshot: &Snapshot, text: &str) -> Failure {
    if !failure.is_unknown_service() {
        return failure;
    }
    let bare = |text: &str| text.rsplit('/').next().unwrap_or(text).to_lowercase();
    let typed = bare(text);
    // Who named an org meant that one.
    let named = text.split_once('/').map(|(org, _)| org);
    let is_meant = |org: &str| named.is_none_or(|named| named == org);
    let services = snapshot.services().map(|(org, view)| (org, &view.name));
    let known = services.filter(|(org, _)| is_meant(org.name.as_str()));
    let scored = known.map(|(org, name)| {
        let alike = strsim::jaro_winkler(&typed, name.as_str());
        (alike, ServiceRef::new(&org.name, name))
    });
    let best = scored
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((_, meant)) if snapshot.orgs.len() > 1 => failure.meant(&meant.to_string()),
        Some((_, meant)) => failure.meant(meant.service.as_str()),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::samples::two_orgs;

    #[test]
    fn offers_what_was_probably_meant_and_nothing_far_fetched() {
        let snapshot = two_orgs();
        let said = |text: &str| {
            listed(&snapshot, text)
                .map(|_| ())
                .err()
                .map(|f| f.to_string())
        };

        let close = said("acme/warehose").unwrap_or_default();
        let far = said("acme/zzz").unwrap_or_default();

        assert!(close.contains("Did you mean `acme/warehouse`?"), "{close}");
        assert!(!far.contains("Did you mean"), "{far}");
    }

    #[test]
    fn a_name_that_two_orgs_have_is_asked_about() {
        let said = listed(&two_orgs(), "warehouse").map(|_| ()).err();

        let text = said.map(|failure| failure.to_string()).unwrap_or_default();
        assert!(text.contains("acme/warehouse or beta/warehouse"), "{text}");
    }
}
