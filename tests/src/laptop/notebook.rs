//! Her notebook, executed by a real Jupyter kernel on the laptop.
//! The notebook is committed as it is: it says `localhost` and holds no secret.

use std::path::Path;
use std::time::Duration;

use super::Laptop;
use crate::trouble::{Doing, Outcome};

const KERNEL: Duration = Duration::from_secs(180);

/// What the notebook found out.
#[derive(Debug, PartialEq, Eq)]
pub struct Findings {
    pub flights: u64,
    /// 1 to 12.
    pub worst_month: u32,
}

impl Laptop {
    /// Executes the notebook text and keeps its chart.
    ///
    /// # Errors
    /// When a cell fails, with the cell's own words.
    pub async fn run_notebook(&self, notebook: &str, chart: &Path) -> Outcome<Findings> {
        let folder = self.home().join("notebook");
        let run = self.stage.run();
        run.private_folder(self.user, &folder)?;
        run.private_file(self.user, &folder.join("flights.ipynb"), notebook)?;
        let execute = std::fs::read(self.stage.checkout().join("tests/notebook/execute.py"))?;
        run.private_file(self.user, &folder.join("execute.py"), execute)?;
        self.program("notebook", self.stage.python())
            .arg(folder.join("execute.py"))
            .arg(folder.join("flights.ipynb"))
            .arg(&folder)
            .output(&self.stage, KERNEL)
            .await
            .doing("execute the notebook")?;
        std::fs::copy(folder.join("chart-0.png"), chart).doing("keep the chart")?;
        let said = std::fs::read_to_string(folder.join("said.txt"))?;
        Ok(Findings {
            flights: number_after(&said, "flights: ")?,
            worst_month: number_after(&said, "worst month: ")?,
        })
    }

    /// The committed notebook.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn notebook(&self) -> Outcome<String> {
        let file = self.stage.checkout().join("tests/notebook/flights.ipynb");
        std::fs::read_to_string(file).doing("read the notebook")
    }
}

fn number_after<N: std::str::FromStr>(said: &str, words: &str) -> Outcome<N> {
    let rest = said.lines().find_map(|line| line.strip_prefix(words));
    let digits: String = rest
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .ok()
        .doing(format!("find `{words}` in what the notebook said"))
}
