//! Whose process it is on Windows, by the account's SID.
//! A process that may not be looked at is not ours: Windows shows a user their own.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, Uid, UpdateKind};

/// Our own account.
pub(super) fn own() -> Option<Uid> {
    of(std::process::id())
}

/// Whether the process runs under our own account.
pub(super) fn is_own(pid: u32) -> bool {
    own().is_some_and(|own| of(pid) == Some(own))
}

/// What the task list calls the process.
pub(super) fn name(pid: u32) -> Option<String> {
    let system = look(pid)?;
    let name = system.process(Pid::from_u32(pid))?.name();
    Some(name.to_string_lossy().into_owned())
}

fn of(pid: u32) -> Option<Uid> {
    let system = look(pid)?;
    system.process(Pid::from_u32(pid))?.user_id().cloned()
}

fn look(pid: u32) -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[Pid::from_u32(pid)]),
        true,
        ProcessRefreshKind::nothing().with_user(UpdateKind::Always),
    );
    Some(system)
}
