//! Debian packages: asks dpkg what is missing and installs only that.
//! `--no-install-recommends` everywhere: without it a desktop's worth of packages comes along.

use std::process::Command;
use std::time::Duration;

use crate::board::Board;

/// What the build needs.
const BUILD: &[&str] = &[
    "build-essential",
    "cmake",
    "libayatana-appindicator3-dev",
    "libdbus-1-dev",
    "librsvg2-dev",
    "libwebkit2gtk-4.1-dev",
    "libxdo-dev",
    "pkg-config",
];

/// What packs deb and rpm, and tries them on a booted Debian.
const PACKAGES: &[&str] = &[
    "appstream",
    "debhelper",
    "desktop-file-utils",
    "lintian",
    "rpm",
    "systemd-container",
];

/// What the stage needs: a database, a desktop session, a browser, a network.
const STAGE: &[&str] = &[
    "ca-certificates",
    "chromium",
    "chromium-driver",
    "curl",
    "dbus",
    "dbus-x11",
    "dunst",
    "faketime",
    "fonts-dejavu-core",
    "gnome-keyring",
    "imagemagick",
    "iproute2",
    "libnss3-tools",
    "libsecret-tools",
    "nftables",
    "openbox",
    "openssh-client",
    "openssh-server",
    "postgresql-15",
    "postgresql-client-15",
    "procps",
    "python3",
    "python3-venv",
    "util-linux",
    "webkit2gtk-driver",
    "wmctrl",
    "x11-xserver-utils",
    "xauth",
    "xclip",
    "xdg-utils",
    "xdotool",
    "xserver-xephyr",
    "xfce4-panel",
    "xvfb",
];

pub(crate) fn packages(board: &mut Board) -> bool {
    let missing: Vec<&str> = BUILD
        .iter()
        .chain(STAGE)
        .chain(PACKAGES)
        .copied()
        .filter(|name| !installed(name))
        .collect();
    if missing.is_empty() {
        println!("✓ system packages are there");
        return true;
    }
    println!("  missing system packages: {}", missing.join(" "));
    keep_the_machine_quiet();
    let mut update = apt();
    update.arg("update");
    let mut install = apt();
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(&missing);
    board
        .step("package lists", Duration::from_secs(300), &update)
        .good
        && board
            .step("system packages", Duration::from_secs(1200), &install)
            .good
}

fn installed(name: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", name])
        .output()
        .is_ok_and(|answer| answer.stdout == b"install ok installed")
}

fn apt() -> Command {
    let am_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|answer| answer.stdout.trim_ascii() == b"0");
    let mut command = if am_root {
        Command::new("env")
    } else {
        Command::new("sudo")
    };
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "Acquire::Retries=3",
    ]);
    command
}

/// Debian's PostgreSQL package would start a cluster of its own; the stage makes private ones.
fn keep_the_machine_quiet() {
    let folder = std::path::Path::new("/etc/postgresql-common");
    let file = folder.join("createcluster.conf");
    if !file.exists() && std::fs::create_dir_all(folder).is_ok() {
        let _ = std::fs::write(file, "create_main_cluster = false\n");
    }
}
