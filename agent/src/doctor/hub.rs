//! Whether the hub's name is known, its door answers, and behind it is who the join link said.
//! The settings of the identity provider come from here too, signed by the org's root.

use std::time::Duration;

use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::problem::Code;
use tidegate_proto::statement::{AuthorityStatement, IdpStatement};

use super::{Check, Verdict};
use crate::clock::Clock;
use crate::disk::Membership;
use crate::hub::api::{Api, ApiError};
use tokio::time::timeout;

/// For an answer about a name.
const NAMES: Duration = Duration::from_secs(5);

/// What was seen at the hub.
pub(super) struct Seen {
    pub(super) dns: Check,
    pub(super) reach: Check,
    pub(super) authority: Check,
    /// What the hub's signatures say about our clock: `Some(false)`, they are not valid now.
    pub(super) clock: Option<bool>,
    pub(super) idp: Option<IdpStatement>,
}

pub(super) async fn look(membership: &Membership) -> Seen {
    let address = &membership.hub;
    let dns = dns(address.host(), address.port()).await;
    if dns.verdict == Verdict::Fail {
        let unknown = "Its name leads nowhere.";
        return Seen {
            dns,
            reach: Check::skipped("hub", unknown),
            authority: Check::skipped("policy", unknown),
            clock: None,
            idp: None,
        };
    }
    match settings(membership).await {
        Ok((authority, idp)) => Seen {
            dns,
            reach: Check::ok(
                "hub",
                &format!("{address} answers and is who it should be."),
            ),
            authority: age(&authority),
            clock: Some(true),
            idp: Some(idp),
        },
        Err(error) => {
            let problem = error.problem(address);
            let clock = (problem.code == Code::ClockOff).then_some(false);
            let unknown = "The hub did not answer, so the age of its authority is not known.";
            Seen {
                dns,
                reach: Check::problem("hub", &problem),
                authority: Check::skipped("policy", unknown),
                clock,
                idp: None,
            }
        }
    }
}

/// Whether a name leads to an address. A name server that says nothing is as good as none.
async fn dns(host: &str, port: u16) -> Check {
    let found = timeout(NAMES, tokio::net::lookup_host((host, port))).await;
    let finding = match found.map(|found| found.map(Iterator::count)) {
        Ok(Ok(count)) if count > 0 => return Check::ok("dns", &format!("{host} is known.")),
        Ok(_) => format!("Nobody knows the address of {host}."),
        Err(_) => format!("No name server says where {host} is."),
    };
    let fix = "Check your network; behind a company's DNS, connect to that network first.";
    Check::fail("dns", &finding, fix)
}

async fn settings(membership: &Membership) -> Result<(AuthorityStatement, IdpStatement), ApiError> {
    let local = NoiseSecret::generate(&SystemEntropy);
    let mut api = Api::connect(&membership.hub(), &local).await?;
    let settings = api.settings().await?;
    // A copy: looking changes nothing that is remembered.
    let mut trust = membership.trust.clone();
    let idp = trust.idp(&settings, &api.root, &membership.org)?;
    Ok((api.authority.clone(), idp))
}

/// How long what the root signed for the hub is still good.
fn age(authority: &AuthorityStatement) -> Check {
    let left = Clock::system().now().until(authority.not_after);
    let days = left / 86_400;
    if left < AuthorityStatement::WARNING {
        return Check::warn(
            "policy",
            &format!("What the organisation signed for its hub ends in {days} days."),
            "Tell your administrator: `tidegate org sign` renews it.",
        );
    }
    Check::ok(
        "policy",
        &format!("What the organisation signed for its hub is good for {days} more days."),
    )
}
