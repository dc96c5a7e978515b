//! What a build needs besides Rust: npm packages of the window and the provider, and the Python environment of the notebook.
//! A stamp holds the text of the lock file that was installed, so a second run does nothing and a changed lock installs again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::board::Board;
use crate::place::Place;
use crate::system::{self, Use};

pub(crate) fn everything(place: &Place, board: &mut Board) -> bool {
    system::packages(board, Use::Everything)
        && npm(place, board, "ui")
        && npm(place, board, "tests/provider")
        && python(place, board)
}

/// What building and packing need: no provider, no notebook, no stage.
pub(crate) fn for_packing(place: &Place, board: &mut Board) -> bool {
    system::packages(board, Use::Packing) && npm(place, board, "ui")
}

fn npm(place: &Place, board: &mut Board, folder: &str) -> bool {
    let stamp = Stamp::of(
        &place.at(folder).join("package-lock.json"),
        &place.at(folder).join("node_modules"),
    );
    if stamp.fresh() {
        println!("✓ npm packages of {folder} are there");
        return true;
    }
    let mut ci = Command::new("npm");
    ci.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(place.at(folder));
    board
        .step(
            &format!("npm packages of {folder}"),
            Duration::from_secs(300),
            &ci,
        )
        .good
        && stamp.set()
}

/// Debian's own Python: the analyst's user must be able to read it, which a per-user installation may forbid.
fn python(place: &Place, board: &mut Board) -> bool {
    let requirements = place.at("tests/requirements.txt");
    let folder = place.at("tests/.venv");
    let stamp = Stamp::of(&requirements, &folder);
    if stamp.fresh() {
        println!("✓ Python environment is there");
        return true;
    }
    let system_python = if Path::new("/usr/bin/python3").exists() {
        "/usr/bin/python3"
    } else {
        "python3"
    };
    let mut make = Command::new(system_python);
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut install = Command::new(place.python());
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&requirements);
    board
        .step("Python environment", Duration::from_secs(120), &make)
        .good
        && board
            .step("Python packages", Duration::from_secs(600), &install)
            .good
        && stamp.set()
}

struct Stamp {
    lock: PathBuf,
    stamp: PathBuf,
}

impl Stamp {
    fn of(lock: &Path, folder: &Path) -> Self {
        Self {
            lock: lock.to_path_buf(),
            stamp: folder.join(".installed-from"),
        }
    }

    fn fresh(&self) -> bool {
        let wanted = std::fs::read(&self.lock);
        wanted.is_ok_and(|wanted| std::fs::read(&self.stamp).is_ok_and(|have| have == wanted))
    }

    fn set(&self) -> bool {
        std::fs::copy(&self.lock, &self.stamp).is_ok()
    }
}
