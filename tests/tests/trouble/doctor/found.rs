//! What a doctor found, and whether it blames exactly what was broken.
//! That no agent runs is what these plays want: the doctor says so each time, and it does not count.

use std::time::Duration;

use serde_json::Value;
use tidegate_tests::Program;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use crate::ana::must_say;

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Found {
    checks: Vec<Value>,
    exit: Option<i32>,
}

impl Found {
    pub(crate) async fn by(program: Program, world: &World) -> Outcome<Self> {
        let mut process = program.start(&world.stage)?;
        let status = process.ended(LIMIT).await?;
        let said = process.stdout();
        let answer: Value = serde_json::from_str(&said).doing(format!(
            "read what the doctor said: {said}{}",
            process.stderr()
        ))?;
        let checks = answer["checks"].as_array().cloned();
        Ok(Self {
            checks: checks.doing("find checks")?,
            exit: status.code(),
        })
    }

    /// Nothing but this is not as it should be, and its words name these things.
    pub(crate) fn blames(&self, name: &str, words: &[&str]) -> Outcome<()> {
        let bad = self.bad();
        for check in &bad {
            println!("  {}", line(check));
        }
        let alone = bad.iter().all(|check| check["name"] == name);
        match bad.as_slice() {
            [only, ..] if alone => {
                let is_fail = only["verdict"] == "fail";
                if is_fail && self.exit == Some(0) {
                    return Err(Trouble::new("it fails and exits with 0"));
                }
                if only["fix"].as_str().unwrap_or_default().is_empty() {
                    return Err(Trouble::new("it does not say what to do"));
                }
                must_say(&line(only), words)
            }
            _ => Err(Trouble::new(format!(
                "it should blame {name} alone, and blames {:?}\n{}",
                bad.iter().map(|check| &check["name"]).collect::<Vec<_>>(),
                self.all()
            ))),
        }
    }

    pub(crate) fn is_well(&self) -> Outcome<()> {
        let bad = self.bad();
        match (bad.is_empty(), self.exit) {
            (true, Some(0)) => Ok(()),
            (_, exit) => Err(Trouble::new(format!(
                "it should be well (exit {exit:?}):\n{}",
                self.all()
            ))),
        }
    }

    fn bad(&self) -> Vec<&Value> {
        let is_bad = |check: &&Value| check["verdict"] == "warn" || check["verdict"] == "fail";
        let bad = self.checks.iter().filter(is_bad);
        bad.filter(|check| check["name"] != "agent").collect()
    }

    fn all(&self) -> String {
        let lines: Vec<_> = self.checks.iter().map(line).collect();
        lines.join("\n")
    }
}

fn line(check: &Value) -> String {
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {} ({}): {} → {}",
        text("verdict"),
        text("name"),
        text("about"),
        text("code"),
        text("finding"),
        text("fix")
    )
}
