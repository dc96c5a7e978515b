//! `tidegate audit verify`: proves an audit record offline and names the first bad line.
//! Without `--identity` and `--org` it believes the note beside the audit about who kept it, and says so.

use std::path::PathBuf;

use tidegate_outlet::audit::{AuditError, Keeper, Proof, ProofError, verify, verify_alone};
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::names::OrgName;

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Check every line: signature, order, completeness.
    Verify(Verify),
}

#[derive(clap::Args)]
struct Verify {
    /// An audit file, or a directory of daily ones.
    path: PathBuf,
    /// The identity key that must have kept it, as `tidegate outlet keys` prints it.
    #[arg(long, requires = "org", allow_hyphen_values = true)]
    identity: Option<VerifyKey>,
    /// The org it must belong to.
    #[arg(long, requires = "identity")]
    org: Option<OrgName>,
    /// The chain of statements is elsewhere: what a hub gathered has none.
    #[arg(long)]
    without_statements: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Verb::Verify(asked) = self.verb;
        let keeper = asked
            .org
            .zip(asked.identity)
            .map(|(org, identity)| Keeper { org, identity });
        let pinned = keeper.is_some();
        let verify = match asked.without_statements {
            true => verify_alone,
            false => verify,
        };
        let proof = verify(&asked.path, keeper).map_err(|error| not_proved(&error))?;
        println!("{}", serde_json::json!(report(&proof, pinned)));
        Ok(())
    }
}

fn report(proof: &Proof, pinned: bool) -> serde_json::Value {
    serde_json::json!({
        "whole": true,
        "events": proof.events,
        "open": proof.open,
        "org": proof.keeper.org,
        "identity": proof.keeper.identity,
        "identity_was_given": pinned,
        "end_was_compared": proof.end_is_known,
        "statements": proof.statements,
    })
}

fn not_proved(error: &ProofError) -> Failure {
    let (title, next) = match error {
        ProofError::Nothing(_) => (
            "there is nothing to prove",
            "name the audit file or its directory",
        ),
        ProofError::Unreadable { .. } => (
            "the audit cannot be read",
            "run this as the outlet's own user: sudo -u tidegate-outlet …",
        ),
        ProofError::Audit(AuditError::Io { .. }) => (
            "the audit cannot be read to its end",
            "look at the disk and at who owns the files, and run this again as the outlet's own user",
        ),
        ProofError::UnknownKeeper => ("the audit was not proved", "add --identity and --org"),
        ProofError::NoStatements(_) => (
            "statements are missing",
            "look for who took them away; what the audit itself says is proved. Of what a hub gathered, say --without-statements",
        ),
        ProofError::Audit(_) => (
            "the audit is not whole",
            "keep it as it is: what comes before that line still proves what it says",
        ),
    };
    let exit = match error {
        ProofError::Nothing(_) | ProofError::UnknownKeeper => Exit::Usage,
        ProofError::Audit(_) | ProofError::NoStatements(_) | ProofError::Unreadable { .. } => {
            Exit::ThisComputer
        }
    };
    Failure::new(exit, title, error.to_string(), next)
}
