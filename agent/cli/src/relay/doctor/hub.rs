//! The way to the hub: its name, who answers there, whether its authority names this relay, and whose clock is wrong.
//! Asking twice does no harm: the authority gives the same answer to the running relay and to us.

use tidegate_link::api_client::ApiError;
use tidegate_link::{LinkError, now};
use tidegate_proto::check::Check;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::HubAddress;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::StatementError;
use tidegate_proto::time::UnixTime;
use tidegate_relay::follow::{Follower, FollowerConfig, Looked, Lost, NotTaken};

use super::files::capital;
use crate::relay::config::RelayConfig;

/// A clock that differs by more from the authority's is wrong, in seconds: a pass lasts ten minutes.
const CLOCK_OFF: u64 = 120;

pub(super) async fn checks(config: RelayConfig, key: Option<NoiseSecret>) -> Vec<Check> {
    let hub = config.hub.clone();
    let mut checks = vec![name(&hub).await];
    let Some(noise) = key else {
        checks.push(Check::skipped(
            "authority",
            "Without its key this relay cannot say who it is.",
        ));
        return checks;
    };
    let follower = Follower::open(FollowerConfig {
        hub: config.hub,
        org: config.org,
        root: config.root,
        noise,
        data: config.data,
    });
    let Ok(follower) = follower else {
        checks.push(Check::skipped(
            "authority",
            "What was kept of it cannot be read.",
        ));
        return checks;
    };
    match follower.look().await {
        Ok(looked) => checks.extend(heard(&hub, &looked)),
        Err(error) => checks.extend(not_heard(&hub, &error)),
    }
    checks
}

async fn name(hub: &HubAddress) -> Check {
    let host = hub.host();
    let found = tokio::net::lookup_host((host, hub.port())).await;
    match found.map(Iterator::count) {
        Ok(count) if count > 0 => Check::ok("dns", &format!("{host} is known.")),
        Ok(_) | Err(_) => Check::fail(
            "dns",
            &format!("Nobody knows the address of {host}."),
            "Check `hub`, and the resolver of this host.",
        ),
    }
}

fn heard(hub: &HubAddress, looked: &Looked) -> [Check; 3] {
    let services = looked.word.catalogue.services.len();
    [
        clock(looked.at),
        Check::ok("hub", &format!("{hub} answers and is who it should be.")),
        Check::ok(
            "authority",
            &format!("It names this relay for {services} services."),
        ),
    ]
}

fn clock(authority: UnixTime) -> Check {
    let here = now();
    let off = authority.until(here).max(here.until(authority));
    if off <= CLOCK_OFF {
        return Check::ok("clock", "It agrees with the authority's.");
    }
    let finding = format!("It differs by {} min from the authority's.", off / 60);
    Check {
        finding,
        ..wrong_clock()
    }
}

fn wrong_clock() -> Check {
    Check {
        fix: Some("Set the clock of this host right, and keep it so with NTP.".into()),
        ..Check::problem("clock", &Code::ClockOff.into())
    }
}

fn not_heard(hub: &HubAddress, error: &Lost) -> Vec<Check> {
    match error {
        Lost::Link(LinkError::WrongHub(StatementError::NotYet))
        | Lost::NotTaken(NotTaken::Statement(StatementError::NotYet)) => vec![wrong_clock()],
        Lost::Link(LinkError::WrongHub(StatementError::Expired))
        | Lost::NotTaken(NotTaken::Statement(StatementError::Expired)) => vec![Check {
            fix: Some(
                "Look at the clock of this host; if it is right, `tidegate org sign` was not run within 30 days: run it, and reload the hub."
                    .into(),
            ),
            ..of_hub(hub, Code::OrgNotRenewed)
        }],
        Lost::Link(LinkError::WrongHub(_) | LinkError::Channel(_)) => vec![Check {
            fix: Some(
                "Check `org` and `root`: the fingerprint that `tidegate org init` printed.".into(),
            ),
            ..of_hub(hub, Code::HubNotTrusted)
        }],
        Lost::Link(_) => vec![Check {
            fix: Some("Check `hub`, and that the firewall lets this host out to it.".into()),
            ..of_hub(hub, Code::HubUnreachable)
        }],
        Lost::Api(error) => vec![
            Check::ok("hub", &format!("{hub} answers and is who it should be.")),
            refused(*error),
        ],
        Lost::NotTaken(error) => vec![
            Check::ok("hub", &format!("{hub} answers and is who it should be.")),
            Check::fail(
                "authority",
                &capital(&format!("{error}.")),
                "It shows something older than this relay has seen: ask its administrator for the newest bundle on the hub.",
            ),
        ],
    }
}

fn of_hub(hub: &HubAddress, code: Code) -> Check {
    Check::problem("hub", &Problem::new(code).host(&hub.to_string()))
}

fn refused(error: ApiError) -> Check {
    match error {
        // Away or busy: that says nothing about us.
        ApiError::Refused(number) if number / 1000 == 1 => {
            let code = Code::try_from(number).unwrap_or(Code::AuthorityAway);
            Check::problem("authority", &code.into())
        }
        ApiError::Refused(_) => Check::fail(
            "authority",
            "It knows no relay with this key.",
            "Put what `tidegate relay keys` prints into org.toml, under [[relay]], and sign the organisation again.",
        ),
        error => Check::fail(
            "authority",
            &capital(&format!("{error}.")),
            "Look into the hub's log.",
        ),
    }
}
