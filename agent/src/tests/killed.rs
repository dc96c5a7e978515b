//! The agent as a process of its own, killed without warning in every state, then started again.
//! The process is this very test binary: the hidden test at the end is what runs in it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::control::Client;
use crate::testing::hub::Outlet;
use crate::testing::{CANARIES, World, acme, state, until};
use crate::{AccountView, Action, Agent, AgentConfig, KeyStoreKind, NoBrowser, ServiceState};

const DIR: &str = "TIDEGATE_TEST_KILLED_DIR";
const PATIENCE: Duration = Duration::from_secs(30);

/// A state to be killed in: how it is brought about once the agent runs.
struct Moment {
    name: &'static str,
    /// Signed in before, or only joined.
    session: bool,
    /// What the outlet does with a probe.
    outlet: Outlet,
    act: Option<fn(&World) -> Action>,
    /// Whether it has come about.
    reached: fn(&crate::Snapshot) -> bool,
}

fn connect(world: &World) -> Action {
    Action::Connect {
        service: world.echo(),
    }
}

fn moments() -> Vec<Moment> {
    let is_there = |snapshot: &crate::Snapshot| !snapshot.orgs.is_empty();
    let moment = |name, reached| Moment {
        name,
        session: true,
        outlet: Outlet::Echoes,
        act: None,
        reached,
    };
    vec![
        moment("waking", is_there),
        moment("signed in", |snapshot| {
            matches!(acme(snapshot).account, AccountView::SignedIn { .. })
        }),
        Moment {
            session: false,
            act: Some(|world| Action::SignIn { org: world.org() }),
            ..moment("signing in", |snapshot| {
                matches!(acme(snapshot).account, AccountView::SigningIn(_))
                    || acme(snapshot)
                        .problems
                        .iter()
                        .any(|one| one.code.number() / 1000 == 3)
            })
        },
        Moment {
            act: Some(connect),
            outlet: Outlet::Absent,
            ..moment("connecting", is_there)
        },
        Moment {
            act: Some(connect),
            ..moment("connected", |snapshot| state(snapshot).is_connected())
        },
        Moment {
            session: true,
            act: Some(|world| Action::SignOut { org: world.org() }),
            ..moment("signing out", is_there)
        },
        Moment {
            act: Some(|world| Action::SetPort {
                service: world.echo(),
                port: None,
            }),
            ..moment("choosing a port", is_there)
        },
    ]
}

/// An agent in a process of its own, with a way to give it orders.
async fn start(world: &World) -> Child {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::killed::the_process",
            "--ignored",
            "--nocapture",
        ])
        .env(DIR, world.dir.path().join("agent"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("the agent runs") {
                return;
            }
        }
        panic!("the process ended");
    };
    timeout(PATIENCE, ready).await.unwrap();
    process
}

async fn bring_about(world: &World, moment: &Moment) {
    let socket = world.config().socket();
    if moment.act.is_some() && moment.session {
        let mut snapshots = Client::connect(&socket)
            .await
            .unwrap()
            .snapshots()
            .await
            .unwrap();
        let listed = async { while acme(&snapshots.next().await.unwrap()).services.is_empty() {} };
        timeout(PATIENCE, listed).await.unwrap();
    }
    if let Some(act) = moment.act {
        let mut client = Client::connect(&socket).await.unwrap();
        client.act(act(world)).await.unwrap().unwrap();
    }
    let mut snapshots = Client::connect(&socket)
        .await
        .unwrap()
        .snapshots()
        .await
        .unwrap();
    let reached = async { while !(moment.reached)(&snapshots.next().await.unwrap()) {} };
    timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(|_| panic!("never {}", moment.name));
}

/// What must be true of the next start, whatever the last one died in.
async fn all_is_well(world: &World, moment: &Moment) {
    world.hub.inner.outlet.send_replace(Outlet::Echoes);
    let agent = Agent::start(world.config())
        .await
        .unwrap_or_else(|problem| panic!("after {}: {problem:?}", moment.name));
    let first = agent.snapshot().borrow().clone();
    let stale = first
        .services()
        .any(|(_, service)| service.state != ServiceState::Idle);
    assert!(!stale, "{} is shown after a kill", moment.name);
    assert_eq!(first.orgs.len(), 1, "{}", moment.name);
    assert!(world.key_file().contains(CANARIES[2]), "{}", moment.name);

    if moment.session && moment.name != "signing out" {
        timeout(PATIENCE, agent.signed_in(&world.org()))
            .await
            .unwrap()
            .unwrap();
        agent.act(connect(world)).await.unwrap();
        let snapshot = until(&agent, |snapshot| state(snapshot).is_connected()).await;
        assert_eq!(
            acme(&snapshot).services[0].port,
            world.port,
            "{}",
            moment.name
        );
        let mut program = world.call().await.unwrap();
        program.write_all(b"x").await.unwrap();
        program.read_exact(&mut [0; 1]).await.unwrap();
    }
    agent.shutdown().await;
}

#[tokio::test]
async fn killed_in_any_state_it_starts_again_with_port_and_enrolment_and_nothing_stale() {
    for moment in moments() {
        let world = World::new().await;
        if moment.session {
            world.signed_in_before();
        } else {
            world.joined_before();
        }
        world.hub.inner.outlet.send_replace(moment.outlet);
        let mut process = start(&world).await;
        bring_about(&world, &moment).await;

        // SIGKILL: nothing in there has a last word.
        process.kill().await.unwrap();

        all_is_well(&world, &moment).await;
    }
}

#[tokio::test]
#[ignore = "runs in the process that the test above starts and kills"]
async fn the_process() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let mut config = AgentConfig::in_dir(dir.as_ref());
    config.keys = KeyStoreKind::File;
    config.browser = Box::new(NoBrowser);
    let agent = Agent::start(config).await.unwrap();
    println!("the agent runs");
    agent.ended().await;
}
