//! The first morning of somebody at a laptop: a ticket, a sign-in in the browser, an open port.
//! For plays and figures that begin where the café scene has shown already how one gets there.

use std::time::Duration;

use super::Laptop;
use crate::company::{Company, SERVICE, SERVICE_PORT};
use crate::process::Process;
use crate::provider::Person;
use crate::trouble::Outcome;

/// Ends a wait in vain.
const LIMIT: Duration = Duration::from_secs(60);

impl Laptop {
    /// Joins, connects the warehouse from a terminal and signs in. Gives the agent that holds the port open.
    ///
    /// # Errors
    /// When a step of it fails.
    pub async fn arrive(&self, company: &Company, person: &Person) -> Outcome<Process> {
        self.join(&company.admin.ticket(person).await?).await?;
        let connect = self
            .program("agent", self.stage.binary("tidegate")?)
            .env("TIDEGATE_LOG", "info");
        let mut agent = connect.args(["connect", SERVICE]).start(&self.stage)?;
        let browser = self.browser().await?;
        browser.sign_in(person, None).await?;
        agent.says(&SERVICE_PORT.to_string(), LIMIT).await?;
        browser.let_go().await?;
        Ok(agent)
    }
}
