//! What the computer says about itself: its name, its system, and whether it opens pages by itself.
//! The name is shown on other screens, so whoever shows it makes it safe first.

/// Whether the system opens addresses without the help of a program that may be missing.
pub(crate) const OPENS_PAGES: bool = cfg!(any(target_os = "macos", windows));

/// What this computer calls itself; empty where it does not say.
#[cfg(unix)]
pub(crate) fn name() -> String {
    let facts = rustix::system::uname();
    facts.nodename().to_string_lossy().into_owned()
}

/// What this computer calls itself; empty where it does not say.
#[cfg(not(unix))]
pub(crate) fn name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// What system this computer has, as its people call it: `Debian GNU/Linux 12`.
#[cfg(unix)]
pub(crate) fn system() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let said = read("/etc/os-release").or_else(|| read("/usr/lib/os-release"));
    said.as_deref()
        .and_then(named)
        .unwrap_or_else(|| std::env::consts::OS.to_owned())
}

/// What system this computer has.
#[cfg(not(unix))]
pub(crate) fn system() -> String {
    std::env::consts::OS.to_owned()
}

/// Name and version by os-release(5).
#[cfg(unix)]
fn named(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let mut lines = os_release.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let name = value("NAME").filter(|name| !name.is_empty())?;
    match value("VERSION_ID") {
        Some(version) => Some(format!("{name} {version}")),
        None => Some(name),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_called_by_its_name_and_version() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n";

        assert_eq!(named(debian).as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(named("NAME='Arch Linux'\n").as_deref(), Some("Arch Linux"));
        assert_eq!(named("ID=x\n"), None);
    }
}
