//! The board of steps: names them, times them, keeps their output, and never hides the output of one that failed.
//! A step has a time limit kept by coreutils' `timeout`, because a hanging test must end as a failure with its output.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::count::Count;
use crate::excerpt;
use crate::place::Place;

pub(crate) struct Board {
    loud: bool,
    logs: std::path::PathBuf,
    done: Vec<Done>,
}

struct Done {
    name: String,
    took: Duration,
    good: bool,
    /// What a step that failed says again at the end.
    told: Vec<String>,
}

/// What a step that ran says: whether it ended well, and all that it printed.
pub(crate) struct Ran {
    pub(crate) good: bool,
    pub(crate) output: String,
}

impl Board {
    pub(crate) fn new(place: &Place, loud: bool) -> Self {
        Self {
            loud,
            logs: place.out().join("logs"),
            done: Vec::new(),
        }
    }

    /// Runs one step to its end and says whether it ended well.
    pub(crate) fn step(&mut self, name: &str, limit: Duration, command: &Command) -> Ran {
        println!("· {name}");
        let started = Instant::now();
        let ran = self.watch(name, limit, command);
        let took = started.elapsed();
        let (mark, end) = if ran.good {
            ("✓", "")
        } else {
            ("✗", " FAILED")
        };
        if !ran.good && !self.loud {
            print!("{}", ran.output);
        }
        println!("{mark} {name} ({:.1} s){end}", took.as_secs_f64());
        self.done.push(Done {
            name: name.to_owned(),
            took,
            good: ran.good,
            told: if ran.good {
                Vec::new()
            } else {
                excerpt::of_failures(&ran.output)
            },
        });
        ran
    }

    /// A step that failed before a command could be run.
    pub(crate) fn failed(&mut self, name: &str, reason: &str) {
        println!("✗ {name}: {reason}");
        self.done.push(Done {
            name: name.to_owned(),
            took: Duration::ZERO,
            good: false,
            told: vec![reason.to_owned()],
        });
    }

    /// Prints what failed, the table of steps and the closing line. A failed step that counted no failed test counts as one.
    pub(crate) fn verdict(&self, mut count: Count) -> bool {
        for done in self.done.iter().filter(|done| !done.good) {
            println!("\n✗ {} failed:\n  {}", done.name, done.told.join("\n  "));
        }
        println!();
        for done in &self.done {
            let mark = if done.good { "✓" } else { "✗" };
            println!("{mark} {:>7.1} s  {}", done.took.as_secs_f64(), done.name);
        }
        let failed_steps = self.done.iter().filter(|done| !done.good).count();
        count.failed = count.failed.max(failed_steps);
        println!("\n{} passed, {} failed", count.passed, count.failed);
        count.failed == 0 && count.passed > 0
    }

    fn watch(&self, name: &str, limit: Duration, command: &Command) -> Ran {
        let sink = Arc::new(Mutex::new(Sink::new(&self.logs, name, self.loud)));
        let mut limited = with_limit(limit, command);
        let mut child = match limited
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        {
            Ok(child) => child,
            Err(error) => {
                return Ran {
                    good: false,
                    output: format!("could not start {command:?}: {error}\n"),
                };
            }
        };
        let readers = [
            child
                .stdout
                .take()
                .map(|pipe| copy_lines(pipe, Arc::clone(&sink))),
            child
                .stderr
                .take()
                .map(|pipe| copy_lines(pipe, Arc::clone(&sink))),
        ];
        let status = child.wait();
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let mut sink = sink
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let good = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        if let Ok(status) = status
            && status.code() == Some(124)
        {
            sink.line(&format!(
                "this step was ended after its limit of {} s",
                limit.as_secs()
            ));
        }
        Ran {
            good,
            output: std::mem::take(&mut sink.kept),
        }
    }
}

/// In a terminal the step stays in the foreground group, so that Ctrl-C reaches it.
fn with_limit(limit: Duration, command: &Command) -> Command {
    let mut limited = Command::new("timeout");
    if std::io::stdin().is_terminal() {
        limited.arg("--foreground");
    }
    limited
        .arg("--kill-after=20")
        .arg(limit.as_secs().to_string());
    limited.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(key, value),
            None => limited.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

fn copy_lines(
    pipe: impl Read + Send + 'static,
    sink: Arc<Mutex<Sink>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|count| count > 0)
        {
            let line = String::from_utf8_lossy(&bytes)
                .trim_end_matches('\n')
                .to_owned();
            sink.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .line(&line);
            bytes.clear();
        }
    })
}

struct Sink {
    kept: String,
    log: Option<File>,
    loud: bool,
}

impl Sink {
    fn new(logs: &std::path::Path, name: &str, loud: bool) -> Self {
        let file: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let log = std::fs::create_dir_all(logs)
            .and_then(|()| File::create(logs.join(file + ".log")))
            .ok();
        Self {
            kept: String::new(),
            log,
            loud,
        }
    }

    fn line(&mut self, line: &str) {
        self.kept.push_str(line);
        self.kept.push('\n');
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{line}");
        }
        if self.loud {
            println!("  {line}");
        }
    }
}
