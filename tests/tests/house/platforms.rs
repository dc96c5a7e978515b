//! Where operating systems may be named: everything else is written once for all of them.
//! Here only Linux is run; what is spread over the tree stops compiling elsewhere and nobody sees it.

use crate::tree::{code_contains, is_test, read, rust_files, without_tests};

/// What gives away that a line is for one system alone, and what to do about it.
const NAMES_A_SYSTEM: &[(&str, &str)] = &[
    ("std::os::unix", "put it behind a function of platform"),
    ("std::os::windows", "put it behind a function of platform"),
    ("rustix::", "it is Unix alone"),
    ("libc::", "it is Unix alone"),
    ("net::Unix", "it is Unix alone"),
    ("signal::unix", "it is Unix alone"),
    ("named_pipe", "it is Windows alone"),
    ("cfg(unix)", "name the concern, not the system"),
    ("cfg(not(unix))", "name the concern, not the system"),
    ("cfg(windows)", "name the concern, not the system"),
    ("target_os", "name the concern, not the system"),
    ("\"/proc/", "it is Linux alone"),
    ("\"/etc/", "it is Linux alone"),
];

/// Source that runs on laptops of every kind, and where in it systems may be named, with the reason.
const LAPTOP: &[(&str, &[(&str, &str)])] = &[
    (
        "agent/src/",
        &[(
            "agent/src/platform/",
            "one folder a concern, one file a system",
        )],
    ),
    (
        "agent/link/src/",
        &[
            (
                "agent/link/src/keyfile",
                "who may read a file is asked differently; the rest is common",
            ),
            (
                "agent/link/src/settings_file",
                "who may change a file is asked differently; the rest is common",
            ),
            (
                "agent/link/src/splice",
                "one kernel joins two connections; elsewhere they are copied",
            ),
        ],
    ),
    ("agent/proto/src/", &[]),
    ("agent/postgres/src/", &[]),
];

#[test]
fn systems_are_named_only_where_each_concern_has_its_place() {
    let all = rust_files();
    for (folder, places) in LAPTOP {
        for (place, reason) in *places {
            assert!(
                all.iter().any(|file| file.starts_with(place)),
                "{place} is excused ({reason}) but does not exist"
            );
        }
        let is_excused = |file: &&String| places.iter().any(|(place, _)| file.starts_with(place));
        let files = all.iter().filter(|file| file.starts_with(folder));
        for file in files.filter(|file| !is_test(file) && !is_excused(file)) {
            let text = without_tests(&read(file));
            for (word, reason) in NAMES_A_SYSTEM {
                assert!(!code_contains(&text, word), "{file} says {word}: {reason}");
            }
        }
    }
}
