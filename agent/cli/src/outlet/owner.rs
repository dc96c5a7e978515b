//! `tidegate outlet owner init` and `tidegate outlet policy sign`: the owner's own key and what it signs.
//! Both run on the owner's machine; the outlet has only the public half, so whoever takes the outlet cannot change its rules.

use std::path::{Path, PathBuf};

use tidegate_link::settings_file::MAX_FILE;
use tidegate_link::{keyfile, now};
use tidegate_proto::{
    entropy::SystemEntropy,
    names::OrgName,
    policy::{Rules, Side},
    statement::{PolicyStatement, SCHEMA_VERSION, Statement},
};

use crate::{
    failure::{Exit, Failure},
    org::{
        passphrase::PassphraseArgs,
        root_key::{OWNER, RootKey},
    },
    public_file,
    trouble::Trouble,
};

#[derive(clap::Args)]
pub(crate) struct Owner {
    #[command(subcommand)]
    verb: OwnerVerb,
}

#[derive(clap::Subcommand)]
enum OwnerVerb {
    /// Make the key that signs an outlet's policy, and print its public half for outlet.toml.
    Init(Init),
}

#[derive(clap::Args)]
struct Init {
    /// Directory for the key; made if it is not there.
    #[arg(long)]
    dir: PathBuf,
    /// The org that the outlet belongs to.
    #[arg(long)]
    org: OrgName,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(clap::Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(clap::Subcommand)]
enum PolicyVerb {
    /// Check a policy and sign it for the owner's outlets.
    Sign(Sign),
}

#[derive(clap::Args)]
struct Sign {
    /// Directory that `tidegate outlet owner init` made.
    #[arg(long)]
    dir: PathBuf,
    /// Where to write it; what is there already tells which version comes next.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// The policy, Cedar.
    policy: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Owner {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let OwnerVerb::Init(init) = self.verb;
        keyfile::private_directory(&init.dir).map_err(|error| Trouble::file(&init.dir, error))?;
        let path = OWNER.path(&init.dir);
        if path.exists() {
            return Err(Trouble::OrgExists { path }.into());
        }
        let passphrase = init.passphrase.choose()?;
        let owner = RootKey::generate(init.org, &SystemEntropy);
        owner.create_as(OWNER, &init.dir, passphrase)?;
        println!("{}", owner.key.verify_key());
        eprintln!("The owner's key is in {}.", path.display());
        eprintln!("Above is its public half: write it into outlet.toml, as owner = \"…\".");
        Ok(())
    }
}

impl Policy {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let PolicyVerb::Sign(sign) = self.verb;
        let cedar = text(&sign.policy)?;
        if let Err(why) = Rules::compile(Side::Owner, &cedar) {
            return Err(unusable(
                &sign.policy,
                why.to_string(),
                "Correct the rule; nothing was signed.",
            ));
        }
        let owner = RootKey::open_as(OWNER, &sign.dir, sign.passphrase.take()?)?;
        let version = now().0.max(last(&sign.out, &owner) + 1);
        let statement = PolicyStatement {
            org: owner.org.clone(),
            cedar,
            schema_version: SCHEMA_VERSION,
            version,
        };
        let jws = statement.sign(&owner.key);
        // What the outlet will do with it: a text that is too long for a statement is found here.
        if let Err(why) = PolicyStatement::verify(&jws, &owner.key.verify_key()) {
            return Err(unusable(
                &sign.policy,
                why.to_string(),
                "Make the policy shorter.",
            ));
        }
        public_file::replace(&sign.out, format!("{jws}\n").as_bytes())
            .map_err(|error| Trouble::unwritable(&sign.out, &error))?;
        eprintln!("signed   owner's policy (version {version})");
        println!("{}", sign.out.display());
        Ok(())
    }
}

/// The version that was signed last, as far as it lies there and this key signed it.
fn last(path: &Path, owner: &RootKey) -> u64 {
    let signed = std::fs::read_to_string(path).ok();
    let said = signed.and_then(|text| {
        PolicyStatement::verify_for(text.trim(), &owner.key.verify_key(), &owner.org).ok()
    });
    said.map_or(0, |statement| statement.version)
}

fn text(path: &Path) -> Result<String, Failure> {
    let small = std::fs::metadata(path)
        .is_ok_and(|about| about.is_file() && about.len() <= MAX_FILE as u64);
    let text = small.then(|| std::fs::read_to_string(path).ok()).flatten();
    text.ok_or_else(|| {
        let cause = "It is not there, or is no text of at most 256 KiB.";
        unusable(path, cause, "Name the Cedar file with the owner's rules.")
    })
}

fn unusable(path: &Path, cause: impl Into<String>, next: &str) -> Failure {
    let title = format!("{} cannot be signed", path.display());
    Failure::new(Exit::ThisComputer, title, cause.into(), next)
}
