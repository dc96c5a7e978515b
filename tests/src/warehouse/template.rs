//! The loaded cluster as a folder to copy: made once, named after everything that went into it.
//! A lock file lets several tests ask for it at once; the first makes it, the others wait.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::{START, program};
use crate::ground::Site;
use crate::process::Program;
use crate::secret;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

const LOADING: Duration = Duration::from_secs(180);

pub(super) async fn copy(stage: &Arc<Stage>, cluster: &Path) -> Outcome<()> {
    let cache = stage.checkout().join("tests/out/cache");
    std::fs::create_dir_all(&cache)?;
    let template = cache.join(format!("warehouse-{}", fingerprint(stage)?));
    let lock = std::fs::File::create(cache.join("warehouse.lock"))?;
    // Waiting here blocks the thread on purpose: nothing can go on without the template.
    flock(&lock, FlockOperation::LockExclusive)?;
    if !template.exists() {
        make(stage, cluster).await.doing("load the warehouse")?;
        copy_tree(cluster, &cache.join("making"))?;
        std::fs::rename(cache.join("making"), &template)?;
        return Ok(());
    }
    drop(lock);
    copy_tree(&template, cluster)?;
    stage.run().give_tree(User::Database, cluster)
}

async fn make(stage: &Arc<Stage>, cluster: &Path) -> Outcome<()> {
    let home = stage.run().home(User::Database);
    let (password, word_file) = (secret::text(), home.join("initial"));
    stage
        .run()
        .private_file(User::Database, &word_file, &password)?;
    let init = program("database-init", "initdb")
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"])
        .arg(format!("--pwfile={}", word_file.display()))
        .arg("-D")
        .arg(cluster);
    init.output(stage, LOADING).await?;
    std::fs::remove_file(&word_file)?;

    let mut server = program("database-loading", "postgres")
        .arg("-D")
        .arg(cluster)
        .args([
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            "dynamic_shared_memory_type=mmap",
            "-k",
        ])
        .arg(&home)
        .start(stage)?;
    server
        .says("database system is ready to accept connections", START)
        .await?;
    for file in ["load.py", "schema.sql"] {
        let text = std::fs::read(stage.checkout().join("tests/warehouse").join(file))?;
        stage
            .run()
            .private_file(User::Database, &home.join(file), text)?;
    }
    Program::new(
        "database-load",
        Site::Private,
        User::Database,
        stage.python(),
    )
    .arg(home.join("load.py"))
    .arg(&home)
    .arg("5432")
    .env("PGPASSWORD", password)
    .output(stage, LOADING)
    .await?;
    server.signal(Signal::INT)?;
    server.ended(START).await.map(drop)
}

/// Another schema, loader or package makes another template.
fn fingerprint(stage: &Stage) -> Outcome<String> {
    let mut hasher = DefaultHasher::new();
    for file in [
        "tests/warehouse/schema.sql",
        "tests/warehouse/load.py",
        "tests/requirements.txt",
    ] {
        std::fs::read(stage.checkout().join(file))
            .doing(format!("read {file}"))?
            .hash(&mut hasher);
    }
    include_str!("template.rs").hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn copy_tree(from: &Path, to: &Path) -> Outcome<()> {
    let _ = std::fs::remove_dir_all(to);
    let done = Command::new("cp")
        .arg("-a")
        .arg("--")
        .args([from, to])
        .status()?;
    if done.success() {
        Ok(())
    } else {
        Err(Trouble::new(format!("could not copy {}", from.display())))
    }
}
