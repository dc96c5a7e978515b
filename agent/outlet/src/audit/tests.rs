//! The audit as its outlet keeps it and as somebody who wants to hide something would leave it.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::private_dir;
use std::path::Path;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{Peer, Why};
use tidegate_proto::problem::Code;
use tidegate_proto::statement::Assurance;
use tidegate_proto::text::Shown;
use tidegate_proto::time::UnixTime;

struct Desk {
    dir: tempfile::TempDir,
    keys: Arc<OutletKeys>,
}

impl Desk {
    fn new() -> Self {
        let dir = private_dir();
        let keys = Arc::new(
            OutletKeys::load_or_make(&dir.path().join("keys"), &SystemEntropy)
                .ok()
                .unwrap(),
        );
        Self { dir, keys }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("audit.jsonl")
    }

    fn start(&self) -> Result<(Audit, tokio::task::JoinHandle<()>), AuditError> {
        let place = AuditPlace::File(self.path());
        let (audit, writer) =
            Audit::open(place, &"acme".parse().unwrap(), Arc::clone(&self.keys), 8)?;
        Ok((audit, tokio::spawn(writer.run())))
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.path())
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn write(&self, lines: &[String]) {
        std::fs::write(self.path(), lines.concat_lines()).unwrap();
    }

    /// Four lines: started, opened, closed, refused-not-listed.
    async fn four_lines(&self) {
        let (audit, writer) = self.start().unwrap();
        let (_, record) = audit.open_record(&opened(1)).await.unwrap();
        record.close(Code::ClosedByProgram);
        audit
            .record(EventKind::RefusalsNotListed { count: 1 })
            .await
            .unwrap();
        drop(audit);
        writer.await.unwrap();
    }
}

trait ConcatLines {
    fn concat_lines(&self) -> String;
}

impl ConcatLines for [String] {
    fn concat_lines(&self) -> String {
        self.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn opened(portal: u64) -> PortalOpened {
    let identity = tidegate_proto::identity::SigningKey::generate(&SystemEntropy).verify_key();
    PortalOpened {
        channel: "c".into(),
        portal,
        service: "warehouse".parse().unwrap(),
        purpose: "connect".into(),
        peer: Peer {
            sub: "00uana".parse().unwrap(),
            device: identity.peer_id(),
            device_name: Shown::new("laptop"),
            groups: vec![],
            group_count: 0,
            assurance: Assurance::High,
        },
        credential: "id".into(),
        grant: None,
        deadline: UnixTime(1),
        authority_away: false,
    }
}

fn bad_line(path: &Path) -> Option<(u64, Why)> {
    match verify(path, None) {
        Ok(_) => None,
        Err(ProofError::Audit(AuditError::Broken { bad, .. })) => Some((bad.line, bad.why)),
        Err(ProofError::Audit(AuditError::CutOff(_))) => Some((0, Why::CutOff)),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_restart_continues_the_chain_and_says_what_a_crash_left_open() {
    let desk = Desk::new();
    desk.four_lines().await;
    let (audit, writer) = desk.start().unwrap();
    let (_, record) = audit.open_record(&opened(2)).await.unwrap();
    std::mem::forget(record); // a crash: nobody closes it
    writer.abort();

    let (audit_after, writer_after) = desk.start().unwrap();

    drop((audit, audit_after));
    writer_after.await.unwrap();
    let proof = verify(&desk.path(), None).unwrap();
    assert_eq!((proof.events, proof.open, proof.end_is_known), (8, 0, true));
}

#[tokio::test]
async fn names_the_first_bad_line_after_any_tampering() {
    let desk = Desk::new();
    desk.four_lines().await;
    let good = desk.lines();
    assert_eq!((good.len(), bad_line(&desk.path())), (4, None));

    for line in 0..good.len() {
        for at in (0..good[line].len()).step_by(7) {
            let mut flipped = good.clone();
            let mut bytes = flipped[line].clone().into_bytes();
            bytes[at] ^= 1;
            flipped[line] = String::from_utf8_lossy(&bytes).into_owned();
            desk.write(&flipped);
            assert_eq!(
                bad_line(&desk.path()).unwrap().0,
                line as u64 + 1,
                "byte {at} of line {line}"
            );
        }
    }
    let cut = [&good[..1], &good[2..]].concat();
    desk.write(&cut);
    assert_eq!(bad_line(&desk.path()), Some((2, Why::OutOfOrder)));
    let swapped = [
        good[0].clone(),
        good[2].clone(),
        good[1].clone(),
        good[3].clone(),
    ];
    desk.write(&swapped);
    assert_eq!(bad_line(&desk.path()), Some((2, Why::OutOfOrder)));
    let doubled = [&good[..2], &good[1..]].concat();
    desk.write(&doubled);
    assert_eq!(bad_line(&desk.path()), Some((3, Why::OutOfOrder)));
    desk.write(&good[..3]);
    assert_eq!(bad_line(&desk.path()), Some((0, Why::CutOff)));
    desk.write(&[]);
    assert_eq!(bad_line(&desk.path()), Some((0, Why::CutOff)));
}

#[tokio::test]
async fn a_broken_chain_is_not_continued() {
    let desk = Desk::new();
    desk.four_lines().await;
    let good = desk.lines();

    desk.write(&[&good[..1], &good[2..]].concat());
    let cut_out = desk.start().err().unwrap();
    desk.write(&good[..3]);
    let cut_off = desk.start().err().unwrap();
    desk.write(&good);
    let stranger = Desk {
        dir: private_dir(),
        keys: Desk::new().keys,
    };
    std::fs::copy(desk.path(), stranger.path()).unwrap();
    let other = stranger.start().err().unwrap();

    assert!(matches!(
        cut_out,
        AuditError::Broken {
            bad: FirstBad { line: 2, .. },
            ..
        }
    ));
    assert_eq!(cut_off, AuditError::CutOff(desk.path()));
    assert!(matches!(
        other,
        AuditError::Broken {
            bad: FirstBad {
                line: 1,
                why: Why::OtherKey
            },
            ..
        }
    ));
    assert!(desk.start().is_ok());
}

#[tokio::test]
async fn half_a_line_after_a_crash_is_taken_away() {
    let desk = Desk::new();
    desk.four_lines().await;
    let good = desk.lines();
    std::fs::write(desk.path(), good.concat_lines() + &good[0][..50]).unwrap();

    let (audit, writer) = desk.start().unwrap();

    drop(audit);
    writer.await.unwrap();
    assert_eq!(verify(&desk.path(), None).unwrap().events, 5);
}

#[tokio::test]
async fn every_record_is_closed_once_however_its_task_ends() {
    let desk = Desk::new();
    let (audit, writer) = desk.start().unwrap();
    for portal in 0..3 {
        let (_, record) = audit.open_record(&opened(portal)).await.unwrap();
        match portal {
            0 => record.close(Code::Expired),
            1 => drop(record),
            _ => {
                let panics = tokio::spawn(async move {
                    let _held = record;
                    panic!("as a bug would");
                });
                assert!(panics.await.is_err());
            }
        }
    }

    drop(audit);
    writer.await.unwrap();
    let proof = verify(&desk.path(), None).unwrap();
    assert_eq!((proof.events, proof.open), (7, 0));
}

#[tokio::test]
async fn more_open_records_than_there_may_be_are_refused() {
    let desk = Desk::new();
    let (audit, writer) = desk.start().unwrap();
    let mut held = Vec::new();

    let refused = loop {
        match audit.open_record(&opened(held.len() as u64)).await {
            Ok((_, record)) => held.push(record),
            Err(error) => break error,
        }
    };

    assert_eq!(refused, NotRecorded::Full);
    drop((held, audit));
    writer.await.unwrap();
    assert_eq!(verify(&desk.path(), None).unwrap().open, 0);
}

#[tokio::test]
async fn a_pinned_keeper_must_have_kept_it() {
    let desk = Desk::new();
    desk.four_lines().await;
    let keeper = |org: &str, desk: &Desk| {
        Some(Keeper {
            org: org.parse().unwrap(),
            identity: desk.keys.identity.verify_key(),
        })
    };

    assert!(verify(&desk.path(), keeper("acme", &desk)).is_ok());
    assert!(verify(&desk.path(), keeper("other", &desk)).is_err());
    assert!(verify(&desk.path(), keeper("acme", &Desk::new())).is_err());
    std::fs::remove_file(desk.path().with_extension("tip")).unwrap();
    assert_eq!(verify(&desk.path(), None), Err(ProofError::UnknownKeeper));
    assert!(
        !verify(&desk.path(), keeper("acme", &desk))
            .unwrap()
            .end_is_known
    );
}
