//! Three mornings on which it does not work, for somebody who has never seen Tidegate: find out why, and mend it, with what Ana has.
//! `cargo xtask demo --trouble port|clock|database`. It waits until her query is answered; nothing here tells what was broken.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::World;
use crate::company::{SERVICE, SERVICE_PORT};
use crate::laptop::Laptop;
use crate::narrator::Narrator;
use crate::process::{Process, Program};
use crate::secret;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::LOGIN;

/// How long somebody may take.
const PATIENCE: Duration = Duration::from_secs(2 * 3_600);
/// What waits in the terminals: a shell, or the command that was typed behind their name.
const TERMINAL: &str = "if [ -n \"$STAGE_PRELOAD\" ]; then export LD_PRELOAD=\"$STAGE_PRELOAD\"; unset STAGE_PRELOAD; fi; if [ $# -gt 0 ]; then exec \"$@\"; fi; exec bash --norc -i";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    Port,
    Clock,
    Database,
}

impl Prepared {
    /// By the word behind `--trouble`.
    ///
    /// # Errors
    /// When there is no such trouble.
    pub fn named(word: &str) -> Outcome<Self> {
        match word {
            "port" => Ok(Self::Port),
            "clock" => Ok(Self::Clock),
            "database" => Ok(Self::Database),
            other => Err(Trouble::new(format!(
                "there is no trouble called `{other}`: port, clock or database"
            ))),
        }
    }
}

/// Prepares it, waits until it is mended, and takes everything down.
///
/// # Errors
/// When the stage does not come up, or nobody mends it within two hours.
pub async fn play(narrator: &Narrator, trouble: Prepared, out: &Path) -> Outcome<()> {
    let world = narrator
        .step("The stage is set", super::set(narrator))
        .await?;
    let laptop = narrator
        .step("Ana has used it for a week", used(&world))
        .await?;
    let broken = prepare(trouble, &world, &laptop).await?;
    let doors = terminals(&world, &laptop, trouble, out)?;
    let mended = wait(narrator, &world, &doors).await;
    for door in &doors {
        let _ = std::fs::remove_file(door);
    }
    drop((broken, laptop));
    narrator.step("Nothing is left", world.end()).await?;
    mended
}

/// Joined, signed in, and with a file of settings of her own.
async fn used(world: &World) -> Outcome<Laptop> {
    let laptop = Laptop::switch_on(&world.stage, &world.ca).await?;
    let link = world.company.admin.ticket(&world.provider.ana).await?;
    laptop.join(&link).await?;
    let mut login = laptop
        .program("login", world.stage.binary("tidegate")?)
        .args(["login", "--no-browser"])
        .start(&world.stage)?;
    laptop
        .visit(&mut login, &world.provider.ana, &world.ca)
        .await?;
    login.ended(Duration::from_secs(30)).await?;
    Ok(laptop)
}

/// Breaks it; what is given back must live on.
async fn prepare(trouble: Prepared, world: &World, laptop: &Laptop) -> Outcome<Option<Process>> {
    match trouble {
        Prepared::Port => {
            let old = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('held', flush=True); time.sleep(1e6)";
            let mut holder = laptop
                .program("old-notebook", world.stage.python())
                .args(["-c", old, &SERVICE_PORT.to_string()])
                .start(&world.stage)?;
            holder.says("held", Duration::from_secs(20)).await?;
            Ok(Some(holder))
        }
        Prepared::Clock => {
            std::fs::write(clock_file(world), "+47m\n")?;
            world.stage.run().give(User::Analyst, &clock_file(world))?;
            let setter = "#!/bin/sh\n# The stage's own: her clock is right again once it is set by the network.\ncase \"$*\" in 'set-ntp true'|'set-ntp yes'|'set-ntp 1') echo +0 >\"$HOME/.clock\";; set-time*) echo 'Automatic time synchronization is the better way: timedatectl set-ntp true' >&2; exit 1;; *) date; echo 'NTP service: inactive';; esac\n";
            let path = world.stage.run().at("bin/timedatectl");
            std::fs::write(&path, setter)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
            Ok(None)
        }
        Prepared::Database => {
            let fresh = secret::text();
            let order = format!("alter role {LOGIN} password '{fresh}'");
            world.warehouse.order(&order).await?;
            let mail = format!(
                "To: the owners of warehouse\nSubject: passwords were rotated last night\n\nThe new password of {LOGIN} is {fresh}\nEverything else stays as it was.\n"
            );
            world.company.outlet.write("mail.txt", &mail)?;
            Ok(None)
        }
    }
}

fn clock_file(world: &World) -> PathBuf {
    world.stage.run().home(User::Analyst).join(".clock")
}

/// Scripts that open a terminal on her laptop, and one beside the database.
fn terminals(
    world: &World,
    laptop: &Laptop,
    trouble: Prepared,
    out: &Path,
) -> Outcome<Vec<PathBuf>> {
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        world.stage.run().at("bin").display()
    );
    world.stage.binary("tidegate")?;
    let mut ana = laptop.program("ana", "sh").env("PATH", &path);
    if trouble == Prepared::Clock {
        ana = ana
            // Not before it is her who runs: what root makes is closed to her.
            .env("STAGE_PRELOAD", faketime()?)
            .env("FAKETIME_TIMESTAMP_FILE", clock_file(world))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    }
    let outlet = Program::new("owner", crate::Site::Private, User::Outlet, "sh")
        .beside(&world.company.outlet.process)
        .env("PATH", &path);
    let mut doors = Vec::new();
    for (name, program) in [("ana", ana), ("owner", outlet)] {
        let script = program
            .env("PS1", format!("{name}$ "))
            .args(["-c", TERMINAL, name])
            .script(&world.stage);
        let file = out.join(format!("terminal-{name}"));
        std::fs::write(&file, script)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        doors.push(file);
    }
    Ok(doors)
}

fn faketime() -> Outcome<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib")?.flatten();
    let files = folders.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    files
        .into_iter()
        .find(|file| file.exists())
        .doing("find libfaketime")
}

async fn wait(narrator: &Narrator, world: &World, doors: &[PathBuf]) -> Outcome<()> {
    println!(
        "\nAna wants the number of flights, and it does not work this morning. Find out why, and mend it."
    );
    println!(
        "You have what she has: README.md, `tidegate --help`, and these terminals (a command behind the name runs there):"
    );
    for (door, whose) in doors
        .iter()
        .zip(["on her laptop", "beside the database, its owner's"])
    {
        println!("  {}   {whose}", door.display());
    }
    println!("It is mended when this is answered on her laptop:");
    println!("  tidegate connect {SERVICE} -- psql -c 'select count(*) from flights'");
    println!("Waiting; Ctrl-C ends it.");
    let started = Instant::now();
    let before = answered(world);
    let answered = async {
        while answered(world) == before {
            if started.elapsed() > PATIENCE {
                return Err(Trouble::new("nobody mended it within two hours"));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // The last words of her query.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    };
    tokio::select! {
        answered = answered => answered?,
        _ = tokio::signal::ctrl_c() => return Err(Trouble::new("it was given up")),
    }
    let minutes = started.elapsed().as_secs().div_ceil(60);
    narrator.say(format!(
        "Mended, in {minutes} min: her query is in the owner's record."
    ));
    Ok(())
}

/// Connections that carried an answer, by the owner's record; one that was refused is there too, with nothing in it.
fn answered(world: &World) -> usize {
    let events = world.company.outlet.events().unwrap_or_default();
    let with_bytes = |event: &&serde_json::Value| {
        let what = &event["what"];
        what["kind"] == "portal-closed"
            && ["sent", "received"]
                .iter()
                .all(|key| what[key].as_u64() > Some(0))
    };
    events.iter().filter(with_bytes).count()
}
