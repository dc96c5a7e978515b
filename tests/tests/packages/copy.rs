//! A copy of this machine in memory (overlay on the running one), booted with its own systemd and without a network.
//! Whatever happens, what was mounted is unmounted when it is dropped; nothing is written to the machine itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::built::Built;

const TRY: &str = include_str!("../../packages/try.sh");

/// The first thing that boots, and the last: its end is the machine's end.
const UNIT: &str = "\
[Unit]
Description=Try the packages
Requires=basic.target
After=basic.target systemd-user-sessions.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/try/try.sh
StandardOutput=truncate:/try/said
StandardError=inherit
TimeoutStartSec=900
";

pub(crate) struct Copy {
    memory: tempfile::TempDir,
}

impl Copy {
    /// # Errors
    /// Why there can be none here: not root, no overlay, no `systemd-nspawn`.
    pub(crate) fn of_this_machine() -> Result<Self, String> {
        let memory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let copy = Self { memory };
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3g,mode=0755", "tmpfs"])
            .arg(copy.at("")))?;
        for folder in ["changes", "work", "machine", "try"] {
            std::fs::create_dir(copy.at(folder)).map_err(|error| error.to_string())?;
        }
        let layers = format!(
            "lowerdir=/,upperdir={},workdir={}",
            copy.at("changes").display(),
            copy.at("work").display()
        );
        run(Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &layers])
            .arg(copy.at("machine")))?;
        run(Command::new("systemd-nspawn").arg("--version"))?;
        Ok(copy)
    }

    /// Boots it, lets it try the packages, and gives back what it said.
    pub(crate) fn boot(&self, built: &Built) -> String {
        let (machine, outside) = (self.at("machine"), self.at("try"));
        built.lay_out(&outside);
        let script = outside.join("try.sh");
        std::fs::write(&script, TRY).unwrap();
        executable(&script);
        let units = machine.join("etc/systemd/system");
        std::fs::create_dir_all(&units).unwrap();
        std::fs::write(units.join("tidegate-try.service"), UNIT).unwrap();
        // A machine's identity is its own, and so is a ban on starting services, which images for containers have.
        for own in ["etc/machine-id", "usr/sbin/policy-rc.d"] {
            let _ = std::fs::remove_file(machine.join(own));
        }
        std::fs::write(machine.join("etc/machine-id"), "").unwrap();

        let booted = Command::new("timeout")
            .args([
                "--kill-after=10",
                "960",
                "systemd-nspawn",
                "--quiet",
                "--boot",
            ])
            .args(["--private-network", "--register=no", "--keep-unit"])
            .args(["--console=pipe", "--machine=tidegate-try"])
            .arg(format!("--bind={}:/try", outside.display()))
            .arg(format!("--directory={}", machine.display()))
            .args([
                "systemd.unit=tidegate-try.service",
                "systemd.show_status=no",
            ])
            .output()
            .unwrap();

        std::fs::read_to_string(outside.join("said")).unwrap_or_else(|_| {
            panic!(
                "it did not boot: {}",
                String::from_utf8_lossy(&both(booted))
            )
        })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.memory.path().join(name)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for mounted in [self.at("machine"), self.at("")] {
            if is_mounted(&mounted) {
                let _ = run(Command::new("umount").arg(&mounted));
            }
            assert!(
                std::thread::panicking() || !is_mounted(&mounted),
                "{} is left behind",
                mounted.display()
            );
        }
    }
}

fn is_mounted(path: &Path) -> bool {
    let path = path.to_str().unwrap().trim_end_matches('/');
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(path))
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ran = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name}: {}",
        String::from_utf8_lossy(&both(ran)).trim()
    ))
}

fn both(ran: Output) -> Vec<u8> {
    [ran.stdout, ran.stderr].concat()
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
