//! Whether a browser can be opened for signing in.
//! Where there is none the address can be visited from anywhere on this computer, so this is never fatal.

use super::Check;
use crate::platform::computer::OPENS_PAGES;

const NAME: &str = "browser";

/// What opens an address on the desktops people have.
const OPENERS: [&str; 8] = [
    "xdg-open",
    "gio",
    "x-www-browser",
    "firefox",
    "chromium",
    "google-chrome",
    "wslview",
    "kde-open",
];

pub(super) fn check() -> Check {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if OPENS_PAGES {
        return Check::ok(NAME, "The system opens its default one.");
    }
    if let Some(browser) = set("BROWSER") {
        let program = browser.split([':', ' ']).next().unwrap_or_default();
        return if is_program(program) {
            Check::ok(NAME, &format!("$BROWSER names {program}."))
        } else {
            Check::fail(
                NAME,
                &format!("$BROWSER names {program}, which is not a program here."),
                "Correct the variable, or take it away.",
            )
        };
    }
    let found = OPENERS.into_iter().find(|program| is_program(program));
    match (found, set("DISPLAY").or(set("WAYLAND_DISPLAY"))) {
        (Some(program), Some(_)) => Check::ok(NAME, &format!("{program} opens pages.")),
        (_, None) => Check::warn(
            NAME,
            "There is no desktop in this session, so no browser can be opened.",
            "Sign in with `tidegate login --device-code`, where your organisation allows it.",
        ),
        (None, Some(_)) => Check::warn(
            NAME,
            "No program that opens a page was found.",
            "Install xdg-utils, or name a browser with $BROWSER.",
        ),
    }
}

fn is_program(name: &str) -> bool {
    if name.contains('/') {
        return std::path::Path::new(name).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !name.is_empty() && std::env::split_paths(&path).any(|place| place.join(name).is_file())
}
