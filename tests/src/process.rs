//! A program of the stage: in its place, under its user, in a PID namespace of its own that ends with it.
//! Only our own processes are ever ended, by id; whatever they started dies with their PID namespace.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};

use crate::ground::{Ground, Site};
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

const ENTER: &str = include_str!("ground/enter.sh");

/// What shall run, before it does.
pub struct Program {
    name: String,
    site: Site,
    user: User,
    line: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<String>,
    /// The first process of the PID namespace to join, where it shall not have one of its own.
    beside: Option<Pid>,
}

impl Program {
    /// `name` is also the name of the log files.
    #[must_use]
    pub fn new(name: &str, site: Site, user: User, program: impl Into<OsString>) -> Self {
        Self {
            name: name.to_owned(),
            site,
            user,
            line: vec![program.into()],
            env: Vec::new(),
            stdin: None,
            beside: None,
        }
    }

    #[must_use]
    pub fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.line.push(word.into());
        self
    }

    #[must_use]
    pub fn args<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.line.extend(words.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    #[must_use]
    pub fn envs(mut self, pairs: &[(OsString, OsString)]) -> Self {
        self.env.extend_from_slice(pairs);
        self
    }

    /// What it reads before its standard input ends; at most what a pipe holds (64 KiB).
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Started by another program, which becomes it: `env`, say.
    #[must_use]
    pub fn through(mut self, words: Vec<OsString>) -> Self {
        self.line.splice(0..0, words);
        self
    }

    /// Shares the machine with another program: both see each other, and this one dies with that one.
    #[must_use]
    pub fn beside(mut self, other: &Process) -> Self {
        self.beside = other.program();
        self
    }

    /// With a `/tmp` that nobody else sees, where there are namespaces: a machine of its own has one.
    #[must_use]
    pub fn own_tmp(self) -> Self {
        self.env("STAGE_OWN_TMP", "1")
    }

    /// The text of a script that starts it from anywhere, by hand: what is typed behind the script's name comes behind the program's words.
    #[must_use]
    pub fn script(self, stage: &Stage) -> String {
        let command = match stage.ground() {
            Ground::Namespaces(network) => self.inside(stage, network.name(self.site)),
            Ground::Loopback(_) => self.plain(stage),
        };
        let env = base_env(stage, self.user);
        let env = env.iter().chain(&self.env);
        let pairs = env.map(|(key, value)| {
            format!(
                "{}={}",
                key.to_string_lossy(),
                quoted(&value.to_string_lossy())
            )
        });
        let program = command.get_program().to_string_lossy().into_owned();
        let words = command
            .get_args()
            .map(|word| quoted(&word.to_string_lossy()));
        let line: Vec<String> = std::iter::once("exec env -i TERM=\"$TERM\"".to_owned())
            .chain(pairs)
            .chain([program])
            .chain(words)
            .chain(["\"$@\"".to_owned()])
            .collect();
        format!("#!/bin/sh\n{}\n", line.join(" "))
    }

    /// Starts it. Call this on a thread that lives as long as the program: the kernel ends the program with it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(self, stage: &Arc<Stage>) -> Outcome<Process> {
        let (out, err) = (log(stage, &self.name, "out"), log(stage, &self.name, "err"));
        let mut command = match stage.ground() {
            Ground::Namespaces(network) => self.inside(stage, network.name(self.site)),
            Ground::Loopback(_) => self.plain(stage),
        };
        command
            .env_clear()
            .envs(base_env(stage, self.user))
            .envs(self.env.iter().map(|(k, v)| (k, v)));
        command
            .stdin(input(self.stdin.as_deref())?)
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        let child = command.spawn().doing(format!("start {}", self.name))?;
        Ok(Process {
            name: self.name,
            child,
            out,
            err,
            stage: Arc::clone(stage),
        })
    }

    /// Runs it to its end and gives its standard output; a failure carries its standard error.
    ///
    /// # Errors
    /// When it fails, or does not end within `limit`.
    pub async fn output(self, stage: &Arc<Stage>, limit: Duration) -> Outcome<String> {
        let mut process = self.start(stage)?;
        let status = process.ended(limit).await?;
        if status.success() {
            return Ok(process.stdout());
        }
        let (name, out, err) = (&process.name, process.stdout(), process.stderr());
        Err(Trouble::new(format!(
            "{name} ended with {status}\n{}\n{}",
            out.trim(),
            err.trim()
        )))
    }

    fn inside(&self, stage: &Stage, namespace: &str) -> Command {
        let uid = stage.run().uid(self.user).to_string();
        let mut command = Command::new("setpriv");
        command.args("--pdeathsig KILL nsenter".split(' '));
        if let Some(first) = self.beside {
            command.arg(format!("--target={}", first.as_raw_nonzero()));
            command.args("--net --ipc --pid --mount".split(' '));
        } else {
            command.arg(format!("--net=/var/run/netns/{namespace}"));
            command.args("unshare --ipc --pid --fork --kill-child --mount --mount-proc".split(' '));
        }
        let manner = if self.beside.is_some() {
            "join"
        } else {
            "enter"
        };
        command.args(["sh", "-c", ENTER, manner, &uid]);
        command.arg(stage.run().home(self.user)).args(&self.line);
        command
    }

    fn plain(&self, stage: &Stage) -> Command {
        let mut command = Command::new("setpriv");
        command.args("--pdeathsig KILL".split(' ')).process_group(0);
        if let Some(uid) = stage.run().stand_in(self.user) {
            command.args([format!("--reuid={uid}"), format!("--regid={uid}")]);
            command.arg("--clear-groups");
        }
        command
            .current_dir(stage.run().home(self.user))
            .args(&self.line);
        command
    }
}

fn input(text: Option<&str>) -> Outcome<Stdio> {
    let Some(text) = text else {
        return Ok(Stdio::null());
    };
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(text.as_bytes())?;
    Ok(reader.into())
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn base_env(stage: &Stage, user: User) -> Vec<(OsString, OsString)> {
    let home = stage.run().home(user);
    let pairs: Vec<(&str, OsString)> = vec![
        (
            "PATH",
            "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into(),
        ),
        ("LANG", "C.UTF-8".into()),
        ("TZ", "UTC".into()),
        ("USER", user.name().into()),
        ("LOGNAME", user.name().into()),
        ("XDG_RUNTIME_DIR", home.join("run").into()),
        ("HOME", home.into()),
        ("STAGE_RUN", stage.run().folder().into()),
        ("STAGE_CHECKOUT", stage.checkout().into()),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

fn log(stage: &Stage, name: &str, kind: &str) -> PathBuf {
    stage.run().at("logs").join(format!("{name}.{kind}.log"))
}

/// A program that runs. Dropping it ends it, and all that it started, and reaps it.
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    stage: Arc<Stage>,
}

impl Process {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.out)
    }

    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.err)
    }

    /// Waits until it has said `words`, on either of its outputs.
    ///
    /// # Errors
    /// When it ends before, or says nothing of the kind within `limit`.
    pub async fn says(&mut self, words: &str, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        loop {
            if self.stdout().contains(words) || self.stderr().contains(words) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.trouble(&format!("ended with {status} before it said `{words}`")));
            }
            if Instant::now() > until {
                return Err(self.trouble(&format!(
                    "did not say `{words}` within {} s",
                    limit.as_secs()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// # Errors
    /// When it does not end within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > until {
                return Err(self.trouble(&format!("did not end within {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub async fn stop(mut self, limit: Duration) -> Outcome<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(limit).await
    }

    /// Ends it without asking, as a crash would.
    pub fn kill(&mut self) {
        self.end();
    }

    /// Sends a signal to the program itself.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        kill_process(self.program().doing(format!("find {}", self.name))?, signal)?;
        Ok(())
    }

    /// The program's own process id, as the machine sees it.
    #[must_use]
    pub fn program(&self) -> Option<Pid> {
        let outer = Pid::from_child(&self.child);
        match self.stage.ground() {
            Ground::Loopback(_) => Some(outer),
            Ground::Namespaces(_) => child_of(outer),
        }
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!(
            "{} {what}\n{}\n{}",
            self.name,
            tail(&self.stdout()),
            tail(&self.stderr())
        ))
    }

    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        match self.stage.ground() {
            Ground::Loopback(_) => drop(kill_process_group(
                Pid::from_child(&self.child),
                Signal::KILL,
            )),
            // The first process of the PID namespace takes the rest along; `unshare` then ends by itself.
            Ground::Namespaces(_) => {
                if let Some(first) = self.first_of_namespace() {
                    let _ = kill_process(first, Signal::KILL);
                    self.wait_a_moment();
                }
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }

    /// A program that was started this instant may not have got that far yet.
    fn first_of_namespace(&mut self) -> Option<Pid> {
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            let first = self.program();
            if first.is_some()
                || Instant::now() > until
                || !matches!(self.child.try_wait(), Ok(None))
            {
                return first;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_a_moment(&mut self) {
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// `setpriv`, `nsenter` and `unshare` become one process; its only child is the program.
fn child_of(outer: Pid) -> Option<Pid> {
    let pid = outer.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
