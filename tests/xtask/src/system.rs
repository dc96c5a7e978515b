//! Debian packages: asks dpkg what is missing and installs only that.
//! `--no-install-recommends` everywhere: without it a desktop's worth of packages comes along.

use std::path::{Path, PathBuf};
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

/// What packs deb and rpm.
const PACKING: &[&str] = &["debhelper", "rpm"];

/// What the stage needs: a database, a desktop session, a browser, a network; and what tries packages on a booted Debian.
const STAGE: &[&str] = &[
    "appstream",
    "ca-certificates",
    "chromium",
    "chromium-driver",
    "curl",
    "dbus",
    "dbus-x11",
    "default-jdk-headless",
    "desktop-file-utils",
    "dunst",
    "faketime",
    "fish",
    "fonts-dejavu-core",
    "gnome-keyring",
    "imagemagick",
    "iproute2",
    "libnss3-tools",
    "libpostgresql-jdbc-java",
    "libsecret-tools",
    "lintian",
    "man-db",
    "nftables",
    "openbox",
    "openssh-client",
    "openssh-server",
    "postgresql-15",
    "postgresql-client-15",
    "procps",
    "python3",
    "python3-venv",
    "systemd-container",
    "util-linux",
    "webkit2gtk-driver",
    "wmctrl",
    "x11-xserver-utils",
    "xauth",
    "xclip",
    "xdg-utils",
    "xdotool",
    "xserver-xephyr",
    "zsh",
    "xfce4-panel",
    "xvfb",
];

/// What the machine is for.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Use {
    /// To build and to pack.
    Packing,
    /// For everything, the stage included.
    Everything,
}

impl Use {
    fn needs(self) -> Vec<&'static str> {
        let stage = match self {
            Self::Packing => &[],
            Self::Everything => STAGE,
        };
        [BUILD, PACKING, stage].concat()
    }
}

pub(crate) fn packages(board: &mut Board, used: Use) -> bool {
    let mut missing = used.needs();
    missing.retain(|name| !installed(name));
    if missing.is_empty() {
        println!("✓ system packages are there");
        return true;
    }
    println!("  missing system packages: {}", missing.join(" "));
    let _quiet = missing
        .contains(&"postgresql-15")
        .then(|| NoCluster::in_folder(Path::new("/etc/postgresql-common")));
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
    let mut command = as_root("env");
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "Acquire::Retries=3",
    ]);
    command
}

fn as_root(program: &str) -> Command {
    let am_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|answer| answer.stdout.trim_ascii() == b"0");
    if am_root {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

/// Debian's PostgreSQL package would start a cluster of its own; the stage makes private ones.
/// Told so only while it is installed: whoever wants a cluster there later gets one. A file that was there before stays as it is.
struct NoCluster(Option<PathBuf>);

impl NoCluster {
    fn in_folder(folder: &Path) -> Self {
        let file = folder.join("createcluster.conf");
        if file.exists() {
            return Self(None);
        }
        let write = "mkdir -p \"$(dirname \"$0\")\" && echo 'create_main_cluster = false' > \"$0\"";
        let written = as_root("sh").args(["-c", write]).arg(&file).status();
        Self(written.is_ok_and(|status| status.success()).then_some(file))
    }
}

impl Drop for NoCluster {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // What stays behind is said nowhere else.
            if !as_root("rm")
                .arg("-f")
                .arg(file)
                .status()
                .is_ok_and(|status| status.success())
            {
                eprintln!("{} could not be taken away", file.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn packing_needs_no_browser_no_database_and_no_ssh_server() {
        let needs = Use::Packing.needs();

        assert!(needs.contains(&"debhelper") && needs.contains(&"libwebkit2gtk-4.1-dev"));
        assert!(STAGE.iter().all(|name| !needs.contains(name)));
        assert!(
            STAGE
                .iter()
                .all(|name| Use::Everything.needs().contains(name))
        );
    }

    #[test]
    fn postgresql_is_told_to_make_no_cluster_only_while_it_is_installed() {
        let folder = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("createcluster.conf");

        let quiet = NoCluster::in_folder(&folder);
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "create_main_cluster = false\n"
        );
        drop(quiet);
        assert!(!file.exists());

        std::fs::write(&file, "mine\n").unwrap();
        drop(NoCluster::in_folder(&folder));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
