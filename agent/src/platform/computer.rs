//! What the computer says about itself: its name, and whether it opens pages by itself.
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
