//! How connections are refused, held and ended, as their programs see it.

use std::time::Instant;

use tidegate_proto::frame::Frame;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::*;

/// From the start of psql to its end. The bar is on what the inlet adds, and other tests run at the same time: best of five.
const AT_ONCE: Duration = Duration::from_millis(250);
const TRIES: usize = 5;

/// Everything psql says, which must be this refusal each time, and the shortest time in which it said so.
async fn refused_at_once(inlet: &mut Inlet, settings: &str, problem: &Problem) {
    let code = format!("({})", problem.code);
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let begun = Instant::now();
        let (out, err, status) = run(inlet.psql(settings)).await;
        best = best.min(begun.elapsed());

        assert!(
            err.contains("FATAL:  ") && err.contains(&code) && err.contains("\nHINT:  "),
            "{err}"
        );
        assert_eq!(err.matches("FATAL").count(), 1, "psql tried again: {err}");
        assert_eq!((out.as_str(), status), ("", Some(2)));
        assert_eq!(
            inlet.next_end().await,
            VisitEnd::Refused(problem.clone()),
            "the window"
        );
        if best < AT_ONCE {
            return;
        }
    }
    panic!("{code} took {best:?} with `{settings}`");
}

#[tokio::test]
async fn a_refusal_is_a_sentence_with_a_code_and_a_next_step_at_once() {
    let mut inlet = Inlet::new(Refuses(Code::NotAvailable)).await;
    let problem = Problem::new(Code::NotAvailable).service(&warehouse());

    for settings in ["sslmode=disable", "", "sslmode=require"] {
        refused_at_once(&mut inlet, settings, &problem).await;
    }
}

#[tokio::test]
async fn a_dead_outlet_is_a_sentence_at_once() {
    let mut inlet = Inlet::new(Refuses(Code::OutletAbsent)).await;
    let problem = Problem::new(Code::OutletAbsent).service(&warehouse());

    refused_at_once(&mut inlet, "", &problem).await;
}

#[tokio::test]
async fn a_closed_database_port_is_a_sentence_at_once() {
    let database = Database::at(crate::testing::free_port());
    let mut inlet = Inlet::new(database.outlet()).await;
    let problem = Problem::new(Code::TargetClosed).service(&warehouse());

    refused_at_once(&mut inlet, "", &problem).await;
}

#[tokio::test]
async fn a_program_waits_for_sign_in_and_then_goes_on() {
    let (may, when) = watch::channel(false);
    let database = Database::new();
    let inlet = Inlet::new(Patient(database.outlet(), when)).await;
    let mut psql = inlet.psql("");
    psql.args(["-c", "SELECT 'went on'"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = psql.spawn().unwrap();

    let mut err = BufReader::new(running.stderr.take().unwrap()).lines();
    for awaited in [Awaited::SignIn, Awaited::Hub] {
        inlet.awaited.send_replace(Some(awaited));
        let line = err.next_line().await.unwrap().unwrap();
        assert_eq!(line, format!("NOTICE:  {}", awaited.line()));
    }
    may.send(true).unwrap();
    let output = running.wait_with_output().await.unwrap();

    assert_eq!(output.stdout, b"went on\n");
}

#[tokio::test]
async fn a_portal_that_opens_at_once_says_nothing() {
    let (inlet, _database) = Inlet::real().await;
    inlet.awaited.send(Some(Awaited::Outlet)).unwrap();

    let mut psql = inlet.psql("");
    psql.args(["-c", "SELECT 1"]);
    let (out, err, _) = run(psql).await;

    assert_eq!((out.as_str(), err.as_str()), ("1\n", ""));
}

#[tokio::test]
async fn a_program_that_leaves_while_it_waits_is_forgotten() {
    let (_may, when) = watch::channel(false);
    let mut inlet = Inlet::new(Patient(Refuses(Code::NotAvailable), when)).await;
    let mut program = inlet.connect().await;
    program.write_all(&startup()).await.unwrap();
    program.read_exact(&mut [0; 9]).await.unwrap();

    drop(program);

    assert_eq!(inlet.next_end().await, VisitEnd::Finished);
}

#[tokio::test]
async fn disconnecting_ends_a_waiting_program_with_the_reason() {
    let (_may, when) = watch::channel(false);
    let mut inlet = Inlet::new(Patient(Refuses(Code::NotAvailable), when)).await;
    inlet.awaited.send(Some(Awaited::Hub)).unwrap();
    let mut psql = inlet.psql("");
    let mut running = psql.stderr(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(running.stderr.take().unwrap());
    let mut said = String::new();
    err.read_line(&mut said).await.unwrap();
    assert!(said.starts_with("NOTICE:"), "it waits: {said}");

    inlet
        .close
        .send(Some(
            Problem::new(Code::DisconnectedByYou).service(&warehouse()),
        ))
        .unwrap();

    err.read_to_string(&mut said).await.unwrap();
    running.wait().await.unwrap();
    assert!(
        said.contains("because you disconnected it. (TG-7001)"),
        "{said}"
    );
    assert!(matches!(inlet.next_end().await, VisitEnd::Ended(_)));
}

#[tokio::test]
async fn disconnecting_ends_a_running_query_with_the_reason_here_and_at_the_database() {
    let (mut inlet, database) = Inlet::real().await;
    let mut psql = inlet.psql("");
    psql.args(["-c", "\\echo begun", "-c", "SELECT pg_sleep(61)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = psql.spawn().unwrap();
    running.stdout.as_mut().unwrap().read_u8().await.unwrap();
    let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(61)' \
                    AND pid <> pg_backend_pid()";
    wait_for(&database, sleepers, "1").await;

    let begun = Instant::now();
    inlet
        .close
        .send(Some(
            Problem::new(Code::DisconnectedByYou).service(&warehouse()),
        ))
        .unwrap();
    let output = running.wait_with_output().await.unwrap();

    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("FATAL:  ") && err.contains("(TG-7001)") && err.contains("HINT:  "),
        "{err}"
    );
    assert!(matches!(inlet.next_end().await, VisitEnd::Ended(_)));
    wait_for(&database, sleepers, "0").await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn disconnecting_in_the_middle_of_a_big_result_leaves_whole_rows_and_the_reason() {
    let (inlet, _database) = Inlet::real().await;
    let mut psql = inlet.psql("");
    psql.args([
        "-c",
        "COPY (SELECT repeat('x', 999) FROM generate_series(1, 50000000)) TO STDOUT",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    let mut running = psql.spawn().unwrap();
    let mut out = vec![0; 2_000_000];
    running
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut out)
        .await
        .unwrap();

    inlet
        .close
        .send(Some(
            Problem::new(Code::DisconnectedByYou).service(&warehouse()),
        ))
        .unwrap();
    let output = tokio::time::timeout(Duration::from_secs(10), running.wait_with_output())
        .await
        .unwrap()
        .unwrap();

    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("(TG-7001)"), "{err}");
    assert_eq!(
        (out.len() + output.stdout.len()) % 1_000,
        0,
        "ends inside of a row"
    );
}

#[tokio::test]
async fn what_the_outlet_ends_is_read_by_the_program_and_known_to_the_window() {
    let (mut inlet, database) = Inlet::real().await;
    let mut psql = inlet.psql("");
    psql.args(["-c", "\\echo begun", "-c", "SELECT pg_sleep(62)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = psql.spawn().unwrap();
    running.stdout.as_mut().unwrap().read_u8().await.unwrap();

    let revoked = Problem::new(Code::RevokedByAdmin).service(&warehouse());
    database.withdraw.send(Some(revoked.clone())).unwrap();
    let output = running.wait_with_output().await.unwrap();

    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("FATAL:  ") && err.contains("(TG-7002)"),
        "{err}"
    );
    assert_eq!(inlet.next_end().await, VisitEnd::Ended(revoked));
}

#[tokio::test]
async fn a_database_that_cannot_be_had_is_read_by_the_program_and_known_to_the_window() {
    let (mut inlet, database) = Inlet::real().await;
    fs::write(database.login.path().join("password"), "pen").unwrap();

    let (_, err, _) = run(inlet.psql("")).await;

    assert!(
        err.contains("FATAL:  ") && err.contains("(TG-5002)"),
        "{err}"
    );
    assert!(
        !err.contains("loader"),
        "the login is nobody's business: {err}"
    );
    let problem = Problem::new(Code::TargetLoginRefused).service(&warehouse());
    assert_eq!(inlet.next_end().await, VisitEnd::Refused(problem));
}

#[tokio::test]
async fn a_lost_circuit_is_a_connection_failure_in_words() {
    let mut inlet = Inlet::new(Scripted(|mut outlet: Secure| async move {
        let ok = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec();
        outlet
            .send(&Frame::Data {
                offset: 0,
                bytes: &ok,
            })
            .await
            .unwrap();
        // psql is there once it asks something: the startup went with the portal.
        let _ = outlet.recv().await;
    }))
    .await;
    let mut psql = inlet.psql("");
    psql.args(["-c", "SELECT 1"]);

    let (_, err, _) = run(psql).await;

    assert!(err.contains("(TG-1005)"), "{err}");
    let problem = Problem::new(Code::CircuitLost).service(&warehouse());
    assert_eq!(inlet.next_end().await, VisitEnd::Ended(problem));
}

/// What psql hears of an outlet that says this and is gone.
async fn heard_of(said: &'static [u8]) -> Vec<u8> {
    let inlet = Inlet::new(Scripted(move |mut outlet: Secure| async move {
        let data = Frame::Data {
            offset: 0,
            bytes: said,
        };
        outlet.send(&data).await.unwrap();
    }))
    .await;
    let mut program = inlet.connect().await;
    program.write_all(&startup()).await.unwrap();
    let mut heard = Vec::new();
    program.read_to_end(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn a_circuit_lost_inside_of_a_long_row_closes_without_a_false_word() {
    let half_a_row = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05ID\0\0\x20\0half a row";

    assert_eq!(heard_of(half_a_row).await, half_a_row);
}

#[tokio::test]
async fn a_circuit_lost_inside_of_a_short_row_leaves_room_for_the_reason() {
    let ready = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    let heard = heard_of(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05ID\0\0\x01\0half a row").await;

    let words = heard.strip_prefix(ready).unwrap();
    assert_eq!(words.first(), Some(&b'E'));
    let words = String::from_utf8_lossy(words);
    assert!(
        words.contains("FATAL") && words.contains("(TG-1005)"),
        "{words}"
    );
}

#[tokio::test]
async fn an_outlets_reset_code_becomes_its_words() {
    let inlet = Inlet::new(Scripted(|mut outlet: Secure| async move {
        outlet
            .send(&Frame::Reset {
                code: Code::RevokedByAdmin.number(),
            })
            .await
            .unwrap();
        let _ = outlet.recv().await;
    }))
    .await;

    let (_, err, _) = run(inlet.psql("")).await;

    assert!(err.contains("(TG-7002)"), "{err}");
}

/// An outlet that does what a test says with its end of the channel.
pub(super) struct Scripted<F>(pub(super) F);

impl<F, Done> Opener for Scripted<F>
where
    F: Fn(Secure) -> Done + Send + Sync + 'static,
    Done: Future<Output = ()> + Send + 'static,
{
    fn open<'a>(
        &'a self,
        _: &'a ServiceName,
        _: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(async {
            let (ours, theirs) = channel().await;
            tokio::spawn((self.0)(theirs));
            Ok(Portal::new(ours))
        })
    }
}

pub(super) fn startup() -> Vec<u8> {
    tidegate_postgres::Startup::new(tidegate_postgres::Version::V3_0)
        .with("user", "ana")
        .encode()
}

pub(super) async fn wait_for(database: &Database, sql: &'static str, wanted: &'static str) {
    let cluster = Arc::clone(&database.cluster);
    let waiting = move || {
        let begun = Instant::now();
        while cluster.psql("postgres", sql) != wanted {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "never saw {wanted}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    tokio::task::spawn_blocking(waiting).await.unwrap();
}
