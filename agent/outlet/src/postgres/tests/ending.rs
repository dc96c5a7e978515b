//! Sessions that are ended: the program reads why, and the backend is gone.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What the program's connection task ends with.
async fn last_words(program: Program) -> (tokio_postgres::error::DbError, PortalEnd) {
    let error = program.connection.await.unwrap().unwrap_err();
    let end = program.portal.await.unwrap();
    (error.as_db_error().expect("a FATAL").clone(), end)
}

#[tokio::test]
async fn an_idle_program_hears_why() {
    let stage = Stage::alone("idle");
    let mut program = stage.program().await;
    program
        .client
        .batch_execute("BEGIN; SELECT 1")
        .await
        .unwrap();

    let (end, _) = oneshot::channel();
    std::mem::replace(&mut program.end, end)
        .send(revoked())
        .unwrap();
    let (heard, end) = last_words(program).await;

    assert_eq!((heard.severity(), heard.code().code()), ("FATAL", "57P01"));
    assert!(
        heard
            .message()
            .contains("your access from this computer was taken back")
            && heard.message().contains("TG-7002"),
        "{heard:?}"
    );
    assert!(heard.hint().is_some());
    assert_eq!(end, PortalEnd::Ended(revoked()));
    stage.sees_no_backend_of("idle").await;
    stage.sees_nothing_left();
}

#[tokio::test]
async fn a_running_query_ends_with_the_reason_and_really_ends() {
    let stage = Stage::alone("sleeper");
    let program = stage.program().await;
    let Program {
        client,
        connection,
        portal,
        end,
    } = program;
    let sleeping = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(600)").await });
    wait_until_busy(&stage, "sleeper").await;

    let begun = Instant::now();
    end.send(revoked()).unwrap();
    let error = sleeping.await.unwrap().unwrap_err();

    assert!(
        begun.elapsed() < Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
    // The library gives the last words to the query, or to the connection when that read them first.
    let connection = connection.await.unwrap().err();
    let errors = [Some(&error), connection.as_ref()];
    let heard = errors.into_iter().flatten().find_map(|e| e.as_db_error());
    let heard = heard.expect("a FATAL");
    assert_eq!(heard.code().code(), "57P01", "{heard:?}");
    assert!(heard.message().contains("TG-7002"), "{heard:?}");
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(revoked()));
    stage.sees_no_backend_of("sleeper").await;
}

#[tokio::test]
async fn code_that_catches_the_cancel_is_ended_all_the_same() {
    let stage = Stage::alone("stubborn");
    let Program {
        client,
        portal,
        end,
        connection,
    } = stage.program().await;
    let stubborn = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600); \
                    EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    let running = tokio::spawn(async move { client.batch_execute(stubborn).await });
    wait_until_busy(&stage, "stubborn").await;

    end.send(revoked()).unwrap();

    assert!(running.await.unwrap().is_err());
    assert!(connection.await.unwrap().is_err());
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(revoked()));
    stage.sees_no_backend_of("stubborn").await;
}

#[tokio::test]
async fn a_role_that_booby_trapped_its_own_defaults_is_ended_all_the_same() {
    let stage = Stage::alone("trapper");
    stage.cluster.psql(
        "nyc",
        "CREATE SCHEMA IF NOT EXISTS trap; GRANT ALL ON SCHEMA trap TO trapper; \
         CREATE OR REPLACE VIEW trap.pg_stat_activity AS SELECT 0 AS pid, now() AS backend_start; \
         ALTER ROLE trapper SET search_path = trap, pg_catalog; ALTER ROLE trapper SET statement_timeout = 1",
    );
    let Program {
        client,
        portal,
        end,
        connection,
    } = stage.program().await;
    let stubborn = "SET statement_timeout = 0; DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600); \
                    EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    let running = tokio::spawn(async move { client.simple_query(stubborn).await.map(|_| ()) });
    wait_until_busy(&stage, "trapper").await;

    end.send(revoked()).unwrap();

    assert!(running.await.unwrap().is_err());
    assert!(connection.await.unwrap().is_err());
    portal.await.unwrap();
    stage.sees_no_backend_of("trapper").await;
}

#[tokio::test]
async fn in_the_middle_of_a_big_result_whole_rows_arrive_and_then_the_reason() {
    let stage = Stage::alone("bulky");
    let (end, ended) = oneshot::channel();
    let (mut stream, portal) = stage.portal("00uana", async move { ended.await.unwrap() });
    tokio::io::AsyncWriteExt::write_all(&mut stream, &query_after_startup())
        .await
        .unwrap();
    let mut heard = vec![0; 3_000_001];
    stream.read_exact(&mut heard).await.unwrap();

    end.send(revoked()).unwrap();
    stream.read_to_end(&mut heard).await.unwrap();

    let (tags, last) = whole_messages(&heard);
    assert!(tags.contains(&b'D') && !tags.contains(&b'C'));
    let last = String::from_utf8_lossy(last).into_owned();
    assert!(
        last.starts_with('E') && last.contains("57P01") && last.contains("TG-7002"),
        "{last}"
    );
    drop(stream);
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(revoked()));
    stage.sees_no_backend_of("bulky").await;
}

#[tokio::test]
async fn a_program_that_does_not_read_cannot_delay_the_end() {
    let stage = Stage::alone("deaf");
    let (end, ended) = oneshot::channel();
    let (mut stream, portal) = stage.portal("00uana", async move { ended.await.unwrap() });
    tokio::io::AsyncWriteExt::write_all(&mut stream, &query_after_startup())
        .await
        .unwrap();
    wait_until_busy(&stage, "deaf").await;

    let begun = Instant::now();
    end.send(revoked()).unwrap();
    let ended = portal.await.unwrap();

    assert_eq!(ended, PortalEnd::Ended(revoked()));
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    stage.sees_no_backend_of("deaf").await;
}

#[tokio::test]
async fn a_program_that_vanishes_takes_its_query_with_it() {
    let stage = Stage::alone("vanisher");
    let (stream, portal) = stage.portal("00uana", pending());
    let (mut from_program, mut to_program) = tokio::io::split(stream);
    tokio::io::AsyncWriteExt::write_all(&mut to_program, &query_after_startup())
        .await
        .unwrap();
    from_program.read_exact(&mut [0; 100_000]).await.unwrap();

    drop((from_program, to_program));

    assert_eq!(portal.await.unwrap(), PortalEnd::Lost);
    stage.sees_no_backend_of("vanisher").await;
    stage.sees_nothing_left();
}

#[tokio::test]
async fn pipelined_queries_do_not_outlive_the_portal() {
    let stage = Stage::alone("piper");
    let (end, ended) = oneshot::channel();
    let (mut stream, portal) = stage.portal("00uana", async move { ended.await.unwrap() });
    let mut words = tidegate_postgres::Startup::new(tidegate_postgres::Version::V3_0)
        .with("user", "ana")
        .encode();
    (0..200).for_each(|_| words.extend(tidegate_postgres::simple_query("SELECT pg_sleep(600)")));
    stream.write_all(&words).await.unwrap();
    wait_until_busy(&stage, "piper").await;

    end.send(revoked()).unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    drop(stream);

    portal.await.unwrap();
    stage.sees_no_backend_of("piper").await;
}

#[tokio::test]
async fn what_the_database_says_at_its_own_end_is_passed_on() {
    let stage = Stage::alone("victim");
    let Program {
        connection,
        portal,
        client,
        end: _end,
    } = stage.program().await;
    let cluster = Arc::clone(&stage.cluster);

    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'victim'";
    tokio::task::spawn_blocking(move || cluster.psql("postgres", kill))
        .await
        .unwrap();
    let error = connection.await.unwrap().unwrap_err();

    let heard = error.as_db_error().unwrap();
    assert_eq!(
        heard.message(),
        "terminating connection due to administrator command"
    );
    drop(client);
    assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
}

#[tokio::test]
async fn ended_before_it_began_it_says_so() {
    let stage = Stage::new("loader");
    let (mut stream, portal) = stage.portal("00uana", async { revoked() });

    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    drop(stream);

    assert!(String::from_utf8_lossy(&heard).contains("57P01"));
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(revoked()));
}

fn query_after_startup() -> Vec<u8> {
    let mut words = tidegate_postgres::Startup::new(tidegate_postgres::Version::V3_0)
        .with("user", "ana")
        .encode();
    let query = "SELECT repeat('x', 700 + i % 500) FROM generate_series(1, 10000000) i";
    words.extend(tidegate_postgres::simple_query(query));
    words
}

/// The types of all messages in `bytes` and the last one whole; fails when they do not end at a boundary.
fn whole_messages(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut tags, mut last, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap());
        tags.push(bytes[at]);
        last = at;
        at += 1 + usize::try_from(length).unwrap();
    }
    assert_eq!(at, bytes.len(), "ends inside of a message");
    (tags, &bytes[last..])
}

/// Waits until a backend of `user` runs something.
async fn wait_until_busy(stage: &Stage, user: &'static str) {
    let cluster = Arc::clone(&stage.cluster);
    let busy = move || {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}' AND state = 'active'"
        );
        let begun = Instant::now();
        while cluster.psql("postgres", &sql) != "1" {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "never became busy"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    tokio::task::spawn_blocking(busy).await.unwrap();
}

#[tokio::test]
async fn after_the_last_call_what_runs_is_answered_what_follows_is_not_begun_and_nothing_is_left() {
    let stage = Stage::alone("finisher");
    stage.cluster.psql("nyc", "DROP TABLE IF EXISTS begun; CREATE TABLE begun (what text); GRANT ALL ON begun TO finisher");
    let Program {
        client,
        connection,
        portal,
        end: _end,
    } = stage.program().await;
    let client = Arc::new(client);
    let running = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.simple_query("SELECT pg_sleep(1), 'answered'").await }
    });
    wait_until_busy(&stage, "finisher").await;

    stage.last_call.cancel();
    let next = client.batch_execute("INSERT INTO begun VALUES ('too late')");
    let (answered, next) = tokio::join!(running, next);

    assert!(answered.unwrap().is_ok());
    let heard = next.unwrap_err().as_db_error().cloned();
    let heard = heard.or(connection
        .await
        .unwrap()
        .err()
        .and_then(|error| error.as_db_error().cloned()));
    assert!(heard.is_some_and(|heard| heard.message().contains("TG-7020")));
    let over = Problem::new(Code::GrantEnded).service(stage.service.name());
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(over));
    assert_eq!(stage.cluster.psql("nyc", "SELECT count(*) FROM begun"), "0");
    stage.cluster.psql("nyc", "DROP TABLE begun");
    stage.sees_no_backend_of("finisher").await;
    stage.sees_nothing_left();
}

#[tokio::test]
async fn after_the_last_call_what_was_sent_ahead_is_ended_with_the_first_answer() {
    let stage = Stage::alone("hurrier");
    stage.cluster.psql(
        "nyc",
        "DROP TABLE IF EXISTS ahead; CREATE TABLE ahead (what text); GRANT ALL ON ahead TO hurrier",
    );
    let (mut stream, portal) = stage.portal("00uana", std::future::pending());
    let mut words = tidegate_postgres::Startup::new(tidegate_postgres::Version::V3_0)
        .with("user", "ana")
        .encode();
    words.extend(tidegate_postgres::simple_query(
        "SELECT pg_sleep(1), 'answered'",
    ));
    let next = "INSERT INTO ahead SELECT 'ahead' FROM pg_sleep(1)";
    (0..20).for_each(|_| words.extend(tidegate_postgres::simple_query(next)));
    stream.write_all(&words).await.unwrap();
    wait_until_busy(&stage, "hurrier").await;

    stage.last_call.cancel();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    drop(stream);

    let over = Problem::new(Code::GrantEnded).service(stage.service.name());
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(over));
    stage.sees_no_backend_of("hurrier").await;
    let (tags, last) = whole_messages(&heard);
    let answers = tags.iter().filter(|tag| **tag == b'C').count();
    assert_eq!(answers, 1, "what ran was answered, and nothing after it");
    assert!(String::from_utf8_lossy(last).contains("TG-7020"));
    let done = stage.cluster.psql("nyc", "SELECT count(*) FROM ahead");
    assert_eq!(done, "0", "statements that the end did not stop");
    stage.cluster.psql("nyc", "DROP TABLE ahead");
    stage.sees_nothing_left();
}
