//! One session's words and the queue, without a database: bursts, a queue that is full, the moments at both ends.
//! No writer runs here unless a test says so: what is in the queue stays there.
#![allow(clippy::unwrap_used)]

use tempfile::TempDir;
use tidegate_postgres::simple_query;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{EventKind, Outcome, Said, Verifier};
use tidegate_proto::frame::Purpose;
use tidegate_proto::rehearsal::permit;

use super::*;
use crate::audit::StatementWriter;
use crate::config::{AuditPlace, TextKept};
use crate::keys::OutletKeys;
use crate::testing::private_dir;

const SETTINGS: StatementSettings = StatementSettings {
    record: TextKept::Redacted,
    parameters: ParametersKept::None,
    when_full: WhenFull::Block,
};

struct Desk {
    dir: TempDir,
    keys: Arc<OutletKeys>,
    audit: StatementAudit,
}

impl Desk {
    fn for_sessions(sessions: usize) -> (Self, StatementWriter) {
        let dir = private_dir();
        let keys = OutletKeys::load_or_make(&dir.path().join("keys"), &SystemEntropy);
        let keys = Arc::new(keys.ok().unwrap());
        let place = AuditPlace::File(dir.path().join("audit.jsonl"));
        let org = "acme".parse().unwrap();
        let (audit, writer) =
            StatementAudit::open(&place, &org, Arc::clone(&keys), sessions).unwrap();
        (Self { dir, keys, audit }, writer)
    }

    fn ear(&self, settings: StatementSettings) -> Result<Ear, Fault> {
        let permit = permit("00uana", 1, Purpose::Connect);
        Ear::new(&self.audit, settings, &permit)
    }

    /// All that is on record, when everything is written.
    async fn said(self, writer: StatementWriter) -> Vec<Said> {
        drop(self.audit);
        writer.run().await;
        let org = "acme".parse().unwrap();
        let mut verifier = Verifier::new(&org, &self.keys.identity.verify_key());
        let text = std::fs::read_to_string(self.dir.path().join("audit.statements.jsonl")).unwrap();
        let events = text
            .lines()
            .map(|line| verifier.line(line.as_bytes()).unwrap().what);
        let said = events.filter_map(|what| match what {
            EventKind::Statements(statements) => Some(statements.said),
            _ => None,
        });
        said.flatten().collect()
    }
}

const PARSE: &[u8] = b"P\0\0\0\x08\0\0\0\0";
const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";
const ERROR: &[u8] = b"E\0\0\0\x0cC42601\0\0";
const DONE: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

#[test]
fn many_ends_in_one_moment_are_cut_into_bundles() {
    const MANY: usize = 20_000;
    let (desk, _writer) = Desk::for_sessions(1);
    let mut ear = desk.ear(SETTINGS).ok().unwrap();

    ear.asked(&[PARSE, &EXECUTE.repeat(MANY)].concat());
    ear.answered(ERROR);

    let mut words = 0;
    while !ear.is_empty() {
        let heard = ear.next(BUNDLE);
        assert!(heard.bytes < 2 * BUNDLE, "{}", heard.bytes);
        words += heard.words.len();
    }
    assert_eq!((words, ear.held_bytes), (2 * (MANY + 1), 0));
}

#[tokio::test]
async fn the_last_words_of_a_session_are_kept_though_the_queue_is_full_for_long() {
    let (desk, writer) = Desk::for_sessions(1);
    let other = desk.audit.room();
    let mut full = Vec::new();
    while let Poll::Ready(Ok(place)) = other.now() {
        full.push(place);
    }
    let mut ear = desk.ear(SETTINGS).ok().unwrap();

    ear.asked(&simple_query("delete from pay"));
    ear.answered(DONE);
    drop(ear);
    drop((full, other));
    let said = desk.said(writer).await;

    let text = said[0].asked.as_ref().unwrap().text.as_deref();
    assert_eq!(text, Some("delete from pay"));
    assert_eq!(said[0].ended.as_ref().unwrap().how, Outcome::Done);
}

#[test]
fn who_wants_nothing_missed_gets_no_session_without_a_place_for_its_last_words() {
    let (desk, _writer) = Desk::for_sessions(1);
    let first = desk.ear(SETTINGS).ok().unwrap();

    assert_eq!(desk.ear(SETTINGS).err(), Some(Fault::NotRecorded));
    let gap = StatementSettings {
        when_full: WhenFull::Gap,
        ..SETTINGS
    };
    assert!(desk.ear(gap).is_ok(), "there they go on");
    drop(first);
    assert!(desk.ear(SETTINGS).is_ok());
}

#[tokio::test]
async fn a_session_begins_with_what_it_is_and_in_the_middle_of_what_the_database_says_by_itself() {
    let (desk, writer) = Desk::for_sessions(1);
    let mut ear = desk.ear(SETTINGS).ok().unwrap();

    ear.begins(b"database='nyc'".to_vec(), b"N\0\0\0");
    ear.answered(b"\x06\0\0");
    ear.asked(&simple_query("select 1"));
    ear.answered(DONE);
    drop(ear);
    let said = desk.said(writer).await;

    let startup = said[0].asked.as_ref().unwrap();
    assert_eq!((said[0].n, said.len()), (0, 2));
    assert_eq!(startup.how, tidegate_proto::event::How::Startup);
    assert_eq!(
        startup.text.as_deref(),
        Some("database='nyc'"),
        "also where texts are redacted"
    );
    let ended = said[1].ended.as_ref().unwrap();
    assert_eq!((ended.how, ended.rows), (Outcome::Done, Some(1)));
}
