//! Whether the relays that the catalogue names can be dialled: bytes go through them, not through the authority.
//! Only the door is tried; what is behind it is proven by each connection.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tidegate_link::dial;

use super::Check;
use crate::disk::Membership;

const NAME: &str = "relay";
const LIMIT: Duration = Duration::from_secs(6);

pub(super) async fn check(membership: &Membership) -> Check {
    let Some(root) = membership.root_key else {
        return Check::skipped(NAME, "None is known before the first sign-in.");
    };
    let mut trust = membership.trust.clone();
    let catalogue = trust.catalogue(&membership.services, &root, &membership.org);
    let listed = catalogue
        .values()
        .flat_map(|listing| &listing.statement.relays);
    let addresses: BTreeSet<String> = listed.map(|relay| relay.address.to_string()).collect();
    let dialled = addresses.iter().map(|address| async move {
        let parsed = address.parse().ok()?;
        Some((address, dial(&parsed, LIMIT).await.is_ok()))
    });
    let dialled: Vec<_> = join_all(dialled).await.into_iter().flatten().collect();
    let closed: Vec<_> = dialled
        .iter()
        .filter_map(|(address, open)| (!open).then_some(address.as_str()))
        .collect();
    match (dialled.len(), closed.as_slice()) {
        (0, _) => Check::skipped(NAME, "No service is known yet."),
        (count, []) => Check::ok(NAME, &format!("{count} of {count} answer.")),
        (count, closed) if closed.len() < count => Check::warn(
            NAME,
            &format!(
                "{} of {count} do not answer: {}.",
                closed.len(),
                closed.join(", ")
            ),
            "Connections use the others; tell your administrator.",
        ),
        (_, closed) => Check::fail(
            NAME,
            &format!("None answers: {}.", closed.join(", ")),
            "Check your network, and whether it lets connections out to these ports.",
        ),
    }
}
