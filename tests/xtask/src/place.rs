//! Where things are: the checkout, the target directory, the Python environment, the folder for what a run leaves.
//! The checkout is looked for upwards from the working directory, so `cargo xtask` works from any folder in it.

use std::path::PathBuf;

pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Place {
    pub(crate) fn find() -> Result<Self, String> {
        let here =
            std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
        let root = here
            .ancestors()
            .find(|folder| {
                folder.join("Cargo.lock").is_file() && folder.join("tests/xtask").is_dir()
            })
            .ok_or("run me inside the checkout")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    pub(crate) fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Logs, screenshots and charts of the last run; ignored by git.
    pub(crate) fn out(&self) -> PathBuf {
        self.at("tests/out")
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.at("tests/.venv/bin/python")
    }
}
