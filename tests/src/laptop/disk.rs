//! Disks of a laptop that are small, or that cannot be written: laid over a folder, for the eyes of this laptop's programs only.
//! They go with the laptop's own mounts; on loopback a laptop has none, and nothing is laid.

use std::path::Path;
use std::process::Command;

use super::Laptop;
use crate::process::Program;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

impl Laptop {
    /// In place of a folder of hers: an empty disk with room for so many KiB.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn lay_a_small_disk(&self, folder: &Path, kib: u32) -> Outcome<()> {
        self.stage.run().private_folder(self.user, folder)?;
        let uid = self.stage.run().uid(self.user);
        let options = format!("size={kib}k,mode=700,uid={uid},gid={uid}");
        self.mount("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], folder)
    }

    /// What is in a folder of hers stays as it is.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn make_read_only(&self, folder: &Path) -> Outcome<()> {
        let itself = folder.to_string_lossy();
        self.mount("mount", &["--bind", &itself], folder)?;
        self.mount("mount", &["-o", "remount,bind,ro"], folder)
    }

    /// Takes away what was laid over a folder last.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn uncover(&self, folder: &Path) -> Outcome<()> {
        self.mount("umount", &["--lazy"], folder)
    }

    /// A program of somebody else who has an account on this laptop: the same machine, with a home of their own.
    #[must_use]
    pub fn program_of(
        &self,
        user: User,
        name: &str,
        program: impl Into<std::ffi::OsString>,
    ) -> Program {
        Program::new(name, crate::Site::Cafe, user, program).beside(&self.session)
    }

    fn mount(&self, tool: &str, words: &[&str], folder: &Path) -> Outcome<()> {
        let session = self.session.program().doing("find the session")?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", session.as_raw_nonzero()))
            // With its process table: tools look their own mounts up there.
            .args(["--mount", "--pid", tool])
            .args(words)
            .arg(folder);
        let answer = command.output().doing(format!("start {tool}"))?;
        if answer.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&answer.stderr);
        Err(Trouble::new(format!(
            "{command:?} failed: {}",
            reason.trim()
        )))
    }
}
