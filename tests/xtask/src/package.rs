//! `cargo xtask package`: deb and rpm of the app, and of the command line with its servers, from one staged folder.
//! debhelper and rpmbuild do the packing: what a package must contain and declare is their knowledge, not ours.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::board::Board;
use crate::check;
use crate::place::Place;
use crate::prepare;

/// How the packages are to be made.
pub(crate) struct Order {
    /// Debug binaries and hardly any compression: for a test of the packages, not for people.
    quick: bool,
    /// The binaries are there already.
    built: bool,
    /// A version other than the workspace's: what an upgrade test upgrades from.
    version: Option<String>,
}

impl Order {
    pub(crate) fn of(words: &[String]) -> Self {
        let after = |flag: &str| {
            let place = words.iter().position(|word| word == flag)?;
            words.get(place + 1).cloned()
        };
        Self {
            quick: words.iter().any(|word| word == "--quick"),
            built: words.iter().any(|word| word == "--built"),
            version: after("--as"),
        }
    }

    fn profile(&self) -> &'static str {
        if self.quick { "debug" } else { "release" }
    }
}

/// What is read on the machine itself, in the folders of the project, so that its links lead somewhere.
const PAGES: [&str; 9] = [
    "README.md",
    "agent/cli/README.md",
    "agent/deploy/README.md",
    "agent/docs/access.md",
    "agent/docs/laptop.md",
    "agent/outlet/README.md",
    "agent/proto/PROTOCOL.md",
    "agent/proto/schema/tidegate.cedarschema",
    "agent/relay/README.md",
];

pub(crate) fn run(place: &Place, board: &mut Board, order: &Order) -> bool {
    if !(order.built || prepare::for_packing(place, board) && build(place, board, order)) {
        return false;
    }
    let version = match order.version.clone().or_else(|| workspace_version(place)) {
        Some(version) => version,
        None => {
            board.failed("packages", "Cargo.toml names no version");
            return false;
        }
    };
    let folder = place.target.join("packages").join(order.profile());
    let staged = folder.join(format!("tidegate-{version}"));
    if let Err(error) = stage(place, order, &version, &staged) {
        board.failed("packages", &format!("could not stage the files: {error}"));
        return false;
    }
    let good = deb(board, order, &staged) && rpm(board, order, &version, &staged);
    if good {
        println!("  packages are in {}", folder.display());
        sizes(&folder, &version);
    }
    good
}

fn build(place: &Place, board: &mut Board, order: &Order) -> bool {
    if order.quick {
        return check::build(place, board);
    }
    let mut release = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    release
        .args(["build", "--release", "-p", "tidegate-cli", "-p"])
        .arg("tidegate-desktop")
        .current_dir(&place.root);
    check::build_window(place, board)
        && board
            .step("build for release", Duration::from_secs(3600), &release)
            .good
}

/// Everything that goes into a package, where the lists in `agent/deploy` look for it.
fn stage(place: &Place, order: &Order, version: &str, staged: &Path) -> io::Result<()> {
    if staged.exists() {
        fs::remove_dir_all(staged)?;
    }
    let deploy = place.at("agent/deploy");
    for folder in ["debian", "debian/source", "systemd", "desktop", "rpm"] {
        copy_files(&deploy.join(folder), &staged.join(folder))?;
    }
    let units = [
        "tidegate-hub.service",
        "tidegate-relay.service",
        "tidegate-outlet.service",
    ];
    for unit in units {
        let named = staged.join(format!("debian/tidegate.{unit}"));
        put(&deploy.join("systemd").join(unit), &named)?;
    }
    let changelog = fs::read_to_string(deploy.join("debian/changelog"))?;
    let (_, rest) = changelog
        .split_once(')')
        .ok_or_else(|| io::Error::other("the changelog has no version"))?;
    fs::write(
        staged.join("debian/changelog"),
        format!("tidegate ({version}){rest}"),
    )?;
    for page in PAGES {
        put(&place.at(page), &staged.join("docs").join(page))?;
    }
    for (icon, size) in [
        ("32x32.png", "32x32"),
        ("128x128.png", "128x128"),
        ("128x128@2x.png", "256x256"),
    ] {
        let named = staged.join("icons").join(size).join("tidegate.png");
        put(&place.at("icons/app").join(icon), &named)?;
    }
    put(
        &place.at("icons/app.svg"),
        &staged.join("icons/scalable/tidegate.svg"),
    )?;
    let binaries = place.target.join(order.profile());
    for name in ["tidegate", "tidegate-desktop"] {
        put(&binaries.join(name), &staged.join("bin").join(name))?;
    }
    describe(&staged.join("bin/tidegate"), staged)
}

/// Man pages and completions come from the binary itself, so they cannot tell of another one.
fn describe(tidegate: &Path, staged: &Path) -> io::Result<()> {
    let pages = Command::new(tidegate)
        .arg("man")
        .arg(staged.join("man"))
        .status()?;
    if !pages.success() {
        return Err(io::Error::other("`tidegate man` failed"));
    }
    for (shell, file) in [
        ("bash", "completions/bash/tidegate"),
        ("zsh", "completions/zsh/_tidegate"),
        ("fish", "completions/fish/tidegate.fish"),
    ] {
        let answer = Command::new(tidegate)
            .args(["completions", shell])
            .output()?;
        if !answer.status.success() {
            return Err(io::Error::other("`tidegate completions` failed"));
        }
        let file = staged.join(file);
        make_room(&file)?;
        fs::write(file, answer.stdout)?;
    }
    Ok(())
}

fn deb(board: &mut Board, order: &Order, staged: &Path) -> bool {
    let mut pack = Command::new("dpkg-buildpackage");
    pack.args(["--build=binary", "--no-sign", "--no-check-builddeps"])
        .env("DEB_BUILD_OPTIONS", "noautodbgsym")
        .current_dir(staged);
    if order.quick {
        pack.env("TIDEGATE_QUICK", "1");
    }
    board
        .step("deb packages", Duration::from_secs(600), &pack)
        .good
}

fn rpm(board: &mut Board, order: &Order, version: &str, staged: &Path) -> bool {
    let Some(folder) = staged.parent() else {
        return false;
    };
    let level = if order.quick { "w1.gzdio" } else { "w6.xzdio" };
    let mut pack = Command::new("rpmbuild");
    pack.arg("-bb").arg(staged.join("rpm/tidegate.spec"));
    for (name, value) in [
        ("_topdir", folder.join("rpm").display().to_string()),
        ("_rpmdir", folder.display().to_string()),
        ("_binary_payload", level.to_owned()),
        ("staged", staged.display().to_string()),
        ("version_of_tidegate", version.to_owned()),
    ] {
        pack.arg("--define").arg(format!("{name} {value}"));
    }
    board
        .step("rpm packages", Duration::from_secs(600), &pack)
        .good
}

/// What each package weighs, as it is downloaded.
fn sizes(folder: &Path, version: &str) {
    let files = [folder.to_owned(), folder.join("x86_64")]
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let mut lines: Vec<String> = files
        .filter_map(|file| {
            Some((
                file.file_name().into_string().ok()?,
                file.metadata().ok()?.len(),
            ))
        })
        .filter(|(name, _)| {
            name.contains(version) && (name.ends_with(".deb") || name.ends_with(".rpm"))
        })
        .map(|(name, size)| {
            let tenths = size.div_ceil(104_858);
            format!("  {:>4}.{} MiB  {name}", tenths / 10, tenths % 10)
        })
        .collect();
    lines.sort_by(|a, b| a[14..].cmp(&b[14..]));
    println!("{}", lines.join("\n"));
}

fn workspace_version(place: &Place) -> Option<String> {
    let manifest = fs::read_to_string(place.at("Cargo.toml")).ok()?;
    let (_, package) = manifest.split_once("[workspace.package]")?;
    let line = package.lines().find(|line| line.starts_with("version"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

/// The files of one folder, not those below it.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            put(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn put(from: &Path, to: &Path) -> io::Result<()> {
    make_room(to)?;
    match fs::copy(from, to) {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::other(format!("{}: {error}", from.display()))),
    }
}

fn make_room(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)
}
