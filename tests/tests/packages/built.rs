//! The packages of this build, made once for all tests of a run.
//! They are made of the debug binaries: what is tried is the packing; `cargo xtask package` makes the ones for people.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the upgrade starts from.
const BEFORE: &str = "0.0.9";

pub(crate) struct Built {
    folder: PathBuf,
}

impl Built {
    pub(crate) fn once() -> &'static Self {
        static BUILT: OnceLock<Built> = OnceLock::new();
        BUILT.get_or_init(|| {
            let me = std::env::current_exe().unwrap();
            let binaries = me.ancestors().nth(2).unwrap();
            for version in [BEFORE, env!("CARGO_PKG_VERSION")] {
                pack(binaries, version);
            }
            Self {
                folder: binaries.parent().unwrap().join("packages/debug"),
            }
        })
    }

    /// Of the version that this is.
    pub(crate) fn debs(&self) -> Vec<PathBuf> {
        self.files(env!("CARGO_PKG_VERSION"), ".deb")
    }

    pub(crate) fn files(&self, version: &str, end: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .unwrap()
            .chain(std::fs::read_dir(self.folder.join("x86_64")).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.contains(version) && name.ends_with(end)
            })
            .collect();
        files.sort();
        assert_eq!(files.len(), 2, "the app, and the command: {files:?}");
        files
    }

    /// Puts the packages of both versions where the copy finds them.
    pub(crate) fn lay_out(&self, into: &Path) {
        for (folder, version) in [("old", BEFORE), ("new", env!("CARGO_PKG_VERSION"))] {
            let folder = into.join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for end in [".deb", ".rpm"] {
                for file in self.files(version, end) {
                    std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
                }
            }
        }
    }

    /// What the rpm of a package says it needs.
    pub(crate) fn rpm_requires(&self, package: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let rpm = self.files(version, ".rpm").into_iter().find(|path| {
            path.to_str()
                .unwrap()
                .contains(&format!("/{package}-{version}"))
        });
        let answer = Command::new("rpm")
            .args(["-qp", "--requires"])
            .arg(rpm.unwrap())
            .output()
            .unwrap();
        assert!(answer.status.success());
        String::from_utf8(answer.stdout).unwrap()
    }

    /// One field of the control file of a package.
    pub(crate) fn field(&self, package: &str, field: &str) -> String {
        let deb = self
            .debs()
            .into_iter()
            .find(|path| path.to_str().unwrap().contains(&format!("/{package}_")))
            .unwrap();
        let answer = Command::new("dpkg-deb")
            .arg("-f")
            .arg(deb)
            .arg(field)
            .output()
            .unwrap();
        String::from_utf8(answer.stdout).unwrap()
    }
}

fn pack(binaries: &Path, version: &str) {
    let packed = Command::new(binaries.join("xtask"))
        .args(["package", "--quick", "--built", "--as", version])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", binaries.parent().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&packed.stdout);
    assert!(packed.status.success(), "{said}");
}
