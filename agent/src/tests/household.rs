//! One agent per user, its control socket, its secrets, and that nothing is left of it.
//! What is left over is looked for at both ends: in the files here, and in what the hub still counts.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control::Client;
use crate::testing::hub::Count;
use crate::testing::{CANARIES, World, identity, state, until};
use crate::{Action, Agent, Code, KeyHome};

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
                    most_on_one_circuit: 1,
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
            service: world.echo(),
        })
        .await
        .unwrap();
    let refused = client
        .act(Action::Connect {
            service: "acme/nonesuch".parse().unwrap(),
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
        // Not above the test's own directory, which lies in a sticky one that others use.
        let own = socket
            .ancestors()
            .take_while(|path| path.starts_with(world.dir.path()));
        for path in own {
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
    let state =
        std::fs::read_to_string(world.config().data_dir.join("orgs/acme/state.json")).unwrap();
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
