//! Settings and chain together are tried with a real database, in `postgres::tests::statements`; here is the chain alone.
#![allow(clippy::unwrap_used)]

use tidegate_proto::entropy::SystemEntropy;

use super::super::{ProofError, verify};
use super::*;
use crate::testing::private_dir;

fn keys(dir: &std::path::Path) -> Arc<OutletKeys> {
    let keys = OutletKeys::load_or_make(&dir.join("keys"), &SystemEntropy);
    Arc::new(keys.ok().unwrap())
}

#[tokio::test]
async fn the_chain_beside_an_audit_is_proved_with_it() {
    let dir = private_dir();
    let (place, org) = (
        AuditPlace::Daily(dir.path().join("audit")),
        "acme".parse().unwrap(),
    );
    let keys = keys(dir.path());
    let (audit, writer) =
        super::super::Audit::open(place.clone(), &org, Arc::clone(&keys), 8).unwrap();
    let (statements, statement_writer) = StatementAudit::open(&place, &org, keys).unwrap();
    statements.left_unsaid(3);
    drop((audit, statements));
    writer.run().await;
    statement_writer.run().await;
    let path = dir.path().join("audit");

    assert_eq!(verify(&path, None).unwrap().statements, Some(2));

    let file = super::super::files::daily(&path.join("statements"))
        .unwrap()
        .remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&file, &text[..last]).unwrap();
    assert!(matches!(
        verify(&path, None),
        Err(ProofError::Audit(AuditError::CutOff(_)))
    ));
}
