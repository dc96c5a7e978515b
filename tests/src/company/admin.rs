//! The administrator: makes the org root key on her own account, signs, hands out tickets, revokes.
//! The passphrase is in a file of hers; the root key never leaves her folder, which no other user can enter.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Blueprint, Firm, SERVICE, tidegate};
use crate::ground::Site;
use crate::process::Program;
use crate::provider::Person;
use crate::secret;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};

/// scrypt is slow on purpose.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Admin {
    stage: Arc<Stage>,
    pub(super) firm: Firm,
    folder: PathBuf,
    passphrase: PathBuf,
    /// Fingerprint of the org root key.
    pub root: String,
}

impl Admin {
    pub(super) async fn init(stage: &Arc<Stage>, firm: Firm) -> Outcome<Self> {
        let home = stage.run().home(firm.admin());
        let (folder, passphrase) = (home.join("org"), home.join("passphrase"));
        stage
            .run()
            .private_file(firm.admin(), &passphrase, secret::text())?;
        let mut admin = Self {
            stage: Arc::clone(stage),
            firm,
            folder,
            passphrase,
            root: String::new(),
        };
        let said = admin
            .org("init")?
            .args(["--org", firm.org()])
            .output(stage, LIMIT)
            .await
            .doing("make the org")?;
        admin.root =
            fingerprint(&said).doing(format!("find the root fingerprint in `{}`", said.trim()))?;
        Ok(admin)
    }

    pub(super) fn write_settings(&self, plan: &Blueprint<'_>, settings: &str) -> Outcome<()> {
        let policy = plan.org_policy();
        let files = [
            ("org.toml", settings),
            ("policy.cedar", &policy),
            ("acme-ca.pem", &plan.provider.ca_pem),
        ];
        for (name, text) in files {
            self.stage
                .run()
                .private_file(self.firm.admin(), &self.folder.join(name), text)?;
        }
        Ok(())
    }

    /// Signs everything and gives the bundle, which is public within the org.
    pub(super) async fn sign(&self) -> Outcome<Vec<u8>> {
        let bundle = self.stage.run().home(self.firm.admin()).join("bundle.json");
        self.org("sign")?
            .arg("--out")
            .arg(&bundle)
            .output(&self.stage, LIMIT)
            .await
            .doing("sign the org")?;
        std::fs::read(bundle).doing("read the signed bundle")
    }

    /// A join link for one new device of a person.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn ticket(&self, person: &Person) -> Outcome<String> {
        self.ticket_naming(person, &[]).await
    }

    /// The same with the names of services that she will use, so that her first click can be on one of them.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn ticket_naming(&self, person: &Person, services: &[&str]) -> Outcome<String> {
        let named = services.iter().flat_map(|service| ["--service", service]);
        let ticket = self.command("admin-ticket")?.arg("ticket").args([
            "--sub",
            person.subject,
            "--hours",
            "24",
        ]);
        let ticket = ticket.args(named);
        let said = self
            .signing(ticket)
            .output(&self.stage, LIMIT)
            .await
            .doing("make a join link")?;
        let link = said
            .split_whitespace()
            .find(|word| word.starts_with("tidegate://"));
        Ok(link.doing("find the join link")?.to_owned())
    }

    /// The link that makes one outlet of the warehouse.
    pub(super) async fn outlet_ticket(&self) -> Outcome<String> {
        let ticket = self
            .command("admin-ticket")?
            .args(["ticket", "--outlet", SERVICE]);
        let said = self
            .signing(ticket)
            .output(&self.stage, LIMIT)
            .await
            .doing("make a ticket for the outlet")?;
        let link = said
            .split_whitespace()
            .find(|word| word.starts_with("tidegate://"));
        Ok(link.doing("find the outlet's link")?.to_owned())
    }

    /// Shuts a person out, everywhere and now.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn revoke(&self, person: &Person, hub: &str, reason: &str) -> Outcome<String> {
        let revoke = self
            .command("admin-revoke")?
            .arg("revoke")
            .args(["--sub", person.subject]);
        let revoke = revoke.args(["--hub", hub, "--reason", reason]);
        self.signing(revoke)
            .output(&self.stage, LIMIT)
            .await
            .doing("revoke")
    }

    /// Shuts one laptop of a person out, by the name it has in records.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn lost_laptop(&self, person: &Person, hub: &str, device: &str) -> Outcome<String> {
        let lost = self.command("admin-lost")?.arg("lost-laptop");
        let lost = lost.args(["--sub", person.subject, "--hub", hub, "--device", device]);
        self.signing(lost)
            .output(&self.stage, LIMIT)
            .await
            .doing("shut a lost laptop out")
    }

    fn org(&self, verb: &str) -> Outcome<Program> {
        Ok(self.signing(self.command(&format!("admin-{verb}"))?.args(["org", verb])))
    }

    fn signing(&self, program: Program) -> Program {
        program
            .arg("--dir")
            .arg(&self.folder)
            .arg("--passphrase-file")
            .arg(&self.passphrase)
    }

    fn command(&self, name: &str) -> Outcome<Program> {
        let name = self.firm.log(name);
        tidegate(&self.stage, &name, Site::Internet, self.firm.admin())
    }
}

/// 32 bytes as base64url: the only word of 43 letters that the command says.
fn fingerprint(said: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let word = said
        .split(|c: char| !letter(c))
        .find(|word| word.len() == 43)?;
    Some(word.to_owned())
}
