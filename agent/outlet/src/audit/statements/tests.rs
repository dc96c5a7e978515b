//! Settings and chain together are tried with a real database, in `postgres::tests::statements`; here is the chain alone.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{EventKind, Verifier};

use super::super::{Audit, ProofError, verify};
use super::*;
use crate::config::{ParametersKept, TextKept, WhenFull};
use crate::testing::private_dir;

fn keys(dir: &Path) -> Arc<OutletKeys> {
    let keys = OutletKeys::load_or_make(&dir.join("keys"), &SystemEntropy);
    Arc::new(keys.ok().unwrap())
}

fn settings() -> StatementSettings {
    StatementSettings {
        record: TextKept::Text,
        parameters: ParametersKept::None,
        when_full: WhenFull::Block,
    }
}

fn speaker(portal: u64) -> Speaker {
    Speaker {
        channel: "c".into(),
        portal,
        service: "warehouse".parse().unwrap(),
        sub: "00uana".parse().unwrap(),
        grant: None,
        settings: settings(),
    }
}

fn org() -> OrgName {
    "acme".parse().unwrap()
}

/// An audit that says that statements are recorded, and their chain beside it with a mark in it.
async fn both_chains() -> (TempDir, PathBuf) {
    let dir = private_dir();
    let path = dir.path().join("audit");
    let (place, keys) = (AuditPlace::Daily(path.clone()), keys(dir.path()));
    let (audit, writer) = Audit::open(place.clone(), &org(), Arc::clone(&keys), 8).unwrap();
    let (statements, statement_writer) = StatementAudit::open(&place, &org(), keys, 8).unwrap();
    let writer = tokio::spawn(writer.run());
    let recorded = EventKind::StatementsRecorded {
        service: "warehouse".parse().unwrap(),
        how: settings().to_string(),
    };
    audit.record(recorded).await.unwrap();
    statements.left_unsaid(&speaker(1), 3);
    drop((audit, statements));
    writer.await.unwrap();
    statement_writer.run().await;
    (dir, path)
}

fn only_file(chain: &Path) -> PathBuf {
    super::super::files::daily(chain).unwrap().remove(0)
}

#[tokio::test]
async fn the_chain_beside_an_audit_is_proved_with_it() {
    let (_dir, path) = both_chains().await;
    let proof = verify(&path, None).unwrap();
    assert_eq!((proof.statements, proof.end_is_known), (Some(2), true));

    let file = only_file(&path.join("statements"));
    let text = std::fs::read_to_string(&file).unwrap();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&file, &text[..last]).unwrap();
    assert!(matches!(
        verify(&path, None),
        Err(ProofError::Audit(AuditError::CutOff(_)))
    ));

    std::fs::remove_file(path.join("statements/newest.tip")).unwrap();
    let proof = verify(&path, None).unwrap();
    assert!(
        !proof.end_is_known,
        "nobody compared the end of the statements"
    );
}

#[tokio::test]
async fn a_chain_of_statements_that_the_audit_speaks_of_has_to_be_there() {
    let (_dir, path) = both_chains().await;
    let beside = path.join("statements");
    let missing = Err(ProofError::NoStatements(beside.clone()));

    std::fs::remove_file(only_file(&beside)).unwrap();
    assert_eq!(verify(&path, None), missing);
    std::fs::remove_dir_all(&beside).unwrap();
    assert_eq!(verify(&path, None), missing);
}

#[tokio::test]
async fn what_was_dropped_is_marked_at_once_and_by_whose_it_was() {
    let dir = private_dir();
    let (place, keys) = (
        AuditPlace::Daily(dir.path().join("audit")),
        keys(dir.path()),
    );
    let (statements, writer) = StatementAudit::open(&place, &org(), Arc::clone(&keys), 8).unwrap();
    let running = tokio::spawn(writer.run());
    let beside = dir.path().join("audit/statements");
    let lines = || std::fs::read_to_string(only_file(&beside)).unwrap();
    let marked = async {
        while lines().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };

    for portal in 1..400 {
        statements.left_unsaid(&speaker(portal), 3);
    }
    let marked = tokio::time::timeout(Duration::from_secs(20), marked).await;

    marked.expect("a mark, and nobody says a word");
    drop(statements);
    running.await.unwrap();
    let mut verifier = Verifier::new(&org(), &keys.identity.verify_key());
    let marks: Vec<_> = lines()
        .lines()
        .filter_map(|line| match verifier.line(line.as_bytes()).unwrap().what {
            EventKind::StatementsNotListed { count, portal, .. } => Some((count, portal)),
            _ => None,
        })
        .collect();
    assert_eq!(marks[0], (3, Some(1)));
    assert_eq!(marks.iter().map(|(count, _)| count).sum::<u64>(), 3 * 399);
}

#[tokio::test]
async fn no_session_gets_a_place_for_its_last_words_while_the_disk_takes_nothing_or_nobody_writes()
{
    let dir = private_dir();
    let place = AuditPlace::Daily(dir.path().join("audit"));
    let (statements, writer) = StatementAudit::open(&place, &org(), keys(dir.path()), 1).unwrap();

    assert!(statements.last_place().is_some());
    statements.behind.store(true, Ordering::Relaxed);
    assert!(statements.last_place().is_none());
    statements.behind.store(false, Ordering::Relaxed);
    assert!(statements.last_place().is_some());
    drop(writer);
    assert!(statements.last_place().is_none());
}
