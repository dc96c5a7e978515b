//! `tidegate outlet doctor` beside a running outlet, at a hub that answers and at one that is away.
//! What lies in files and at databases is broken in the unit tests; here it is the way to the hub.
#![allow(clippy::unwrap_used)]

mod support;

use support::World;
use support::org::Org;
use tidegate_outlet::doctor::examine;
use tidegate_proto::check::{Check, Verdict};
use tidegate_proto::problem::Code;

async fn examined(world: &World) -> Vec<Check> {
    let file = world.dir.path().join("outlet.toml");
    std::fs::write(&file, world.config_text()).unwrap();
    examine(&file).await
}

fn verdict(checks: &[Check], name: &str) -> Verdict {
    let found = checks.iter().filter(|check| check.name == name);
    found.map(|check| check.verdict).max().unwrap()
}

#[tokio::test]
async fn a_running_outlet_at_its_hub_has_nothing_to_mend() {
    let mut world = World::start().await;

    let checks = examined(&world).await;

    for check in &checks {
        assert!(check.verdict <= Verdict::Ok, "{check:?}");
    }
    for name in ["hub", "authority", "target", "audit", "keys", "policy"] {
        assert_eq!(verdict(&checks, name), Verdict::Ok, "{name}");
    }
    world.stop_outlet().await;
}

#[tokio::test]
async fn an_authority_that_is_away_and_an_org_without_rules_are_told_apart() {
    let world = World::without_outlet(Org::new()).await;
    let known = world.hub.inner.answer.send_replace(None);
    let away = examined(&world).await;
    let without_rules = known.map(|answer| tidegate_proto::api::OutletAnswer {
        policy: None,
        ..answer
    });
    world.hub.inner.answer.send_replace(without_rules);
    let lawless = examined(&world).await;

    assert_eq!(verdict(&away, "hub"), Verdict::Ok);
    assert_eq!(verdict(&away, "authority"), Verdict::Warn);
    let said = away.iter().find(|check| check.name == "authority");
    assert_eq!(said.and_then(|check| check.code), Some(Code::AuthorityAway));
    assert_eq!(verdict(&lawless, "authority"), Verdict::Warn);
}

#[tokio::test]
async fn a_hub_that_has_another_time_is_named_with_the_difference() {
    let world = World::without_outlet(Org::new()).await;
    let known = world.hub.inner.answer.borrow().clone().unwrap();
    let now = tidegate_link::now();
    let mut said = Vec::new();

    let never = now.plus(u64::MAX);
    for at in [now, now.plus(600), now.minus(600), now.minus(90), never] {
        let beacon = world.org.beacon_made(at, 0, vec![]);
        let answer = tidegate_proto::api::OutletAnswer {
            beacon,
            ..known.clone()
        };
        world.hub.inner.answer.send_replace(Some(answer));
        let checks = examined(&world).await;
        let clocks = checks.into_iter().find(|check| check.name == "hub's clock");
        said.push(clocks.map(|check| (check.verdict, check.finding.clone())));
    }

    let what = ": what the hub says does not count as fresh here, and people are refused.";
    let fails = |off: &str| Some((Verdict::Fail, format!("It is {off} this host's{what}")));
    assert_eq!(said[0], None);
    assert_eq!(said[1], fails("10 min ahead of"));
    assert_eq!(said[2], fails("10 min behind"));
    assert!(said[3].is_some() && said[4].is_some());
}
