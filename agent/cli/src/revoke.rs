//! `tidegate revoke`: the org root orders somebody out; the hub spreads it at once.
//! Every order is kept beside the root key: a hub that was away, or restored from a backup, is sent them all again.

use std::path::{Path, PathBuf};

use tidegate_link::{keyfile, now};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, path},
    entropy::{Entropy, SystemEntropy},
    identity::PeerId,
    names::{HubAddress, Subject},
    statement::{Revocation, RevokeTarget, Statement},
    strict::to_base64url,
};

use crate::{
    failure::{Exit, Failure},
    hub_client::HubClient,
    org::{passphrase::PassphraseArgs, root_key::RootKey},
    trouble::Trouble,
};

/// Largest kept order, in bytes.
const MOST: usize = 24 * 1024;

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("who").required(true).args(["sub", "device", "resend"])))]
pub(crate) struct Revoke {
    /// Directory that `tidegate org init` made.
    #[arg(long)]
    dir: PathBuf,
    /// The hub's address: host:port.
    #[arg(long)]
    hub: HubAddress,
    /// A person with all their devices, by the identity provider's `sub`.
    #[arg(long, allow_hyphen_values = true)]
    sub: Option<Subject>,
    /// One device, by its fingerprint.
    // One fingerprint in 64 begins with a dash.
    #[arg(long, value_name = "FINGERPRINT", allow_hyphen_values = true)]
    device: Option<PeerId>,
    /// Send every order that was ever signed again.
    #[arg(long)]
    resend: bool,
    /// For the record.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    reason: String,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Revoke {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let root = RootKey::open(&self.dir, self.passphrase.take()?)?;
        let kept = self.dir.join("revocations");
        let orders = match self.target() {
            Some(who) => vec![order(&root, who, &self.reason, &kept)?],
            None => all(&kept)?,
        };
        let hub = HubClient::connect(&self.hub, &root.org, root.key.verify_key().peer_id()).await;
        let mut hub = hub.map_err(|error| self.kept_for_later(error))?;
        for revocation in orders {
            let answer: RevokeAnswer = hub
                .post(path::REVOKE, &RevokeRequest { revocation })
                .await?;
            println!("{}", serde_json::json!({ "epoch": answer.epoch }));
        }
        eprintln!("The hub has taken it: what is open closes now, and nothing opens any more.");
        Ok(())
    }

    fn target(&self) -> Option<RevokeTarget> {
        let subject = self.sub.clone().map(RevokeTarget::Subject);
        subject.or(self.device.map(RevokeTarget::Device))
    }

    fn kept_for_later(&self, failure: Failure) -> Failure {
        if !self.resend {
            eprintln!(
                "The order is signed and kept; when the hub is back, send it with `tidegate revoke --resend --dir {} --hub {}`.",
                self.dir.display(),
                self.hub
            );
        }
        failure
    }
}

/// Signs an order, keeps it and hands it in.
pub(crate) async fn send(
    root: &RootKey,
    (dir, hub): (&Path, &HubAddress),
    who: RevokeTarget,
    reason: &str,
) -> Result<RevokeAnswer, Failure> {
    let revocation = order(root, who, reason, &dir.join("revocations"))?;
    let mut hub = HubClient::connect(hub, &root.org, root.key.verify_key().peer_id()).await?;
    hub.post(path::REVOKE, &RevokeRequest { revocation }).await
}

/// Signs an order and keeps it before anybody is told.
fn order(root: &RootKey, who: RevokeTarget, reason: &str, kept: &Path) -> Result<String, Failure> {
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id);
    let order = Revocation {
        org: root.org.clone(),
        who,
        at: now(),
        id: to_base64url(&id),
        reason: reason.to_owned(),
    };
    order.check().map_err(|_| unfit_reason())?;
    let jws = order.sign(&root.key);
    keyfile::private_directory(kept).map_err(|error| Trouble::file(kept, error))?;
    let path = kept.join(format!("{}-{}.jws", order.at.0, order.id));
    keyfile::create(&path, jws.as_bytes()).map_err(|error| Trouble::file(&path, error))?;
    Ok(jws)
}

fn unfit_reason() -> Failure {
    Failure::new(
        Exit::Usage,
        "--reason cannot be used",
        "It is too long, or there are characters in it that nobody would see.",
        "Write at most 400 plain letters.",
    )
}

/// Every kept order, oldest first.
fn all(kept: &Path) -> Result<Vec<String>, Failure> {
    let listed = std::fs::read_dir(kept).into_iter().flatten().flatten();
    let mut paths: Vec<_> = listed.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jws"));
    paths.sort();
    if paths.is_empty() {
        return Err(Trouble::NothingToResend {
            path: kept.to_owned(),
        }
        .into());
    }
    let read = |path: PathBuf| {
        let bytes = keyfile::read(&path, MOST).map_err(|error| Trouble::file(&path, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    paths.into_iter().map(read).collect()
}
