//! The keyring daemon that people have, in every state that they have it in.
//! Each play runs in a process and a session of its own: the hidden test at the end is what runs in it.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::keys::{KeyringStore, SecretStore, StoreError};
use crate::testing::session::{self, Keyring};
use crate::testing::{CANARIES, World, acme, until};
use crate::{
    AccountView, Action, Agent, AgentConfig, Code, KeyHome, KeyStoreKind, Snapshot, words,
};

/// What nobody calls blocked.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn what_is_kept_outlives_the_agent_and_the_daemon_and_stands_in_no_file_of_ours() {
    session::run(HIDDEN, "kept").await;
}

#[tokio::test]
async fn a_keyring_that_comes_after_the_agent_is_used_as_soon_as_it_is_there() {
    session::run(HIDDEN, "late").await;
}

#[tokio::test]
async fn a_locked_keyring_holds_nothing_up_and_opening_it_is_enough() {
    session::run(HIDDEN, "locked").await;
}

#[tokio::test]
async fn a_keyring_that_hangs_holds_nothing_up_and_nothing_is_forgotten() {
    session::run(HIDDEN, "hangs").await;
}

#[tokio::test]
async fn an_emptied_keyring_costs_the_key_and_neither_the_org_nor_its_ports() {
    session::run(HIDDEN, "emptied").await;
}

#[tokio::test]
async fn two_orgs_have_keys_of_their_own_and_leaving_one_leaves_the_others() {
    session::run(HIDDEN, "two orgs").await;
}

#[tokio::test]
async fn files_copied_to_another_computer_say_that_the_key_stayed_behind() {
    session::run(HIDDEN, "moved").await;
}

const HIDDEN: &str = "tests::keyring::the_session";

#[tokio::test]
#[ignore = "runs in the session that the tests above start"]
async fn the_session() {
    match session::play().as_deref() {
        None => {}
        Some("kept") => kept().await,
        Some("late") => late().await,
        Some("locked") => locked().await,
        Some("hangs") => hangs().await,
        Some("emptied") => emptied().await,
        Some("two orgs") => two_orgs().await,
        Some("moved") => moved().await,
        Some(other) => panic!("nobody wrote {other}"),
    }
}

fn config(world: &World) -> AgentConfig {
    AgentConfig {
        keys: KeyStoreKind::Keyring,
        ..world.config()
    }
}

/// Starts within a moment, whatever the keyring does.
async fn start(world: &World) -> Agent {
    let before = Instant::now();
    let agent = Agent::start(config(world)).await.unwrap();
    assert!(before.elapsed() < AT_ONCE, "{:?}", before.elapsed());
    agent
}

/// The keyring for a test that prepares something: its calls have two seconds, which a busy machine may not give.
struct Patient;

impl SecretStore for Patient {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        KeyringStore.read(name)
    }
    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        let mut tries = (0..10).map(|_| KeyringStore.write(name, secret));
        tries.find(Result::is_ok).unwrap_or(Err(StoreError::Silent))
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        KeyringStore.delete(name)
    }
}

async fn remembered() -> World {
    let world = World::new().await;
    let remember = |world: World| {
        world.signed_in_before_with(&Patient);
        world
    };
    // The keyring's calls block, and run the bus themselves.
    tokio::task::spawn_blocking(move || remember(world))
        .await
        .unwrap()
}

async fn entry(name: String) -> Option<String> {
    let read = move || {
        let mut tries = (0..10).map(|_| KeyringStore.read(&name));
        let read = tries.find(Result::is_ok).unwrap().unwrap();
        read.map(|secret| secret.to_string())
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

fn is_in(snapshot: &Snapshot) -> bool {
    matches!(acme(snapshot).account, AccountView::SignedIn { .. })
}

fn has(snapshot: &Snapshot, code: Code) -> bool {
    snapshot.all_problems().any(|problem| problem.code == code)
}

async fn kept() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    let agent = start(&world).await;
    let snapshot = until(&agent, is_in).await;
    assert_eq!(snapshot.keys, KeyHome::Keyring);
    agent.shutdown().await;

    daemon.end().await;
    let _daemon = Keyring::open().await;
    let agent = start(&world).await;
    until(&agent, is_in).await;
    agent.shutdown().await;

    let files = [world.dir.path().to_owned(), session::files()];
    for canary in CANARIES {
        for file in files.iter().flat_map(|dir| all_files(dir)) {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes
                .windows(canary.len())
                .any(|part| part == canary.as_bytes());
            assert!(!found, "{canary} is in {}", file.display());
        }
    }
}

async fn late() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    daemon.end().await;

    let agent = start(&world).await;
    let snapshot = until(&agent, |snapshot| has(snapshot, Code::KeyringAbsent)).await;
    assert!(!is_in(&snapshot));
    let _daemon = Keyring::open().await;

    let snapshot = until(&agent, is_in).await;
    assert!(!has(&snapshot, Code::KeyringAbsent));
    agent.shutdown().await;
}

async fn locked() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    daemon.lock().await;

    let agent = start(&world).await;
    until(&agent, |snapshot| has(snapshot, Code::KeyringLocked)).await;
    daemon.unlock().await;
    let snapshot = until(&agent, is_in).await;
    assert!(!has(&snapshot, Code::KeyringLocked));
    agent.shutdown().await;
    daemon.end().await;

    // The same from the start of a session: automatic login opens nothing.
    let daemon = Keyring::locked().await;
    let agent = start(&world).await;
    until(&agent, |snapshot| has(snapshot, Code::KeyringLocked)).await;
    daemon.unlock().await;
    until(&agent, is_in).await;
    agent.shutdown().await;
}

async fn hangs() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    daemon.hang();

    let agent = start(&world).await;
    let snapshot = until(&agent, |snapshot| has(snapshot, Code::KeyringSilent)).await;
    let told = snapshot
        .all_problems()
        .find(|problem| problem.code == Code::KeyringSilent);
    assert!(words(told.unwrap()).line().contains("does not answer"));
    let before = Instant::now();
    agent
        .act(Action::SignIn { org: world.org() })
        .await
        .unwrap();
    assert!(before.elapsed() < AT_ONCE);
    daemon.go_on();
    until(&agent, is_in).await;

    // Quitting does not wait for it either.
    daemon.hang();
    let before = Instant::now();
    agent.shutdown().await;
    assert!(before.elapsed() < Duration::from_secs(5));
    daemon.go_on();
    let agent = start(&world).await;
    until(&agent, is_in).await;
    agent.shutdown().await;
}

async fn emptied() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    let agent = start(&world).await;
    until(&agent, |snapshot| {
        is_in(snapshot) && !acme(snapshot).services.is_empty()
    })
    .await;
    agent.shutdown().await;
    daemon.end().await;
    std::fs::remove_dir_all(session::files()).unwrap();
    let _daemon = Keyring::open().await;

    key_is_gone(&world).await;
}

async fn moved() {
    let daemon = Keyring::open().await;
    let world = remembered().await;
    let agent = start(&world).await;
    until(&agent, |snapshot| {
        is_in(snapshot) && !acme(snapshot).services.is_empty()
    })
    .await;
    agent.shutdown().await;
    daemon.end().await;
    // Another computer: its keyring has other things in it, and only our files came along.
    std::fs::rename(
        session::files(),
        session::files().with_extension("elsewhere"),
    )
    .unwrap();
    let _daemon = Keyring::open().await;
    let other = |store: KeyringStore| store.write("beta/identity", "of another org").unwrap();
    tokio::task::spawn_blocking(move || other(KeyringStore))
        .await
        .unwrap();

    key_is_gone(&world).await;
    assert_eq!(
        entry("beta/identity".into()).await.unwrap(),
        "of another org"
    );
}

/// The sentence says what to do; org and ports are as they were.
async fn key_is_gone(world: &World) {
    let agent = start(world).await;
    let snapshot = until(&agent, |snapshot| has(snapshot, Code::KeyMissing)).await;
    let told = snapshot
        .all_problems()
        .find(|problem| problem.code == Code::KeyMissing);
    let line = words(told.unwrap()).line();
    assert!(line.contains("join link"), "{line}");
    assert_eq!(acme(&snapshot).services[0].port, world.port);
    assert!(!is_in(&snapshot));
    agent.shutdown().await;
}

async fn two_orgs() {
    let _daemon = Keyring::open().await;
    let acme_world = remembered().await;
    let beta = acme_world.beside("beta").await;
    let beta = tokio::task::spawn_blocking(move || {
        beta.signed_in_before_with(&Patient);
        beta
    })
    .await
    .unwrap();
    let agent = start(&acme_world).await;
    let both = |snapshot: &Snapshot| {
        let is_in = |account: &AccountView| matches!(account, AccountView::SignedIn { .. });
        snapshot
            .orgs
            .iter()
            .filter(|org| is_in(&org.account))
            .count()
            == 2
    };
    until(&agent, both).await;

    agent.act(Action::Leave { org: beta.org() }).await.unwrap();
    until(&agent, |snapshot| snapshot.orgs.len() == 1).await;
    // Quit at once: what the keyring could not forget in time, the next start makes it forget.
    agent.shutdown().await;
    let agent = start(&acme_world).await;
    let mark = acme_world.config().data_dir.join("orgs/beta");
    gone(&mark).await;
    agent.shutdown().await;

    for kind in ["identity", "refresh", "session"] {
        assert!(entry(beta.entry(kind)).await.is_none(), "{kind}");
        assert!(entry(acme_world.entry(kind)).await.is_some(), "{kind}");
    }
}

/// Waits until a folder is gone.
async fn gone(path: &std::path::Path) {
    for _ in 0..200 {
        if !path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} is still there", path.display());
}

fn all_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files.extend(all_files(&path)),
            kind if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}
