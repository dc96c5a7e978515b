//! Two orgs on one laptop, each with a hub and keys of its own, and with a service of the same name.
//! What happens in one is never felt in the other: that is what every test here looks at.

use tidegate_proto::api::event;
use tidegate_proto::identity::PeerId;
use tidegate_proto::statement::JoinLink;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::disk::Orgs;
use crate::testing::{CANARIES, World, until};
use crate::{
    About, AccountView, Action, Agent, Code, HubState, OrgSnapshot, ServiceState, Snapshot,
};

/// A running agent that is signed in to both.
async fn at_both() -> (World, World, Agent) {
    let acme = World::new().await;
    let beta = acme.beside("beta").await;
    acme.signed_in_before();
    beta.signed_in_before();
    let agent = Agent::start(acme.config()).await.unwrap();
    for world in [&acme, &beta] {
        agent.signed_in(&world.org()).await.unwrap();
    }
    until(&agent, |snapshot| snapshot.services().count() == 2).await;
    (acme, beta, agent)
}

async fn connected_to_both() -> (World, World, Agent) {
    let (acme, beta, agent) = at_both().await;
    for world in [&acme, &beta] {
        let service = world.echo();
        agent.act(Action::Connect { service }).await.unwrap();
    }
    until(&agent, |snapshot| {
        snapshot
            .services()
            .all(|(_, service)| service.state.is_connected())
    })
    .await;
    (acme, beta, agent)
}

fn of<'a>(snapshot: &'a Snapshot, world: &World) -> &'a OrgSnapshot {
    snapshot.org(&world.org()).unwrap()
}

fn state<'a>(snapshot: &'a Snapshot, world: &World) -> &'a ServiceState {
    &snapshot.service(&world.echo()).unwrap().state
}

/// Proves that a program that was inside before is still served.
async fn still_echoes(program: &mut tokio::net::TcpStream) {
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
}

#[tokio::test]
async fn each_orgs_service_of_the_same_name_has_a_port_and_portals_of_its_own() {
    let (acme, beta, agent) = connected_to_both().await;

    let mut at_acme = acme.call().await.unwrap();
    let mut at_beta = beta.call().await.unwrap();
    still_echoes(&mut at_acme).await;
    still_echoes(&mut at_beta).await;

    for world in [&acme, &beta] {
        world.hub.counts(|count| count.portals == 1).await;
    }
    let snapshot = agent.snapshot().borrow().clone();
    let names: Vec<&str> = snapshot.orgs.iter().map(|org| org.name.as_str()).collect();
    assert_eq!(names, ["acme", "beta"]);
    assert_eq!(snapshot.find("echo").unwrap_err().code, Code::WhichOrg);
    agent.shutdown().await;
}

#[tokio::test]
async fn leaving_one_org_does_not_touch_the_other() {
    let (acme, beta, agent) = connected_to_both().await;
    let mut at_acme = acme.call().await.unwrap();
    let mut at_beta = beta.call().await.unwrap();
    still_echoes(&mut at_acme).await;
    still_echoes(&mut at_beta).await;

    agent.act(Action::Leave { org: acme.org() }).await.unwrap();

    let snapshot = agent.snapshot().borrow().clone();
    assert_eq!(snapshot.orgs.len(), 1);
    assert!(at_acme.read(&mut [0; 1]).await.is_err());
    acme.hub
        .counts(|count| count.circuits == 0 && count.links == 0)
        .await;
    assert!(acme.call().await.is_err());
    still_echoes(&mut at_beta).await;
    assert!(state(&agent.snapshot().borrow(), &beta).is_connected());
    let service = acme.echo();
    let refused = agent.act(Action::Connect { service }).await.unwrap_err();
    assert_eq!(refused.code, Code::NotJoined);
    agent.shutdown().await;
    let data = acme.config().data_dir;
    assert!(!data.join("orgs/acme").exists() && data.join("orgs/beta/state.json").exists());
    assert!(!acme.key_file().contains("acme/") && acme.key_file().contains("beta/identity"));
}

#[tokio::test]
async fn signing_out_of_one_org_and_being_shut_out_of_one_leave_the_other_alone() {
    let (acme, beta, agent) = connected_to_both().await;
    let mut at_acme = acme.call().await.unwrap();
    still_echoes(&mut at_acme).await;

    agent
        .act(Action::SignOut { org: beta.org() })
        .await
        .unwrap();
    until(&agent, |snapshot| {
        *state(snapshot, &beta) == ServiceState::Idle
    })
    .await;
    still_echoes(&mut at_acme).await;
    let revoked = acme.hub.org().beacon(Some(5), acme.hand.clock().now());
    acme.hub.say(event::BEACON, revoked);

    let snapshot = until(&agent, |snapshot| {
        matches!(state(snapshot, &acme), ServiceState::Failed(_))
    })
    .await;
    let signed_out = |org: &OrgSnapshot| matches!(org.account, AccountView::SignedOut { .. });
    assert!(signed_out(of(&snapshot, &acme)) && signed_out(of(&snapshot, &beta)));
    assert_eq!(of(&snapshot, &beta).problems, []);
    agent.shutdown().await;
}

#[tokio::test]
async fn one_hub_that_is_away_does_not_keep_the_other_waiting() {
    let acme = World::new().await;
    let beta = acme.beside("beta").await;
    acme.signed_in_before();
    beta.signed_in_before();
    acme.hub.stop().await;

    let agent = Agent::start(beta.config()).await.unwrap();
    agent.signed_in(&beta.org()).await.unwrap();
    let service = beta.echo();
    agent.act(Action::Connect { service }).await.unwrap();

    let snapshot = until(&agent, |snapshot| {
        snapshot
            .services()
            .any(|(_, service)| service.state.is_connected())
    })
    .await;
    assert!(snapshot.orgs[0].hub != HubState::Connected);
    assert_eq!(of(&snapshot, &beta).hub, HubState::Connected);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_problem_is_dismissed_where_it_is() {
    let (acme, beta, agent) = at_both().await;
    for world in [&acme, &beta] {
        world.hub.inner.services.lock().unwrap().clear();
        let service = world.echo();
        agent.act(Action::Connect { service }).await.unwrap();
    }
    until(&agent, |snapshot| {
        snapshot.services().count() == 2
            && snapshot
                .services()
                .all(|(_, service)| service.state.is_connected())
    })
    .await;
    for world in [&acme, &beta] {
        world.hub.say(event::CHANGED, String::new());
    }
    until(&agent, |snapshot| snapshot.all_problems().count() == 2).await;

    let about = About {
        code: Code::PolicyChanged,
        service: Some(acme.echo().service),
        path: None,
    };
    let dismiss = |org| Action::DismissProblem {
        org,
        about: about.clone(),
    };
    agent.act(dismiss(Some(acme.org()))).await.unwrap();
    agent.act(dismiss(None)).await.unwrap();

    let snapshot = agent.snapshot().borrow().clone();
    assert_eq!(of(&snapshot, &acme).problems, []);
    assert_eq!(of(&snapshot, &beta).problems.len(), 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn another_org_of_the_same_name_is_not_joined_over_this_one() {
    let (acme, _beta, agent) = at_both().await;
    let link = |root| {
        let link = JoinLink {
            address: acme.hub.address.clone(),
            org: acme.org(),
            root,
            ticket: None,
        };
        Action::Join {
            link: link.to_link().to_string().into(),
        }
    };

    let other = agent.act(link(PeerId::new([9; 32]).unwrap())).await;
    let signed_in = agent.act(link(acme.hub.org().fingerprint())).await;

    assert_eq!(other.unwrap_err().code, Code::AlreadyJoined);
    assert_eq!(signed_in.unwrap_err().code, Code::AlreadyJoined);
    agent.shutdown().await;
}

#[tokio::test]
async fn what_the_version_for_one_org_left_is_used_and_nothing_is_lost() {
    let acme = World::new().await;
    acme.signed_in_before();
    let data = acme.config().data_dir;
    std::fs::rename(data.join("orgs/acme/state.json"), data.join("state.json")).unwrap();
    std::fs::remove_dir_all(data.join("orgs")).unwrap();

    let agent = Agent::start(acme.config()).await.unwrap();
    agent.signed_in(&acme.org()).await.unwrap();

    agent.shutdown().await;
    assert!(data.join("orgs/acme/state.json").exists() && !data.join("state.json").exists());
    assert!(acme.key_file().contains(CANARIES[2]));
    assert_eq!(Orgs::open(&data).unwrap().load().memberships.len(), 1);
}

#[tokio::test]
async fn joining_an_org_does_not_hide_what_is_wrong_with_another() {
    let acme = World::new().await;
    acme.joined_before();
    let damaged = acme.config().data_dir.join("orgs/beta");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::set_permissions(
        &damaged,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    tidegate_link::keyfile::replace(&damaged.join("state.json"), b"{").unwrap();
    let agent = Agent::start(acme.config()).await.unwrap();
    let before = agent.snapshot().borrow().problems.clone();
    assert_eq!(before.len(), 1);

    let link = JoinLink {
        address: acme.hub.address.clone(),
        org: "gamma".parse().unwrap(),
        root: acme.hub.org().fingerprint(),
        ticket: None,
    };
    let link = link.to_link().to_string().into();
    agent.act(Action::Join { link }).await.unwrap();

    assert_eq!(agent.snapshot().borrow().problems, before);
    agent.act(Action::CancelJoin).await.unwrap();
    agent.shutdown().await;
}
