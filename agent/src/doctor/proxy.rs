//! Whether the environment asks for a proxy.
//! The sign-in uses it; the way to the hub is direct, and a network that only lets a proxy out stops it.

use super::Check;

const NAME: &str = "proxy";
const VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

pub(super) fn check() -> Check {
    let set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match VARIABLES.iter().find(set) {
        None => Check::ok(NAME, "None is asked for."),
        // Its value may hold a password.
        Some(name) => Check::warn(
            NAME,
            &format!("{name} is set: signing in goes through it, the way to the hub does not."),
            "If the hub cannot be reached, ask for a direct way out to its port.",
        ),
    }
}
