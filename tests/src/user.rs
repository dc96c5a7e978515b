//! The people and servers of the scene as users of the machine: each part runs under a uid of its own.
//! The uids exist for one run only, in a copy of the password file that only the stage's processes see.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum User {
    /// Keeps the org root key.
    Admin,
    Hub,
    Outlet,
    Database,
    Provider,
    /// Ana, and her laptop.
    Analyst,
    /// Bob, and his.
    Colleague,
    /// The relay that is not in the hub.
    Relay,
    /// Ana again, at a second laptop of hers.
    Elsewhere,
    /// The same parts of another company.
    BetaAdmin,
    BetaHub,
    BetaOutlet,
}

impl User {
    pub const ALL: [User; 12] = [
        User::Admin,
        User::Hub,
        User::Outlet,
        User::Database,
        User::Provider,
        User::Analyst,
        User::Colleague,
        User::Relay,
        User::Elsewhere,
        User::BetaAdmin,
        User::BetaHub,
        User::BetaOutlet,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            User::Admin => "admin",
            User::Hub => "hub",
            User::Outlet => "outlet",
            User::Database => "database",
            User::Provider => "provider",
            User::Analyst => "ana",
            User::Colleague => "bob",
            User::Relay => "relay",
            User::Elsewhere => "ana2",
            User::BetaAdmin => "beta-admin",
            User::BetaHub => "beta-hub",
            User::BetaOutlet => "beta-outlet",
        }
    }

    /// The uid within the block of one run; see [`crate::Run::first_uid`].
    #[must_use]
    pub fn offset(self) -> u32 {
        self as u32
    }

    #[must_use]
    pub fn home(self, run: &Path) -> PathBuf {
        run.join("home").join(self.name())
    }
}

/// Does something as another user. On a thread of its own, because a thread that gave its user away cannot get it back.
///
/// # Errors
/// What `work` says, or that the change was refused.
pub fn as_uid<T: Send + 'static>(
    uid: Option<u32>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let thread = std::thread::spawn(move || {
        if let Some(uid) = uid.map(Uid::from_raw) {
            set_thread_res_uid(uid, uid, uid)?;
        }
        work()
    });
    thread
        .join()
        .map_err(|_| io::Error::other("the thread of another user panicked"))?
}
