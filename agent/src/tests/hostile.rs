//! A hub that answers slowly, wrongly, never; and one that says hostile things in the right shape.
//! Whatever it does: the person reads a sentence in time, every click is answered at once, and nothing strange gets into the snapshot.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidegate_proto::api::devices::{DeviceInfo, DevicesAnswer};
use tidegate_proto::api::event;
use tidegate_proto::hostile::texts as hostile;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::statement::{Promised, ServiceKind};
use tidegate_proto::text::{MAX_SHOWN, deceives};
use tidegate_proto::time::UnixTime;

use crate::testing::hub::{Manner, Outlet};
use crate::testing::{World, acme, failed, until};
use crate::{AccountView, Action, Agent, Code, Secret, Snapshot, words};

/// What nobody calls blocked.
const AT_ONCE: Duration = Duration::from_secs(2);

/// No string of it deceives, and none is longer than what is shown of one.
fn assert_clean(snapshot: &Snapshot) {
    fn look(value: &serde_json::Value, at: &str) {
        match value {
            serde_json::Value::String(text) => {
                assert!(!text.chars().any(deceives), "{at}: {text:?}");
                let is_address = at.ends_with("/link") || at.ends_with("/url");
                let length = text.chars().count();
                assert!(is_address || length <= MAX_SHOWN + 1, "{at} has {length}");
            }
            serde_json::Value::Array(all) => all.iter().for_each(|one| look(one, at)),
            serde_json::Value::Object(all) => {
                all.iter()
                    .for_each(|(name, one)| look(one, &format!("{at}/{name}")));
            }
            _ => {}
        }
    }
    look(&serde_json::to_value(snapshot).unwrap(), "");
}

/// Each is tried at once, on a laptop of its own: some take as long as our patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_hub_does_instead_of_answering_has_a_sentence_in_time_and_is_got_over() {
    let away = &[Code::HubUnreachable, Code::TimedOut][..];
    let wrong = &[
        Code::PeerBrokeProtocol,
        Code::HubUnreachable,
        Code::HubNotTrusted,
    ][..];
    let plays = [
        (Manner::Silent, away),
        (Manner::Trickles, away),
        (Manner::Babbles, wrong),
        (Manner::HangsUp, away),
        (Manner::Stalls, away),
        (Manner::Stops, away),
        (
            Manner::Floods,
            &[
                Code::PeerBrokeProtocol,
                Code::HubUnreachable,
                Code::TimedOut,
            ],
        ),
        (Manner::Says(200, ""), wrong),
        (
            Manner::Says(200, "<html>Sign in to Café Wi-Fi</html>"),
            wrong,
        ),
        (Manner::Says(200, "[[[[[[[[[[[[[[[[[["), wrong),
        (Manner::Says(500, "oops"), wrong),
        (Manner::Says(403, r#"{"code":64999,"text":"x"}"#), wrong),
        (Manner::Says(302, ""), wrong),
    ];

    join_all(plays.map(|(manner, codes)| play(manner, codes))).await;
}

async fn play(manner: Manner, codes: &[Code]) {
    let world = World::new().await;
    world.hub.inner.manner.send_replace(manner);
    world.signed_in_before();
    let agent = Agent::start(world.config()).await.unwrap();

    let has_a_code =
        |snapshot: &Snapshot| snapshot.all_problems().any(|one| codes.contains(&one.code));
    let snapshot = patient(&agent, manner, has_a_code).await;
    assert_clean(&snapshot);
    for problem in snapshot.all_problems() {
        assert!(words(problem).line().len() > 40, "{manner:?}: {problem:?}");
    }
    answers_clicks(&agent, &world).await;

    world.hub.inner.manner.send_replace(Manner::Answers);
    patient(&agent, manner, |snapshot| {
        matches!(acme(snapshot).account, AccountView::SignedIn { .. })
            && !acme(snapshot).services.is_empty()
            && snapshot.all_problems().next().is_none()
    })
    .await;
    agent.shutdown().await;
}

/// As long as the longest limit there is, and a busy machine.
async fn patient(agent: &Agent, manner: Manner, fits: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshot = agent.snapshot();
    let found =
        tokio::time::timeout(Duration::from_secs(60), snapshot.wait_for(|now| fits(now))).await;
    match found {
        Ok(found) => (**found.unwrap()).clone(),
        Err(_) => panic!("{manner:?}: {:?}", agent.snapshot().borrow()),
    }
}

async fn answers_clicks(agent: &Agent, world: &World) {
    let before = Instant::now();
    let service = world.echo();
    let _ = agent
        .act(Action::Connect {
            service: service.clone(),
        })
        .await;
    let _ = agent.act(Action::Disconnect { service }).await;
    assert!(before.elapsed() < AT_ONCE, "{:?}", before.elapsed());
}

#[tokio::test]
async fn what_the_hub_calls_people_and_devices_is_made_safe_before_anybody_sees_it() {
    let world = World::new().await;
    let many = (0..500).map(|number| format!("laptop {number}"));
    let devices = hostile().into_iter().chain(many);
    let device = |(number, text): (usize, String)| DeviceInfo {
        id: SigningKey::from_seed(&[u8::try_from(number % 250).unwrap(); 32])
            .verify_key()
            .peer_id(),
        name: text.clone(),
        label: text,
        enrolled: UnixTime(0),
        seen: None,
        revoked: false,
        vouched_by: None,
    };
    *world.hub.inner.devices.lock().unwrap() = Some(DevicesAnswer {
        sub: crate::testing::org::SUBJECT.parse().unwrap(),
        devices: devices.enumerate().map(device).collect(),
    });
    let agent = world.agent().await;

    let snapshot = until(&agent, |snapshot| !acme(snapshot).devices.is_empty()).await;

    assert_clean(&snapshot);
    assert!(acme(&snapshot).devices.len() <= 200);
    assert!(
        acme(&snapshot).devices[0].name.contains("<img"),
        "shown as text, not taken away"
    );
    agent.shutdown().await;
}

#[tokio::test]
async fn the_name_in_an_id_token_is_made_safe_before_anybody_sees_it() {
    for name in hostile() {
        let mut world = World::new().await;
        world.person = name;

        let agent = world.agent().await;

        assert_clean(&agent.snapshot().borrow());
        agent
            .act(Action::SignOut { org: world.org() })
            .await
            .unwrap();
        assert_clean(&agent.snapshot().borrow());
        agent.shutdown().await;
    }
}

#[tokio::test]
async fn what_an_outlet_gives_as_its_reason_is_made_safe_before_anybody_sees_it() {
    let world = World::new().await;
    let agent = world.agent().await;
    for reason in hostile().into_iter().filter(|reason| reason.len() < 5_000) {
        *world.hub.inner.reason.lock().unwrap() = reason;
        let refusal = Outlet::Refuses(Code::NotAvailable);
        world.hub.inner.outlet.send_replace(refusal);
        let service = world.echo();
        agent
            .act(Action::Connect {
                service: service.clone(),
            })
            .await
            .unwrap();

        let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;

        assert_clean(&snapshot);
        agent.act(Action::Disconnect { service }).await.unwrap();
        until(&agent, |snapshot| failed(snapshot).is_none()).await;
    }
    agent.shutdown().await;
}

#[tokio::test]
async fn events_that_make_no_sense_end_a_round_and_nothing_else() {
    let world = World::new().await;
    let agent = world.connected().await;

    for text in hostile() {
        world.hub.say("beacon", text.replace(['\n', '\r'], " "));
        world
            .hub
            .say("no such event", text.replace(['\n', '\r'], " "));
    }
    world.hub.say(event::CHANGED, String::new());

    let mut program = world.call().await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    assert_clean(&agent.snapshot().borrow());
    agent.shutdown().await;
}

#[tokio::test]
async fn five_hundred_services_fit_into_the_snapshot_and_through_the_control_socket() {
    let world = World::new().await;
    for number in 1..500 {
        let name = format!("service-{number:03}-{}", "x".repeat(40))
            .parse()
            .unwrap();
        world.hub.lists(&name, 15_000);
    }
    world.signed_in_before();
    let agent = Agent::start(world.config()).await.unwrap();

    let snapshot = until(&agent, |snapshot| acme(snapshot).services.len() == 500).await;

    assert_clean(&snapshot);
    let client = crate::control::Client::connect(&world.config().socket())
        .await
        .unwrap();
    let seen = client.snapshots().await.unwrap().next().await.unwrap();
    assert_eq!(acme(&seen).services.len(), 500);
    let ports: std::collections::BTreeSet<u16> =
        acme(&seen).services.iter().map(|one| one.port).collect();
    assert_eq!(ports.len(), 500);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_join_link_with_a_hostile_title_is_refused_and_costs_nothing() {
    let world = World::new().await;
    let agent = Agent::start(world.config()).await.unwrap();
    let promised = |title: &str| Promised {
        service: "warehouse".parse().unwrap(),
        kind: ServiceKind::Tcp,
        port: world.port,
        title: title.to_owned(),
    };
    let is_bad = |title: &String| title.len() > 120 || title.chars().any(deceives);
    let (bad, odd): (Vec<String>, Vec<String>) = hostile().into_iter().partition(is_bad);
    assert!(bad.len() >= 9 && odd.len() >= 2);

    for title in &bad {
        let link = Secret::from(world.hub.link("hostile", vec![promised(title)]));
        let refused = agent.act(Action::Join { link }).await;
        if refused.is_ok() {
            until(&agent, |snapshot| !snapshot.joining).await;
        }
        let snapshot = agent.snapshot().borrow().clone();
        assert!(snapshot.orgs.is_empty(), "{title:?}");
        let told = refused
            .err()
            .or_else(|| snapshot.problems.last().cloned())
            .unwrap();
        assert_eq!(told.code, Code::JoinLinkBad, "{title:?}");
        assert_clean(&snapshot);
    }
    assert!(world.hub.inner.enrolled.lock().unwrap().is_empty());

    // Odd, and still only text: the whole dozen is shown as it is.
    let names = (0..12).map(|number| format!("service-{number}"));
    let dozen = names.zip(odd.iter().cycle()).map(|(name, title)| Promised {
        service: name.parse().unwrap(),
        ..promised(title)
    });
    let link = Secret::from(world.hub.link("odd", dozen.collect()));
    agent.act(Action::Join { link }).await.unwrap();
    let snapshot = until(&agent, |snapshot| !snapshot.orgs.is_empty()).await;
    assert_eq!(acme(&snapshot).services.len(), 12);
    assert_eq!(acme(&snapshot).services[0].title, odd[0]);
    assert_clean(&snapshot);
    agent.shutdown().await;
}
