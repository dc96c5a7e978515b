//! Each check against the thing it looks at, broken for real where that can be done in a test.
#![allow(clippy::unwrap_used)]
use tidegate_proto::time::UnixTime;

use super::*;
use crate::testing::World;
use crate::testing::hub::Hub;
use crate::{KeyHome, ServiceState};

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("{name} is not in {checks:?}"))
}

impl World {
    async fn examined(&self, snapshot: Result<Snapshot, Problem>) -> Vec<Check> {
        let config = self.config();
        examine(&Patient {
            places: Places {
                config_file: self.dir.path().join("agent.toml"),
                data_dir: config.data_dir.clone(),
                runtime_dir: config.runtime_dir.clone(),
            },
            keys: config.keys,
            snapshot,
            running: true,
        })
        .await
    }
}

#[tokio::test]
async fn a_healthy_agent_has_nothing_to_mend_on_its_way_to_the_hub() {
    let world = World::new().await;
    let agent = world.connected().await;
    let snapshot = (**agent.snapshot().borrow()).clone();

    let checks = world.examined(Ok(snapshot)).await;

    for name in [
        "agent", "keyring", "dns", "hub", "device", "account", "port", "outlet", "access", "target",
    ] {
        let check = find(&checks, name);
        assert_eq!(check.verdict, Verdict::Ok, "{check:?}");
    }
    // This hub's own papers are good for a day.
    assert_eq!(find(&checks, "policy").verdict, Verdict::Warn);
    for check in &checks {
        let is_bad = check.verdict > Verdict::Ok;
        assert_eq!(is_bad, check.fix.is_some(), "{check:?}");
        assert!(check.finding.ends_with('.'), "{check:?}");
    }
    agent.shutdown().await;
}

#[tokio::test]
async fn a_hub_that_is_gone_fails_alone() {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let snapshot = (**agent.snapshot().borrow()).clone();
    agent.shutdown().await;
    let elsewhere = Hub::start("beta".parse().unwrap(), world.hand.clock()).await;
    std::mem::replace(&mut world.hub, elsewhere).stop().await;

    let checks = world.examined(Ok(snapshot)).await;

    assert_eq!(find(&checks, "hub").verdict, Verdict::Fail);
    assert_eq!(find(&checks, "hub").code, Some(Code::HubUnreachable));
    // The relay is behind the same door: it is not to blame.
    assert_eq!(find(&checks, "relay").verdict, Verdict::Skipped);
    assert_eq!(find(&checks, "provider").verdict, Verdict::Skipped);
    for name in ["dns", "device", "keyring", "account"] {
        assert_eq!(find(&checks, name).verdict, Verdict::Ok, "{name}");
    }
}

#[tokio::test]
async fn a_wiped_key_file_an_open_one_and_a_taken_port_are_named() {
    let world = World::new().await;
    let agent = world.agent().await;
    let snapshot = (**agent.snapshot().borrow()).clone();
    agent.shutdown().await;
    let keys = world.config().data_dir.join("keys.json");
    let _taken = std::net::TcpListener::bind(("127.0.0.1", world.port)).unwrap();

    open_to_all(&keys);
    let open = world.examined(Ok(snapshot.clone())).await;
    std::fs::remove_file(&keys).unwrap();
    let wiped = world.examined(Ok(snapshot)).await;

    assert_eq!(find(&open, "keyring").code, Some(Code::KeyFileOpen));
    assert_eq!(find(&wiped, "device").code, Some(Code::KeyMissing));
    assert_eq!(find(&wiped, "port").code, Some(Code::PortTaken));
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[tokio::test]
async fn what_the_agent_says_about_a_service_is_the_doctors_word_too() {
    let world = World::new().await;
    let agent = world.agent().await;
    let mut snapshot = (**agent.snapshot().borrow()).clone();
    let refused = Problem::new(Code::TargetLoginRefused).service(&world.service);
    snapshot.orgs[0].services[0].state = ServiceState::Failed(refused);

    let failed = world.examined(Ok(snapshot)).await;
    let nobody = world.examined(Err(Code::ConfigWrong.into())).await;

    assert_eq!(find(&failed, "target").code, Some(Code::TargetLoginRefused));
    assert_eq!(find(&nobody, "agent").code, Some(Code::ConfigWrong));
    agent.shutdown().await;
}

#[tokio::test]
async fn a_computer_that_has_joined_nothing_is_told_what_it_lacks_and_nothing_else_is_blamed() {
    let world = World::new().await;

    let checks = world.examined(Ok(Snapshot::empty(KeyHome::File))).await;

    let org = find(&checks, "org");
    assert_eq!(org.code, Some(Code::NotJoined), "{org:?}");
    assert!(org.fix.is_some(), "{org:?}");
    // There is no way to look at before there is an organisation.
    for name in ["hub", "relay", "provider", "device", "account", "port"] {
        assert!(checks.iter().all(|check| check.name != name), "{name}");
    }
}

#[test]
fn a_clock_is_wrong_by_signatures_or_by_the_providers_word() {
    let now = UnixTime(1_800_000_000);
    let told = |seconds: u64| Some(UnixTime(seconds));

    let table = [
        (Some(true), told(now.0 + 5), Verdict::Ok),
        (Some(true), None, Verdict::Ok),
        (Some(false), None, Verdict::Fail),
        (None, told(now.0 - 7_300), Verdict::Fail),
        (Some(true), told(now.0 + 90), Verdict::Fail),
        (None, None, Verdict::Skipped),
    ];
    for (signatures, told, verdict) in table {
        let check = clock::compare(signatures, told, now);
        assert_eq!(check.verdict, verdict, "{check:?}");
    }
    let wrong = clock::compare(None, told(now.0 - 7_300), now);
    assert!(wrong.finding.contains("2 h wrong"), "{}", wrong.finding);
}
