//! Signing in without the laptop's own browser: with an address that was printed, or with a code on any other computer.
//! Node fetches the pages and fills them in, so a play that is about something else does not wait for Chromium.

use std::time::Duration;

use super::Laptop;
use crate::ca::CertificateAuthority;
use crate::process::Process;
use crate::provider::Person;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

const LIMIT: Duration = Duration::from_secs(60);

impl Laptop {
    /// Signs in for a command that was told `--no-browser`, at the address that it prints.
    ///
    /// # Errors
    /// When it prints none, or the provider refuses.
    pub async fn visit(
        &self,
        login: &mut Process,
        person: &Person,
        ca: &CertificateAuthority,
    ) -> Outcome<()> {
        self.visit_as(self.user, login, person, ca).await
    }

    /// The same by somebody else who has an account on this laptop.
    ///
    /// # Errors
    /// When it prints none, or the provider refuses.
    pub async fn visit_as(
        &self,
        user: User,
        login: &mut Process,
        person: &Person,
        ca: &CertificateAuthority,
    ) -> Outcome<()> {
        login.says("code_challenge", LIMIT).await?;
        let said = login.stderr();
        let address = line_with(&said, "code_challenge").doing("find the address")?;
        let page = self.node("visit", user, &[address], (person, ca)).await?;
        said_close(&page)
    }

    /// Signs in for a command that was told `--device-code`.
    ///
    /// # Errors
    /// When it prints none, or the provider refuses.
    pub async fn type_the_code(
        &self,
        login: &mut Process,
        person: &Person,
        ca: &CertificateAuthority,
    ) -> Outcome<()> {
        login.says("type this code:", LIMIT).await?;
        let said = login.stderr();
        let mut lines = said
            .lines()
            .skip_while(|line| !line.starts_with("https://"));
        let (address, code) = (lines.next(), lines.nth(1));
        let words = [
            address.doing("find the address")?,
            code.doing("find the code")?,
        ];
        let page = self
            .node("type-code", self.user, &words, (person, ca))
            .await?;
        said_close(&page)
    }

    async fn node(
        &self,
        script: &str,
        user: User,
        words: &[&str],
        (person, ca): (&Person, &CertificateAuthority),
    ) -> Outcome<String> {
        let file = self.stage.run().home(user).join("acme-ca.pem");
        self.stage.run().private_file(user, &file, ca.pem())?;
        self.program_of(user, &format!("{script}-{}", user.name()), "node")
            .arg(self.stage.run().at(&format!("provider/{script}.mjs")))
            .args(words.iter().map(|word| word.trim()))
            .arg(person.login)
            .env("PASSWORD", &person.password)
            .env("NODE_EXTRA_CA_CERTS", file)
            .output(&self.stage, LIMIT)
            .await
    }
}

fn line_with<'a>(said: &'a str, word: &str) -> Option<&'a str> {
    said.lines().rfind(|line| line.contains(word))
}

/// Every last page says that it can be closed.
fn said_close(page: &str) -> Outcome<()> {
    if page.contains("close this") {
        return Ok(());
    }
    Err(Trouble::new(format!("the last page says: {page}")))
}
