//! The agent as a process of its own, killed without warning in every state, then started again.
//! The process is this very test binary: the hidden test at the end is what runs in it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::control::Client;
use crate::settings;
use crate::testing::hub::{Manner, Outlet};
use crate::testing::{CANARIES, World, acme, free_port, state, until};
use crate::{
    AccountView, Action, Agent, AgentConfig, ConnectStep, KeyStoreKind, NoBrowser, Secret,
    ServiceState, Snapshot,
};

const DIR: &str = "TIDEGATE_TEST_KILLED_DIR";
const PATIENCE: Duration = Duration::from_secs(30);

/// What an earlier run left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Joined,
    SignedIn,
}

/// What the next start must find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// No org, and none of its secrets; the link works as if nothing had been.
    NotJoined,
    SignedOut,
    /// As before: signed in, and the port is the catalogue's.
    SignedIn,
    /// The same on the port that was chosen.
    OnItsNewPort,
}

/// A state to be killed in: how it is brought about once the agent runs.
struct Moment {
    name: &'static str,
    before: Before,
    outlet: Outlet,
    manner: Manner,
    acts: Vec<fn(&World) -> Action>,
    /// Whether it has come about.
    reached: fn(&Snapshot) -> bool,
    /// A program is inside when it ends.
    program: bool,
    after: After,
}

fn connect(world: &World) -> Action {
    Action::Connect {
        service: world.echo(),
    }
}

fn connected(snapshot: &Snapshot) -> bool {
    state(snapshot).is_connected()
}

fn is_out(snapshot: &Snapshot) -> bool {
    matches!(acme(snapshot).account, AccountView::SignedOut { .. })
}

impl Moment {
    fn new(name: &'static str, reached: fn(&Snapshot) -> bool) -> Self {
        Self {
            name,
            before: Before::SignedIn,
            outlet: Outlet::Echoes,
            manner: Manner::Answers,
            acts: Vec::new(),
            reached,
            program: false,
            after: After::SignedIn,
        }
    }

    fn doing(mut self, acts: &[fn(&World) -> Action]) -> Self {
        self.acts = acts.to_vec();
        self
    }
}

fn moments() -> Vec<Moment> {
    let anything = |_: &Snapshot| true;
    let signed_in =
        |snapshot: &Snapshot| matches!(acme(snapshot).account, AccountView::SignedIn { .. });
    let join = |world: &World| Action::Join {
        link: Secret::from(world.link_of_the_killed.clone()),
    };
    vec![
        Moment::new("waking", anything),
        Moment::new("signed in", signed_in),
        Moment {
            before: Before::Nothing,
            manner: Manner::Stalls,
            after: After::NotJoined,
            ..Moment::new("joining, before the hub knows", |now| now.joining).doing(&[join])
        },
        Moment {
            before: Before::Nothing,
            manner: Manner::LosesAnswers,
            after: After::NotJoined,
            ..Moment::new("joining, when the hub knows and we do not", |now| {
                now.joining
            })
            .doing(&[join])
        },
        Moment {
            before: Before::Joined,
            manner: Manner::LosesAnswers,
            after: After::SignedOut,
            ..Moment::new("joining anew where the device is already", |now| {
                now.joining
            })
            .doing(&[join])
        },
        Moment {
            before: Before::Joined,
            manner: Manner::Stalls,
            after: After::SignedOut,
            ..Moment::new("signing in", |snapshot| {
                matches!(acme(snapshot).account, AccountView::SigningIn(_))
            })
            .doing(&[|world| Action::SignIn { org: world.org() }])
        },
        Moment {
            outlet: Outlet::Silent,
            ..Moment::new("connecting", |snapshot| {
                let step = ConnectStep::AskingOutlet;
                *state(snapshot) == ServiceState::Connecting { step }
            })
            .doing(&[connect])
        },
        Moment::new("connected", connected).doing(&[connect]),
        Moment {
            program: true,
            ..Moment::new("carrying a program", connected).doing(&[connect])
        },
        Moment {
            program: true,
            ..Moment::new("disconnecting", anything).doing(&[connect, |world| Action::Disconnect {
                service: world.echo(),
            }])
        },
        Moment {
            after: After::SignedOut,
            ..Moment::new("signing out", is_out)
                .doing(&[connect, |world| Action::SignOut { org: world.org() }])
        },
        Moment {
            after: After::NotJoined,
            ..Moment::new("leaving", |snapshot| snapshot.orgs.is_empty())
                .doing(&[connect, |world| Action::Leave { org: world.org() }])
        },
        Moment {
            after: After::OnItsNewPort,
            ..Moment::new("choosing a port", anything).doing(&[|world| Action::SetPort {
                service: world.echo(),
                port: Some(world.other_port),
            }])
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

async fn sees(world: &World, name: &str, reached: impl Fn(&Snapshot) -> bool) {
    let client = Client::connect(&world.config().socket()).await.unwrap();
    let mut snapshots = client.snapshots().await.unwrap();
    let reached = async { while !reached(&snapshots.next().await.unwrap()) {} };
    timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(|_| panic!("never {name}"));
}

/// Gives a program that is inside, where one is to be.
async fn bring_about(world: &World, moment: &Moment) -> Option<tokio::net::TcpStream> {
    if moment.before == Before::SignedIn && !moment.acts.is_empty() {
        sees(world, "listed", |snapshot| {
            !acme(snapshot).services.is_empty()
        })
        .await;
    }
    let mut program = None;
    for (number, act) in moment.acts.iter().enumerate() {
        if number > 0 {
            sees(world, "connected", connected).await;
        }
        if moment.program && number + 1 == moment.acts.len() && number > 0 {
            program = Some(inside(world).await);
        }
        let mut client = Client::connect(&world.config().socket()).await.unwrap();
        client.act(act(world)).await.unwrap().unwrap();
    }
    sees(world, moment.name, moment.reached).await;
    if moment.manner == Manner::LosesAnswers {
        let known = async {
            while world.hub.inner.enrolled.lock().unwrap().is_empty() {
                breath().await
            }
        };
        timeout(PATIENCE, known).await.unwrap();
    }
    if moment.program && program.is_none() {
        program = Some(inside(world).await);
    }
    program
}

/// The hub counts nothing that an enrolment could be awaited by.
async fn breath() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

async fn inside(world: &World) -> tokio::net::TcpStream {
    let mut program = world.call().await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    program
}

/// What must be true of the next start, whatever the last one died in.
async fn all_is_well(world: &World, moment: &Moment) {
    let name = moment.name;
    let mut config = world.config();
    config.ports = settings::read(&config.settings_file).unwrap().ports;
    let agent = Agent::start(config)
        .await
        .unwrap_or_else(|problem| panic!("after {name}: {problem:?}"));
    let first = agent.snapshot().borrow().clone();
    let stale = first
        .services()
        .any(|(_, service)| service.state != ServiceState::Idle);
    assert!(!stale && !first.joining, "{name} is shown after a kill");
    match moment.after {
        After::NotJoined => not_joined(world, &agent, name).await,
        After::SignedOut => signed_out(world, &agent, name).await,
        After::SignedIn => signed_in(world, &agent, (name, world.port)).await,
        After::OnItsNewPort => signed_in(world, &agent, (name, world.other_port)).await,
    }
    agent.shutdown().await;
    nothing_is_left(world, name);
}

async fn signed_in(world: &World, agent: &Agent, (name, port): (&str, u16)) {
    assert!(world.key_file().contains(CANARIES[2]), "{name}");
    timeout(PATIENCE, agent.signed_in(&world.org()))
        .await
        .unwrap()
        .unwrap();
    agent.act(connect(world)).await.unwrap();
    let snapshot = until(agent, connected).await;
    assert_eq!(acme(&snapshot).services[0].port, port, "{name}");
    let mut program = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
}

async fn signed_out(world: &World, agent: &Agent, name: &str) {
    until(agent, is_out).await;
    let gone = async {
        // The first thing that is done about what the killed one left.
        while world.key_file().contains("/session") || world.key_file().contains("/refresh") {
            breath().await;
        }
    };
    timeout(PATIENCE, gone)
        .await
        .unwrap_or_else(|_| panic!("{name}: {}", world.key_file()));
    assert!(
        world.key_file().contains(CANARIES[2]),
        "{name}: the key of this device is lost"
    );
}

/// Nothing of the org is known, and the very link that was cut off lets this device in.
async fn not_joined(world: &World, agent: &Agent, name: &str) {
    let snapshot = until(agent, |snapshot| snapshot.orgs.is_empty()).await;
    assert!(
        snapshot.problems.is_empty(),
        "{name}: {:?}",
        snapshot.problems
    );
    let folder = world.config().data_dir.join("orgs/acme");
    let gone = async {
        while folder.exists() {
            breath().await
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    let keys = world.config().data_dir.join("keys.json");
    let kept = std::fs::read_to_string(keys).unwrap_or_default();
    for canary in CANARIES {
        assert!(!kept.contains(canary), "{name}: {canary} is still kept");
    }
    let link = Secret::from(world.link_of_the_killed.clone());
    agent.act(Action::Join { link }).await.unwrap();
    until(agent, |snapshot| {
        !snapshot.orgs.is_empty() && !snapshot.joining
    })
    .await;
    assert_eq!(world.hub.inner.enrolled.lock().unwrap().len(), 1, "{name}");
}

fn nothing_is_left(world: &World, name: &str) {
    for port in [world.port, world.other_port] {
        drop(TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|_| panic!("{name}: {port}")));
    }
    let run = std::fs::read_dir(world.config().runtime_dir)
        .unwrap()
        .flatten();
    let left: Vec<_> = run.map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{name}: {left:?}");
}

#[tokio::test]
async fn killed_in_any_state_it_starts_again_with_port_and_enrolment_and_nothing_stale() {
    for moment in moments() {
        let mut world = World::new().await;
        world.other_port = free_port();
        world.link_of_the_killed = world.hub.link("ticket-of-a-killed-join", vec![]);
        match moment.before {
            Before::Nothing => {}
            Before::Joined => drop(world.joined_before()),
            Before::SignedIn => world.signed_in_before(),
        }
        world.hub.inner.outlet.send_replace(moment.outlet);
        let mut process = start(&world).await;
        world.hub.inner.manner.send_replace(moment.manner);
        let program = bring_about(&world, &moment).await;

        // SIGKILL: nothing in there has a last word.
        process.kill().await.unwrap();

        if let Some(mut program) = program {
            let ended = timeout(PATIENCE, program.read(&mut [0; 1])).await.unwrap();
            assert!(
                matches!(ended, Ok(0) | Err(_)),
                "{}: {ended:?}",
                moment.name
            );
        }
        world.hub.inner.outlet.send_replace(Outlet::Echoes);
        world.hub.inner.manner.send_replace(Manner::Answers);
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
