//! Who runs on this machine, read from `/proc`: how the stage proves that nothing of it is left.
//! A process may end while it is being read; then it is not there, which is the truth.

pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) name: String,
}

impl Running {
    /// Whether its environment holds exactly this pair.
    pub(crate) fn was_told(&self, pair: &str) -> bool {
        let environment = std::fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|own| own == pair.as_bytes())
    }
}

pub(crate) fn census() -> impl Iterator<Item = Running> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        let uid = field("Uid:")?.split_whitespace().next()?.parse().ok()?;
        Some(Running {
            pid,
            uid,
            name: field("Name:")?.trim().to_owned(),
        })
    })
}
