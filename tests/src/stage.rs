//! The stage itself: one run on one ground. All that plays holds on to it, so it is taken down last.
//! `Stage::close` proves that nothing is left: no process, no namespace, no folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::census::census;
use crate::ground::{Ground, Network, namespaces_of};
use crate::run::Run;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

pub struct Stage {
    // Dropped in this order: the folder must outlive the network, whose files are in it.
    ground: Ground,
    run: Run,
    checkout: PathBuf,
    binaries: PathBuf,
}

impl Stage {
    /// In namespaces where the machine allows them, on loopback otherwise.
    ///
    /// # Errors
    /// When the machine refuses what the stage needs.
    pub fn set() -> Outcome<Arc<Self>> {
        let demanded = std::env::var_os("TIDEGATE_REQUIRE_NETNS").is_some();
        if let Ok("loopback") = std::env::var("TIDEGATE_STAGE").as_deref() {
            if demanded {
                let both =
                    "TIDEGATE_STAGE=loopback and TIDEGATE_REQUIRE_NETNS are both set; unset one";
                return Err(Trouble::new(both.to_owned()));
            }
            return Self::set_on_loopback("it was asked for");
        }
        if !rustix::process::geteuid().is_root() && !demanded {
            return Self::set_on_loopback("making namespaces takes root");
        }
        let run = Run::begin(true)?;
        match Network::build(run.id()) {
            Ok(network) => Self::on(run, Ground::Namespaces(Box::new(network))),
            Err(trouble) if demanded => Err(Trouble::new(format!(
                "namespaces are demanded, and this machine refuses them: {trouble}"
            ))),
            Err(trouble) => {
                Self::set_on_loopback(&format!("this machine refuses namespaces: {trouble}"))
            }
        }
    }

    /// On plain loopback, whatever the machine allows.
    ///
    /// # Errors
    /// When not even a folder can be made.
    pub fn set_on_loopback(why: &str) -> Outcome<Arc<Self>> {
        Self::on(Run::begin(false)?, Ground::Loopback(why.to_owned()))
    }

    fn on(run: Run, ground: Ground) -> Outcome<Arc<Self>> {
        let stage = Self {
            ground,
            run,
            checkout: checkout()?,
            binaries: binaries()?,
        };
        stage.write_hosts()?;
        stage.show_the_checkout()?;
        for line in stage.ground.in_words() {
            println!("  {line}");
        }
        Ok(Arc::new(stage))
    }

    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    #[must_use]
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// A binary of the workspace, copied to where every user can read it.
    ///
    /// # Errors
    /// When it was not built.
    pub fn binary(&self, name: &str) -> Outcome<PathBuf> {
        let copy = self.run.at("bin").join(name);
        if !copy.exists() {
            std::fs::copy(self.binaries.join(name), &copy).doing(format!(
                "take the binary {name} (build it first: `cargo build --workspace`)"
            ))?;
        }
        Ok(copy)
    }

    /// The Python of the notebook, as the stage's processes see it.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.run.at("venv/bin/python")
    }

    /// The name by which a server is reached: its own in namespaces, `localhost` where there is only one place.
    #[must_use]
    pub fn host(&self, name: &str) -> String {
        if self.ground.network().is_some() {
            name.to_owned()
        } else {
            "localhost".to_owned()
        }
    }

    /// The port a server listens on: the wanted one in namespaces, a free one on the machine's own loopback.
    ///
    /// # Errors
    /// When no port is free.
    pub fn port(&self, wanted: u16) -> Outcome<u16> {
        match &self.ground {
            Ground::Namespaces(_) => Ok(wanted),
            Ground::Loopback(_) => Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
                .local_addr()?
                .port()),
        }
    }

    /// Names on this stage lead somewhere else, or nowhere, until the guard is dropped.
    ///
    /// # Errors
    /// When the hosts file cannot be written.
    pub fn lie_about(&self, host: &str, address: Option<std::net::IpAddr>) -> Outcome<Lie> {
        let file = self.run.at("hosts");
        let truth = std::fs::read_to_string(&file)?;
        let about = |line: &&str| line.split_whitespace().any(|word| word == host);
        let mut lie: String = truth
            .lines()
            .filter(|line| !about(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        if let Some(address) = address {
            lie.push_str(&format!("{address} {host}\n"));
        }
        // Written into the same file: it is what all processes here have as theirs.
        std::fs::write(&file, lie)?;
        Ok(Lie { file, truth })
    }

    /// Takes everything down and proves that nothing is left.
    ///
    /// # Errors
    /// When something still holds the stage, or something is left of it.
    pub fn close(self: Arc<Self>) -> Outcome<()> {
        let stage =
            Arc::into_inner(self).doing("close the stage while something still plays on it")?;
        let (id, folder) = (stage.run.id().to_owned(), stage.run.folder().to_path_buf());
        let left = stage.programs_left();
        drop(stage);
        if !left.is_empty() {
            return Err(Trouble::new(format!(
                "processes are left: {}",
                left.join(", ")
            )));
        }
        let namespaces = namespaces_of(&id);
        if !namespaces.is_empty() {
            return Err(Trouble::new(format!(
                "namespaces are left: {}",
                namespaces.join(", ")
            )));
        }
        if folder.exists() && std::env::var_os("TIDEGATE_KEEP").is_none() {
            return Err(Trouble::new(format!(
                "the folder {} is left",
                folder.display()
            )));
        }
        Ok(())
    }

    fn keep_logs(&self) -> Outcome<()> {
        let program = std::env::current_exe()?;
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let play = name.split('-').next().unwrap_or_default();
        let kept = self.checkout.join("tests/out/logs").join(play);
        if kept.exists() {
            std::fs::remove_dir_all(&kept)?;
        }
        std::fs::create_dir_all(&kept)?;
        for entry in std::fs::read_dir(self.run.at("logs"))?.flatten() {
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// Everything of this run that is alive, by name: known by its user, or by what the stage put into its environment.
    #[must_use]
    pub fn programs(&self) -> Vec<String> {
        let mark = format!("STAGE_RUN={}", self.run.folder().display());
        let ours = census().filter(|running| self.run.owns(running.uid) || running.was_told(&mark));
        ours.map(|running| format!("{} ({})", running.name, running.pid))
            .collect()
    }

    /// Processes of one user of this run.
    #[must_use]
    pub fn pids_of(&self, user: User) -> Vec<u32> {
        let uid = self.run.uid(user);
        census()
            .filter(|running| running.uid == uid)
            .map(|running| running.pid)
            .collect()
    }

    /// Those that were just killed get a moment to go.
    fn programs_left(&self) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(3);
        loop {
            let left = self.programs();
            if left.is_empty() || Instant::now() > until {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn write_hosts(&self) -> Outcome<()> {
        let (provider, database) = (self.ground.provider(), self.ground.database());
        let (hub, beta_hub) = (self.ground.hub(), self.ground.beta_hub());
        let hosts = format!(
            "127.0.0.1 localhost\n::1 localhost\n{provider} login.acme.example\n{hub} hub.acme.example relay.acme.example\n{beta_hub} hub.beta.example\n{database} warehouse.acme.internal\n"
        );
        std::fs::write(self.run.at("hosts"), hosts).doing("write the hosts file")
    }

    /// In namespaces each process binds these by itself (`enter.sh`); on loopback links must do.
    fn show_the_checkout(&self) -> Outcome<()> {
        if matches!(self.ground, Ground::Loopback(_)) {
            for (real, shown) in [("tests/.venv", "venv"), ("tests/provider", "provider")] {
                std::fs::remove_dir(self.run.at(shown))?;
                std::os::unix::fs::symlink(self.checkout.join(real), self.run.at(shown))?;
            }
        }
        Ok(())
    }
}

/// A lie about a name; the truth comes back when it is dropped.
pub struct Lie {
    file: PathBuf,
    truth: String,
}

impl Drop for Lie {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.file, &self.truth);
    }
}

/// Logs of all parts stay readable after the run, above all after one that failed.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(trouble) = self.keep_logs() {
            println!("  the programs' logs are lost: {trouble}");
        }
    }
}

/// The root of the repository this program was built from.
///
/// # Errors
/// When it is not run from inside one.
pub fn checkout() -> Outcome<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(std::env::current_dir, |folder| Ok(folder.into()))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file());
    Ok(root
        .doing("find the checkout above the working directory")?
        .to_path_buf())
}

/// Beside the running program, or one folder up when it is a test.
fn binaries() -> Outcome<PathBuf> {
    let me = std::env::current_exe()?;
    let folder = me.parent().doing("find the folder of this program")?;
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(folder.to_path_buf())
}
