//! What the app costs while it runs: memory with that of its web processes, and the processor's time.
//! A newcomer would add up resident sets: pages that several processes share would count several times.

use super::Laptop;
use crate::trouble::{Doing, Outcome};

/// At one moment.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Of the app and its web processes in KiB, shared pages split among those who share them.
    pub memory: u64,
    /// The app's own time since its start, in hundredths of a second.
    pub time: u64,
}

const LOOK: &str = "cat $(\"$MINE\" 'tidegate-deskto|WebKit(Network|Web)Pro.*' | sed 's|.*|/proc/&/smaps_rollup|') \
    | awk '/^Pss:/ { sum += $2 } END { print sum }'; \
    awk '{ print $14 + $15 }' /proc/$(\"$MINE\" tidegate-deskto | head -1)/stat";

impl Laptop {
    /// # Errors
    /// When the app does not run.
    pub async fn cost(&self) -> Outcome<Cost> {
        let said = self.terminal("cost", "sh", &["-c", LOOK]).await?;
        let mut numbers = said.lines().map_while(|line| line.parse().ok());
        let mut next = || numbers.next().doing("read what the app costs");
        Ok(Cost {
            memory: next()?,
            time: next()?,
        })
    }

    /// How many windows of the app there are, by the window manager's word.
    ///
    /// # Errors
    /// When there is no window manager.
    pub async fn windows(&self) -> Outcome<usize> {
        let list = self
            .terminal("windows", "sh", &["-c", "wmctrl -l || true"])
            .await?;
        let ours = list.lines().filter(|line| line.ends_with("Tidegate"));
        Ok(ours.count())
    }
}
