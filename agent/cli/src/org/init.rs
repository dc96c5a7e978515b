//! `tidegate org init`: a new root key, encrypted, and two commented files to fill in.
//! The fingerprint it prints is what every device will pin; it is no secret, but it must arrive unchanged.

use std::path::{Path, PathBuf};

use tidegate_link::keyfile;
use tidegate_proto::{entropy::SystemEntropy, names::OrgName};

use super::{passphrase::PassphraseArgs, root_key::RootKey};
use crate::{failure::Failure, trouble::Trouble};

#[derive(clap::Args)]
pub(crate) struct Init {
    /// Directory for the root key and the org's description; made if it is not there.
    #[arg(long)]
    dir: PathBuf,
    /// The org's name: a-z, 0-9 and -.
    #[arg(long)]
    org: OrgName,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Init {
    pub(crate) fn run(self) -> Result<(), Failure> {
        keyfile::private_directory(&self.dir).map_err(|error| Trouble::file(&self.dir, error))?;
        let path = RootKey::path(&self.dir);
        if path.exists() {
            return Err(Trouble::OrgExists { path }.into());
        }
        let passphrase = self.passphrase.choose()?;
        let root = RootKey::generate(self.org, &SystemEntropy);
        root.create(&self.dir, passphrase)?;
        template(
            &self.dir,
            "org.toml",
            include_str!("template.toml"),
            &root.org,
        )?;
        template(
            &self.dir,
            "policy.cedar",
            include_str!("template.cedar"),
            &root.org,
        )?;

        println!("{}", root.key.verify_key().peer_id());
        eprintln!("The root key of {} is in {}.", root.org, path.display());
        eprintln!(
            "Above is its fingerprint. Keep the file and the passphrase; without them everybody must join again."
        );
        eprintln!(
            "Next: fill in {} and run `tidegate org sign`.",
            self.dir.join("org.toml").display()
        );
        Ok(())
    }
}

/// Writes a file to fill in, unless somebody has done so already.
fn template(dir: &Path, name: &str, text: &str, org: &OrgName) -> Result<(), Failure> {
    let path = dir.join(name);
    match keyfile::create(&path, text.replace("@ORG@", org.as_str()).as_bytes()) {
        Ok(()) | Err(keyfile::KeyFileError::Exists) => Ok(()),
        Err(error) => Err(Trouble::file(&path, error).into()),
    }
}
