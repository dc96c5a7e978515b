//! What several unit tests need.
//! A temporary directory is open to others by default; a data directory must not be.
#![allow(clippy::unwrap_used)]

use crate::audit::Audit;
use crate::config::AuditPlace;
use crate::grants::Clocks;
use crate::keys::OutletKeys;
use crate::known::{Kept, Known, Me};
use crate::owner::OwnersRules;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use tidegate_proto::policy::{Rules, Side};

/// A directory as a data directory must be: 0700.
pub(crate) fn private_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// An audit in a data directory; its writer runs until the last handle is gone.
pub(crate) fn audit_in(data: &Path) -> Audit {
    let keys = Arc::new(OutletKeys::load_or_make(data, &SystemEntropy).ok().unwrap());
    let place = AuditPlace::File(data.join("audit.jsonl"));
    let (audit, writer) = Audit::open(place, &"acme".parse().unwrap(), keys, 8).unwrap();
    tokio::spawn(writer.run());
    audit
}

/// The clocks of an outlet that knows nothing yet, and keeps what it comes to know in `data`.
pub(crate) fn clocks_in(data: &Path) -> Arc<Clocks> {
    let key = || SigningKey::generate(&SystemEntropy).verify_key();
    let me = Me {
        org: "acme".parse().unwrap(),
        root: key().peer_id(),
        identity: key(),
        noise: NoiseSecret::generate(&SystemEntropy).public(),
        kinds: [].into(),
        read_only: [].into(),
    };
    let owner = OwnersRules {
        rules: Rules::compile(Side::Owner, "").unwrap(),
        in_force: None,
    };
    let known = Arc::new(Known::new(me, owner, Kept::default()));
    Arc::new(Clocks::new(known, data.to_owned(), audit_in(data)))
}
