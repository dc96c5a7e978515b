//! The way to the hub: its name, who answers there, whether it knows this outlet, and where the provider's keys come from.
//! Asking twice does no harm: the hub gives the same answer to the running outlet and to us.

use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_link::{ApiConnection, LinkError};
use tidegate_proto::api::{Hello, OutletAnswer};
use tidegate_proto::check::Check;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{AuthorityStatement, Beacon, Seen, Statement, StatementError};
use tidegate_proto::time::SKEW;

use super::files::capital;
use crate::authority::register;
use crate::clock;
use crate::config::OutletConfig;
use crate::keys::OutletKeys;
use crate::provider_keys::Cache;

/// Provider keys older than this were not refreshed when they should have been, in seconds.
const OLD_KEYS: u64 = 3_600;

pub(super) async fn checks(config: &OutletConfig, keys: Option<&OutletKeys>) -> Vec<Check> {
    let (host, port) = (config.hub.host(), config.hub.port());
    let found = tokio::net::lookup_host((host, port)).await;
    let dns = match found.map(Iterator::count) {
        Ok(count) if count > 0 => Check::ok("dns", &format!("{host} is known.")),
        Ok(_) | Err(_) => Check::fail(
            "dns",
            &format!("Nobody knows the address of {host}."),
            "Check `hub`, and the resolver of this host.",
        ),
    };
    let local = NoiseSecret::generate(&SystemEntropy);
    let connected = ApiConnection::connect(&config.hub, &config.org, config.root, &local).await;
    let mut checks = vec![dns];
    match connected {
        Ok(connection) => {
            let found = format!("{} answers and is who it should be.", config.hub);
            checks.push(Check::ok("hub", &found));
            checks.extend(authority(config, connection, keys, &local).await);
        }
        Err(error) => checks.push(unreachable(config, error)),
    }
    checks.push(provider_keys(config).await);
    checks
}

fn unreachable(config: &OutletConfig, error: LinkError) -> Check {
    let host = config.hub.to_string();
    let code = match error {
        LinkError::WrongHub(StatementError::NotYet) => Code::ClockOff,
        LinkError::WrongHub(StatementError::Expired) => Code::OrgNotRenewed,
        LinkError::WrongHub(_) | LinkError::Channel(_) => Code::HubNotTrusted,
        _ => Code::HubUnreachable,
    };
    let check = Check::problem("hub", &Problem::new(code).host(&host));
    let fix = match code {
        Code::HubUnreachable => {
            "Check `hub`, and that the firewall lets this host out to it; nothing needs to come in."
        }
        Code::HubNotTrusted => {
            "Check `org` and `root`: the fingerprint that `tidegate org init` printed."
        }
        Code::OrgNotRenewed => {
            "Look at the clock of this host; if it is right, `tidegate org sign` was not run within 30 days: run it, and reload the hub."
        }
        _ => "Set the clock of this host right, and keep it so with NTP.",
    };
    Check {
        fix: Some(fix.into()),
        ..check
    }
}

/// Whether it knows this outlet, and what time it has.
async fn authority(
    config: &OutletConfig,
    connection: ApiConnection,
    keys: Option<&OutletKeys>,
    local: &NoiseSecret,
) -> Vec<Check> {
    let Some(keys) = keys else {
        return vec![Check::skipped(
            "authority",
            "Without keys this outlet cannot say who it is.",
        )];
    };
    let hello = connection.hello.clone();
    let answer = async {
        let mut api = ApiClient::new(connection).await?;
        register(&mut api, &keys.identity, local.public(), Vec::new()).await
    };
    let answer = answer.await;
    let known = answer.as_ref().ok();
    let beacon = known.and_then(|answer| beacon_of(config, &hello, answer).ok());
    let clocks = beacon.as_ref().and_then(clocks);
    let mut checks = vec![known_there(answer)];
    checks.extend(clocks);
    checks
}

fn beacon_of(
    config: &OutletConfig,
    hello: &Hello,
    answer: &OutletAnswer,
) -> Result<Beacon, StatementError> {
    let root = Seen::default().root(&hello.roots, &config.org, config.root)?;
    let authority = AuthorityStatement::verify_for(&answer.authority, &root, &config.org)?;
    Beacon::verify_for(&answer.beacon, &authority.key, &config.org)
}

/// What a beacon that was just made says of two clocks; nothing when they agree well enough.
fn clocks(beacon: &Beacon) -> Option<Check> {
    let now = clock::now();
    let (ahead, behind) = (now.until(beacon.at), beacon.at.until(now));
    let (off, which) = match (ahead > SKEW, behind > SKEW) {
        (true, _) => (ahead, "ahead of"),
        (_, true) => (behind, "behind"),
        _ => return None,
    };
    let off = if off < 120 {
        format!("{off} s")
    } else {
        format!("{} min", off.saturating_add(30) / 60)
    };
    Some(Check::fail(
        "hub's clock",
        &format!(
            "It is {off} {which} this host's: what the hub says does not count as fresh here, and people are refused."
        ),
        "Set right whichever is wrong, and keep both so with NTP.",
    ))
}

fn known_there(answer: Result<OutletAnswer, ApiError>) -> Check {
    match answer {
        Ok(answer) if answer.policy.is_none() => Check::warn(
            "authority",
            "It knows this outlet, but the organisation has no rules yet: nobody is let in.",
            "Sign the organisation with a policy: `tidegate org sign`.",
        ),
        Ok(answer) => Check::ok(
            "authority",
            &format!(
                "It knows this outlet and {} of its services.",
                answer.services.len()
            ),
        ),
        Err(ApiError::Refused(number)) if number / 1000 == 1 => {
            // Away or busy: that says nothing about us.
            let code = Code::try_from(number).unwrap_or(Code::AuthorityAway);
            Check::problem("authority", &code.into())
        }
        Err(ApiError::Refused(_)) => Check::fail(
            "authority",
            "It does not know this outlet.",
            "Put what `tidegate outlet keys` prints into org.toml, and sign the organisation again.",
        ),
        Err(error) => Check::fail(
            "authority",
            &capital(&format!("{error}.")),
            "Look into the hub's log.",
        ),
    }
}

async fn provider_keys(config: &OutletConfig) -> Check {
    const NAME: &str = "provider keys";
    match Cache::load(config.data.clone()).await {
        Some(cache) => {
            let age = cache.fetched.until(clock::now());
            if age <= OLD_KEYS {
                return Check::ok(NAME, &format!("Fetched {} min ago.", age / 60));
            }
            Check::warn(
                NAME,
                &format!(
                    "Fetched {} h ago: newer ones were not to be had, or no outlet runs.",
                    age / 3_600
                ),
                "If an outlet runs, look into its log: the way is the relay's tunnel, or `provider_keys = \"direct\"`.",
            )
        }
        None => Check::skipped(NAME, "None were fetched yet; a running outlet does."),
    }
}
