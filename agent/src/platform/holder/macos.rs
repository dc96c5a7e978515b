//! Our own processes, asked for their listening sockets (`libproc`).
//! Nobody else's can be seen, so a port that none of ours holds is said to be another user's by whoever asks because it is taken.

use libproc::proc_pid;

use super::Holder;
use crate::platform::sockets::{own_processes, tcp_sockets};

pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let holds = |pid: &u32| tcp_sockets(*pid).any(|one| one.is_listening && one.local.1 == port);
    let pid = own_processes().into_iter().find(holds)?;
    let name = proc_pid::name(pid.cast_signed()).unwrap_or_default();
    Some(Holder::of_program(&name, pid))
}
