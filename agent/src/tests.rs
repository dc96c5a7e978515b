//! Whole agents at a hub that does what the test says: connect, carry, disconnect, lose access, end.
//! Real sockets, real handshakes, real files; what is missing is a provider and an outlet that decides.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;

use tidegate_proto::api::event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control::Client;
use crate::testing::hub::{Count, Outlet};
use crate::testing::{CANARIES, World, failed, identity, state, until};
use crate::{AccountView, Action, Agent, Code, HubState, KeyHome, Problem, ServiceState};

#[tokio::test]
async fn connected_means_that_the_outlet_answered_a_probe() {
    let world = World::new().await;

    let agent = world.connected().await;

    assert_eq!(world.hub.count().probes, 1);
    assert_eq!(world.hub.count().portals, 0);
    agent.shutdown().await;
}

#[tokio::test]
async fn bytes_pass_and_are_counted_and_a_half_close_gets_its_answer() {
    let world = World::new().await;
    let agent = world.connected().await;

    let mut program = world.call().await.unwrap();
    program.write_all(b"hello").await.unwrap();
    program.shutdown().await.unwrap();
    let mut back = Vec::new();
    program.read_to_end(&mut back).await.unwrap();

    assert_eq!(back, b"hello");
    let snapshot = until(&agent, |snapshot| {
        snapshot.services[0].traffic.received == 5
    })
    .await;
    assert_eq!(snapshot.services[0].traffic.sent, 5);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_spare_carries_the_next_portal_without_asking_the_relay() {
    let world = World::new().await;
    let agent = world.connected().await;
    world.hub.inner.outlet.send_replace(Outlet::Absent);

    let mut portal = agent.open(&world.service).await.unwrap();
    portal.write_all(b"x").await.unwrap();
    portal.flush().await.unwrap();
    portal.read_exact(&mut [0; 1]).await.unwrap();

    agent.shutdown().await;
}

#[tokio::test]
async fn disconnect_closes_the_port_and_ends_who_is_inside() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    agent
        .act(Action::Disconnect {
            service: world.service.clone(),
        })
        .await
        .unwrap();

    let gone = program.read(&mut [0; 1]).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::ConnectionReset);
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    assert_eq!(
        world.call().await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    world
        .hub
        .counts(|count| count.portals == 0 && count.circuits == 0)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn what_the_outlet_refuses_is_never_connected() {
    let world = World::new().await;
    world
        .hub
        .inner
        .outlet
        .send_replace(Outlet::Refuses(Code::TargetClosed));
    let agent = world.agent().await;

    agent
        .act(Action::Connect {
            service: world.service.clone(),
        })
        .await
        .unwrap();

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::TargetClosed);
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn an_unknown_service_is_answered_like_a_forbidden_one() {
    let world = World::new().await;
    world
        .hub
        .inner
        .outlet
        .send_replace(Outlet::Refuses(Code::NotAvailable));
    let agent = world.agent().await;
    agent
        .act(Action::Connect {
            service: world.service.clone(),
        })
        .await
        .unwrap();
    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    let unknown = "nonesuch".parse().unwrap();

    let refused = agent
        .act(Action::Connect { service: unknown })
        .await
        .unwrap_err();

    let forbidden = failed(&snapshot).unwrap();
    assert_eq!(
        Problem {
            facts: forbidden.facts.clone(),
            ..refused.clone()
        },
        *forbidden
    );
    assert_eq!(refused.facts.service.unwrap().as_str(), "nonesuch");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_connected() {
    let world = World::new().await;
    let _squatter = std::net::TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let agent = world.agent().await;

    agent
        .act(Action::Connect {
            service: world.service.clone(),
        })
        .await
        .unwrap();

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    let problem = failed(&snapshot).unwrap();
    assert_eq!(
        (problem.code, problem.facts.pid),
        (Code::PortTaken, Some(std::process::id()))
    );
    assert_eq!(world.hub.count().probes, 0);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_revocation_closes_everything_at_once_and_forgets_the_session() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    let revoked = world.hub.org().beacon(Some(5), world.hand.clock().now());
    world.hub.say(event::BEACON, revoked);

    assert!(program.read(&mut [0; 1]).await.is_err());
    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::RevokedByAdmin);
    assert!(matches!(snapshot.account, AccountView::SignedOut { .. }));
    assert!(world.call().await.is_err());
    assert_eq!(
        agent.open(&world.service).await.err().unwrap().code,
        Code::RevokedByAdmin
    );
    agent.shutdown().await;
    assert!(
        !world.key_file().contains("canary-refresh")
            && !world.key_file().contains("canary-id-token")
    );
}

#[tokio::test]
async fn a_service_that_leaves_the_catalogue_is_closed() {
    let world = World::new().await;
    let agent = world.connected().await;

    world.hub.inner.services.lock().unwrap().clear();
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| snapshot.services.is_empty()).await;
    assert_eq!(snapshot.problems.last().unwrap().code, Code::PolicyChanged);
    world.hub.counts(|count| count.circuits == 0).await;
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn a_running_portal_is_shown_every_new_credential() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    world.hub.say(event::CHANGED, String::new());

    world.hub.counts(|count| count.reauths == 1).await;
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    agent.shutdown().await;
}

#[tokio::test]
async fn an_hour_in_a_closed_laptop_asks_for_a_new_credential_before_anything_is_opened() {
    let world = World::new().await;
    let agent = world.agent().await;
    world.hand.forward(700);

    let opened = agent.open(&world.service).await;

    // The clock said that the credential had run out; it was renewed first.
    assert!(opened.is_ok(), "{:?}", opened.err());
    agent.shutdown().await;
}

#[tokio::test]
async fn after_a_sleep_nothing_from_before_is_trusted() {
    let world = World::new().await;
    let agent = world.connected().await;
    let before = world.hub.count().asked;

    world.hand.forward(120);
    let mut program = world.call().await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();

    // A circuit of its own for the program, and new spares, over a new link.
    world
        .hub
        .counts(|count| count.asked >= before + 3 && count.links == 1)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn connect_during_disconnect_opens_again() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent
        .act(Action::Disconnect {
            service: world.service.clone(),
        })
        .await
        .unwrap();
    agent
        .act(Action::Connect {
            service: world.service.clone(),
        })
        .await
        .unwrap();

    world.hub.counts(|count| count.probes == 2).await;
    until(&agent, |snapshot| state(snapshot).is_connected()).await;
    world.call().await.unwrap();
    agent.shutdown().await;
}

#[tokio::test]
async fn sign_out_ends_portals_that_have_no_door() {
    let world = World::new().await;
    let agent = world.agent().await;
    let mut portal = agent.open(&world.service).await.unwrap();

    agent.act(Action::SignOut).await.unwrap();

    assert!(portal.read(&mut [0; 1]).await.is_err());
    world
        .hub
        .counts(|count| count.circuits == 0 && count.links == 0)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn the_end_of_the_session_ends_everything() {
    let world = World::new().await;
    let agent = world.connected().await;

    world.hand.forward(13 * 3600);
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::SessionExpired);
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn a_refusal_to_renew_is_final_and_says_why() {
    let world = World::new().await;
    let agent = world.connected().await;

    *world.hub.inner.refuse.lock().unwrap() = Some(Code::NotEnrolled);
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::NotEnrolled);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_hub_that_comes_back_is_used_again() {
    let mut world = World::new().await;
    let agent = world.connected().await;

    world.hub = world.hub.restart().await;

    world.hub.counts(|count| count.circuits == 2).await;
    until(&agent, |snapshot| {
        snapshot.hub == HubState::Connected && snapshot.problems.is_empty()
    })
    .await;
    let mut program = world.call().await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    agent.shutdown().await;
}

#[tokio::test]
async fn shutdown_leaves_no_port_no_socket_no_connection_and_no_lock() {
    let world = World::new().await;
    let agent = world.connected().await;
    let _program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;
    let started = std::time::Instant::now();

    agent.shutdown().await;

    assert!(started.elapsed() < std::time::Duration::from_secs(5));
    assert!(world.call().await.is_err());
    assert!(!world.config().socket().exists());
    world
        .hub
        .counts(|count| {
            *count
                == Count {
                    asked: count.asked,
                    probes: 1,
                    ..Count::default()
                }
        })
        .await;
    Agent::start(world.config()).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn the_second_agent_of_a_user_is_refused() {
    let world = World::new().await;
    let agent = world.agent().await;

    let second = Agent::start(world.config()).await.err().unwrap();

    assert_eq!(second.code, Code::AlreadyRunning);
    agent.shutdown().await;
}

#[tokio::test]
async fn sign_out_keeps_the_device_and_forgets_the_session() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent.act(Action::SignOut).await.unwrap();

    let snapshot = until(&agent, |snapshot| {
        matches!(snapshot.account, AccountView::SignedOut { .. })
    })
    .await;
    assert_eq!(snapshot.org.as_ref().unwrap().name.as_str(), "acme");
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    assert_eq!(
        agent.open(&world.service).await.err().unwrap().code,
        Code::SignInNeeded
    );
    agent.shutdown().await;
    assert!(!world.key_file().contains("canary-refresh"));
    assert!(world.key_file().contains(CANARIES[2]));
}

#[tokio::test]
async fn leaving_forgets_the_org_and_its_key() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent.act(Action::Leave).await.unwrap();

    let snapshot = until(&agent, |snapshot| {
        snapshot.account == AccountView::NotJoined
    })
    .await;
    assert_eq!((&snapshot.org, snapshot.services.len()), (&None, 0));
    assert!(!world.config().data_dir.join("state.json").exists());
    assert_eq!(
        agent.act(Action::SignIn).await.unwrap_err().code,
        Code::NotJoined
    );
    agent.shutdown().await;
    assert_eq!(world.key_file(), "{}");
}

#[tokio::test]
async fn the_control_socket_carries_orders_and_snapshots() {
    let world = World::new().await;
    let agent = world.agent().await;
    let socket = world.config().socket();
    let mut client = Client::connect(&socket).await.unwrap();
    let mut snapshots = Client::connect(&socket)
        .await
        .unwrap()
        .snapshots()
        .await
        .unwrap();

    let done = client
        .act(Action::Connect {
            service: world.service.clone(),
        })
        .await
        .unwrap();
    let refused = client
        .act(Action::Connect {
            service: "nonesuch".parse().unwrap(),
        })
        .await
        .unwrap();

    assert_eq!(done, Ok(()));
    assert_eq!(refused.unwrap_err().code, Code::NotAvailable);
    while !state(&snapshots.next().await.unwrap()).is_connected() {}
    client.act(Action::Quit).await.unwrap().unwrap();
    agent.ended().await;
    agent.shutdown().await;
    assert!(snapshots.next().await.is_err());
}

#[tokio::test]
async fn the_control_socket_hangs_up_on_another_user_and_on_nonsense() {
    use std::os::unix::fs::PermissionsExt;
    use tokio::net::UnixStream;

    let world = World::new().await;
    let agent = world.agent().await;
    let socket = world.config().socket();
    let mut nonsense = UnixStream::connect(&socket).await.unwrap();
    nonsense.write_all(&vec![b'x'; 100 * 1024]).await.ok();
    let mut answer = Vec::new();
    nonsense.read_to_end(&mut answer).await.ok();
    assert_eq!(answer, b"");

    if rustix::process::geteuid().is_root() {
        // Even with the doors on the way wide open.
        for path in socket.ancestors().take(4) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        let script = "$SIG{PIPE} = q(IGNORE); my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die \"no: $!\"; syswrite $s, qq({\"snapshot\":true}\n); my $n = sysread $s, my $b, 9; print $n // $!";
        let output = tokio::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(["perl", "-MIO::Socket::UNIX", "-e", script])
            .arg(&socket)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(said.trim(), "0" | "Connection reset by peer"),
            "{said}"
        );
    }
    agent.shutdown().await;
}

#[tokio::test]
async fn no_secret_is_in_a_snapshot_a_log_line_or_the_state_file() {
    let world = World::new().await;
    let agent = world.connected().await;
    drop(world.call().await.unwrap());

    let snapshot = until(&agent, |snapshot| snapshot.keys == KeyHome::File).await;
    let shown = format!("{snapshot:?}") + &serde_json::to_string(&*snapshot).unwrap();
    agent.shutdown().await;
    let state = std::fs::read_to_string(world.config().data_dir.join("state.json")).unwrap();
    let logged = crate::testing::log::Log::shared().text();

    assert!(logged.contains("door was opened"), "{logged}");
    let credential = world
        .hub
        .org()
        .credential(identity().verify_key(), 0, crate::UnixTime(0));
    let credential_head = credential.split('.').next().unwrap();
    for canary in CANARIES.into_iter().chain([credential_head]) {
        for (place, text) in [("snapshot", &shown), ("log", &logged), ("state", &state)] {
            assert!(!text.contains(canary), "{canary} in {place}");
        }
    }
}

#[tokio::test]
async fn a_lost_key_is_said_and_a_new_link_is_needed() {
    let world = World::new().await;
    world.signed_in_before();
    std::fs::remove_file(world.config().data_dir.join("keys.json")).unwrap();

    let agent = Agent::start(world.config()).await.unwrap();

    let snapshot = until(&agent, |snapshot| !snapshot.problems.is_empty()).await;
    assert_eq!(snapshot.problems[0].code, Code::NotEnrolled);
    assert_eq!(agent.signed_in().await.unwrap_err().code, Code::NotEnrolled);
    agent.shutdown().await;
}
