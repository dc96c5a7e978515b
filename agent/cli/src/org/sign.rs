//! `tidegate org sign`: checks the whole description and signs it into one bundle for the hub.
//! A version is the second of its signing, or one more than the last: it rises even if every old bundle is lost.

use std::path::{Path, PathBuf};

use tidegate_link::now;
use tidegate_proto::{
    identity::SigningKey,
    statement::{
        AuthorityStatement, IdpStatement, OrgBundle, PolicyStatement, ServiceStatement, Statement,
    },
};

use super::{passphrase::PassphraseArgs, root_key::RootKey, settings::OrgSettings};
use crate::{failure::Failure, public_file, trouble::Trouble};

#[derive(clap::Args)]
pub(crate) struct Sign {
    /// Directory that `tidegate org init` made.
    #[arg(long)]
    dir: PathBuf,
    /// Where to write the bundle; the one that is there already tells what has changed.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Sign {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let root = RootKey::open(&self.dir, self.passphrase.take()?)?;
        let settings = OrgSettings::of(&root, &self.dir)?;
        let before = Before::read(&self.out, &root);
        let (bundle, signed) = sign(&root, settings, &before, now().0);

        // What the hub will do; a bundle that it would refuse is not written.
        let verified = bundle.verify(root.key.verify_key().peer_id(), &root.org, now());
        verified.map_err(|error| Trouble::BundleRefused(error.into()))?;
        let json = serde_json::to_vec_pretty(&bundle)
            .map_err(|e| Failure::internal("a bundle is no JSON", &e))?;
        public_file::replace(&self.out, &json)
            .map_err(|error| Trouble::unwritable(&self.out, &error))?;

        for line in signed {
            eprintln!("{line}");
        }
        println!("{}", self.out.display());
        Ok(())
    }
}

/// What was signed last, as far as it was signed by this root for this org.
#[derive(Default)]
struct Before {
    serial: u64,
    idp: Option<(IdpStatement, String)>,
    policy: Option<(PolicyStatement, String)>,
    services: Vec<(ServiceStatement, String)>,
}

impl Before {
    fn read(path: &Path, root: &RootKey) -> Self {
        let bundle = std::fs::read(path)
            .ok()
            .and_then(|json| OrgBundle::parse(&json).ok());
        let Some(bundle) = bundle else {
            return Self::default();
        };
        let serial =
            ours::<AuthorityStatement>(&bundle.authority, root).map_or(0, |(said, _)| said.version);
        Self {
            serial,
            idp: ours(&bundle.idp, root),
            policy: bundle.policies.first().and_then(|jws| ours(jws, root)),
            services: bundle
                .services
                .iter()
                .filter_map(|jws| ours(jws, root))
                .collect(),
        }
    }
}

fn ours<S: Statement>(jws: &str, root: &RootKey) -> Option<(S, String)> {
    let said = S::verify_for(jws, &root.key.verify_key(), &root.org).ok()?;
    Some((said, jws.to_owned()))
}

/// Signs what is new and keeps what has not changed; says which.
fn sign(
    root: &RootKey,
    settings: OrgSettings,
    before: &Before,
    now: u64,
) -> (OrgBundle, Vec<String>) {
    // The authority's statement is signed every time, so it carries the newest serial there is.
    let serial = now.max(before.serial + 1);
    let mut signer = Signer {
        key: &root.key,
        serial,
        log: Vec::new(),
    };
    let authority = AuthorityStatement {
        version: serial,
        ..settings.authority
    }
    .sign(&root.key);
    signer.log.push(format!(
        "signed   authority, good for 30 days (version {serial})"
    ));
    let idp = signer.sign("identity provider", settings.idp, before.idp.as_ref());
    let policy = signer.sign("policy", settings.policy, before.policy.as_ref());
    let services = settings.services.into_iter().map(|service| {
        let old = before
            .services
            .iter()
            .find(|(old, _)| old.service == service.service);
        signer.sign(&format!("service {}", service.service), service, old)
    });
    let services = services.collect();
    let bundle = OrgBundle {
        roots: root.chain(),
        root: root.key.verify_key(),
        authority,
        idp,
        services,
        policies: vec![policy],
    };
    (bundle, signer.log)
}

struct Signer<'a> {
    key: &'a SigningKey,
    serial: u64,
    log: Vec<String>,
}

impl Signer<'_> {
    fn sign<S: Versioned>(&mut self, what: &str, mut said: S, old: Option<&(S, String)>) -> String {
        if let Some((old, jws)) = old {
            *said.version() = old.clone().version().to_owned();
            if said == *old {
                self.log.push(format!("kept     {what}"));
                return jws.clone();
            }
        }
        *said.version() = self.serial;
        self.log
            .push(format!("signed   {what} (version {})", self.serial));
        said.sign(self.key)
    }
}

/// A statement with a version that rises.
trait Versioned: Statement + Clone + PartialEq {
    fn version(&mut self) -> &mut u64;
}

impl Versioned for IdpStatement {
    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Versioned for PolicyStatement {
    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Versioned for ServiceStatement {
    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}
