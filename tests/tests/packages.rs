//! Do the packages hold what Debian and Fedora expect, and do they install, serve, upgrade and go on a machine that boots systemd?
//! They are tried on a copy of this machine that lives in memory: what a package does to it is gone with it.
#![allow(clippy::unwrap_used)]

#[path = "packages/built.rs"]
mod built;
#[path = "packages/copy.rs"]
mod copy;

use std::process::Command;

use built::Built;
use copy::Copy;

#[test]
fn the_packages_are_clean_for_lintian() {
    let built = Built::once();

    let lintian = Command::new("lintian")
        .args(["--fail-on", "error,warning", "--tag-display-limit", "0"])
        .arg("--allow-root")
        .args(built.debs())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&lintian.stdout);
    assert!(lintian.status.success(), "{said}");
    assert_eq!(said, "", "lintian is silent");
}

#[test]
fn the_packages_need_what_they_link_to_and_no_more_than_a_laptop_has() {
    let built = Built::once();

    let needs = |name: &str| built.field(name, "Depends");

    assert!(needs("tidegate").contains("libc6"));
    assert!(
        !needs("tidegate").contains("webkit"),
        "a server gets no window"
    );
    assert!(needs("tidegate-desktop").contains("libwebkit2gtk-4.1-0"));
    assert!(needs("tidegate-desktop").contains("libayatana-appindicator3-1"));
    // Opened when it runs, so rpm does not find it by looking.
    assert!(
        built
            .rpm_requires("tidegate-desktop")
            .contains("libayatana-appindicator-gtk3")
    );
}

#[test]
fn they_install_serve_upgrade_and_leave_on_a_machine_that_boots() {
    let built = Built::once();
    let copy = match Copy::of_this_machine() {
        Ok(copy) => copy,
        Err(reason) if std::env::var_os("TIDEGATE_REQUIRE_NETNS").is_none() => {
            eprintln!("not tried: packages on a booted machine ({reason})");
            return;
        }
        Err(reason) => panic!("a booted copy of this machine is demanded here: {reason}"),
    };

    let said = copy.boot(built);

    let verdicts = |word: &str| said.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(verdicts("FAIL"), 0, "{said}");
    assert!(said.ends_with("# end\n"), "it came to its end: {said}");
    assert!(verdicts("ok") > 40, "{said}");
}
