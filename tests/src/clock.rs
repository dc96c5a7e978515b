//! Clocks on the walls of company and laptop, turned by hand: what lasts ten minutes need not be waited for.
//! Only wall clocks are turned (by a preloaded library); timers go on as they are, so it looks as if all had slept.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};

/// Where Debian's package `faketime` puts it.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
/// A clock that was turned is seen within this time.
const SEEN: Duration = Duration::from_secs(2);

/// On whose wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// Hub and relay.
    Hub,
    Outlet,
    Laptop,
}

impl Wall {
    pub const ALL: [Self; 3] = [Self::Hub, Self::Outlet, Self::Laptop];
}

/// Hangs all clocks up: programs that start from here on read theirs.
///
/// # Errors
/// When they cannot be written.
pub fn hang_up(stage: &Stage) -> Outcome<()> {
    let folder = stage.run().at("clocks");
    std::fs::create_dir_all(&folder)?;
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    Wall::ALL
        .into_iter()
        .try_for_each(|wall| show(stage, wall, 0))
}

/// So many seconds later than it is, for everybody who reads this one.
///
/// # Errors
/// When it cannot be written.
pub async fn turn(stage: &Stage, wall: Wall, seconds: u64) -> Outcome<()> {
    show(stage, wall, seconds)?;
    tokio::time::sleep(SEEN).await;
    Ok(())
}

/// What stands before a program's line so that it reads the clock; nothing where none hangs.
#[must_use]
pub fn read_on(stage: &Stage, wall: Wall) -> Vec<OsString> {
    let clock = path(stage, wall);
    if !clock.exists() {
        return Vec::new();
    }
    let mut file = OsString::from("FAKETIME_TIMESTAMP_FILE=");
    file.push(clock);
    let words = [
        "env",
        &format!("LD_PRELOAD={LIBRARY}"),
        "FAKETIME_CACHE_DURATION=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "DONT_FAKE_MONOTONIC=1",
    ];
    words
        .into_iter()
        .map(OsString::from)
        .chain([file])
        .collect()
}

fn show(stage: &Stage, wall: Wall, seconds: u64) -> Outcome<()> {
    let clock = path(stage, wall);
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("+{seconds}\n")).doing("write the clock")?;
    std::fs::set_permissions(&next, Permissions::from_mode(0o644))?;
    // Nobody ever reads half of it.
    std::fs::rename(next, clock).doing("turn the clock")
}

fn path(stage: &Stage, wall: Wall) -> PathBuf {
    let name = match wall {
        Wall::Hub => "hub",
        Wall::Outlet => "outlet",
        Wall::Laptop => "laptop",
    };
    stage.run().at("clocks").join(name)
}
