//! One run: its name, its folder, its block of uids. Everything the stage makes carries the name.
//! The folder is in the temporary directory with a short name, because paths of Unix sockets end at 108 bytes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::trouble::{Doing, Outcome};
use crate::user::User;

const UIDS_PER_RUN: u32 = 16;
/// Tests of one program run at once, each on a run of its own; one that shared uids would see the other's programs.
const RUNS_PER_PROGRAM: u32 = 64;
static RUNS: AtomicU32 = AtomicU32::new(0);

pub struct Run {
    id: String,
    folder: PathBuf,
    first_uid: u32,
    own_users: bool,
    postgres: Option<u32>,
}

impl Run {
    /// `own_users` is false where the stage may not change uids: then everything belongs to who started it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin(own_users: bool) -> Outcome<Self> {
        let pid = std::process::id();
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let id = format!("tg{pid}x{number}");
        let folder = std::env::temp_dir().join(&id);
        let first_uid = first_uid(pid, number);
        let postgres = if own_users { None } else { debians_postgres() };
        let run = Self {
            id,
            folder,
            first_uid,
            own_users,
            postgres,
        };
        run.make_folders().doing("make the folder of the run")?;
        Ok(run)
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    #[must_use]
    pub fn at(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    #[must_use]
    pub fn home(&self, user: User) -> PathBuf {
        user.home(&self.folder)
    }

    #[must_use]
    pub fn first_uid(&self) -> u32 {
        self.first_uid
    }

    #[must_use]
    pub fn uid(&self, user: User) -> u32 {
        self.first_uid + user.offset()
    }

    /// The uid under which a user's programs really run, where it is not our own.
    #[must_use]
    pub fn real_uid(&self, user: User) -> Option<u32> {
        if self.own_users {
            Some(self.uid(user))
        } else {
            self.stand_in(user)
        }
    }

    /// Whom root must become on loopback for a user's programs: PostgreSQL refuses to run as root.
    #[must_use]
    pub fn stand_in(&self, user: User) -> Option<u32> {
        self.postgres.filter(|_| user == User::Database)
    }

    /// Whether a uid of the machine belongs to this run.
    #[must_use]
    pub fn owns(&self, uid: u32) -> bool {
        self.own_users && (self.first_uid..self.first_uid + UIDS_PER_RUN).contains(&uid)
    }

    /// A folder that only `user` can enter.
    ///
    /// # Errors
    /// When it cannot be made or given away.
    pub fn private_folder(&self, user: User, path: &Path) -> Outcome<()> {
        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
        self.give(user, path)
    }

    /// Writes a file that only `user` can read.
    ///
    /// # Errors
    /// When it cannot be written or given away.
    pub fn private_file(&self, user: User, path: &Path, bytes: impl AsRef<[u8]>) -> Outcome<()> {
        std::fs::write(path, bytes).doing(format!("write {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        self.give(user, path)
    }

    /// # Errors
    /// When the file system refuses.
    pub fn give(&self, user: User, path: &Path) -> Outcome<()> {
        if let Some(uid) = self.real_uid(user) {
            std::os::unix::fs::lchown(path, Some(uid), Some(uid))
                .doing(format!("give {} away", path.display()))?;
        }
        Ok(())
    }

    /// Gives a whole tree away.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn give_tree(&self, user: User, path: &Path) -> Outcome<()> {
        self.give(user, path)?;
        if path.is_dir() && !path.is_symlink() {
            for entry in std::fs::read_dir(path)? {
                self.give_tree(user, &entry?.path())?;
            }
        }
        Ok(())
    }

    fn make_folders(&self) -> Outcome<()> {
        for folder in ["", "bin", "logs", "home", "venv", "provider"] {
            std::fs::create_dir_all(self.at(folder))?;
            std::fs::set_permissions(self.at(folder), std::fs::Permissions::from_mode(0o755))?;
        }
        for user in User::ALL {
            self.private_folder(user, &self.home(user))?;
            self.private_folder(user, &self.home(user).join("run"))?;
        }
        std::fs::write(
            self.at("passwd"),
            self.accounts("/etc/passwd", passwd_line)?,
        )?;
        std::fs::write(self.at("group"), self.accounts("/etc/group", group_line)?)?;
        Ok(())
    }

    fn accounts(&self, system: &str, line: fn(&str, u32, &Path) -> String) -> Outcome<String> {
        let mut text = std::fs::read_to_string(system)?;
        for user in User::ALL {
            text.push_str(&line(user.name(), self.uid(user), &self.home(user)));
        }
        Ok(text)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::env::var_os("TIDEGATE_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Ours alone as long as fewer than that many runs of one program are on at once, and process ids are not a hundred thousand apart.
fn first_uid(pid: u32, number: u32) -> u32 {
    let block = (pid % 100_000) * RUNS_PER_PROGRAM + number % RUNS_PER_PROGRAM;
    200_000 + block * UIDS_PER_RUN
}

/// The uid of the account that Debian's package makes, when we are root and need it.
fn debians_postgres() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts
        .lines()
        .find(|line| line.starts_with("postgres:"))?;
    line.split(':').nth(2)?.parse().ok()
}

fn passwd_line(name: &str, uid: u32, home: &Path) -> String {
    format!("{name}:x:{uid}:{uid}::{}:/bin/sh\n", home.display())
}

fn group_line(name: &str, gid: u32, _home: &Path) -> String {
    format!("{name}:x:{gid}:\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_on_at_once_share_no_uid() {
        let mut firsts: Vec<u32> = (0..RUNS_PER_PROGRAM)
            .flat_map(|number| [first_uid(4711, number), first_uid(4712, number)])
            .collect();
        firsts.sort_unstable();

        let apart = firsts.windows(2).all(|two| two[1] - two[0] >= UIDS_PER_RUN);

        assert!(apart, "{firsts:?}");
        assert!(first_uid(99_999, RUNS_PER_PROGRAM - 1) < i32::MAX.unsigned_abs());
    }
}
