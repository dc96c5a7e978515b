//! Sessions that nothing disturbs: what a program does straight at the database, it does through a portal.

use std::pin::pin;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, future};
use tidegate_postgres::{Startup, Version, simple_query};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::{AsyncMessage, NoTls, SimpleQueryMessage};

use super::*;

const MANY: &str = "SELECT repeat(md5(i::text), 32) FROM generate_series(1, 100000) i";

#[tokio::test]
async fn the_outlets_login_is_used_inside_of_tls_and_the_person_is_named() {
    let stage = Stage::new("loader");
    let program = stage.program().await;

    let row = program
        .client
        .query_one(
            "SELECT current_user::text, current_database()::text, application_name, ssl \
             FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();

    let seen: (String, String, String, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(
        seen,
        (
            "loader".into(),
            "nyc".into(),
            "tidegate:00uana".into(),
            true
        )
    );
    assert_eq!(program.leave().await, PortalEnd::Closed);
    stage.sees_nothing_left();
}

#[tokio::test]
async fn what_was_kept_of_a_password_opens_nothing_once_it_was_rotated_and_the_new_one_does() {
    let stage = Stage::alone("rotated");
    for _ in 0..2 {
        assert_eq!(stage.program().await.leave().await, PortalEnd::Closed);
    }

    stage
        .cluster
        .psql("postgres", "ALTER ROLE rotated PASSWORD 'brush'");
    let (_, end, _) = stage.refusal().await;
    let refused = Problem::new(Code::TargetLoginRefused).service(stage.service.name());
    assert_eq!(end, PortalEnd::Refused(refused), "the old one");

    fs::write(stage.login.path().join("password"), "brush").unwrap();
    for _ in 0..2 {
        assert_eq!(stage.program().await.leave().await, PortalEnd::Closed);
    }
    fs::write(stage.login.path().join("password"), "pencil").unwrap();
    let (_, end, _) = stage.refusal().await;
    assert!(matches!(end, PortalEnd::Refused(_)), "the old one again");
    stage.sees_nothing_left();
}

#[tokio::test]
async fn simple_and_extended_queries_and_errors_and_transactions_work() {
    let stage = Stage::new("loader");
    let mut program = stage.program().await;

    let messages = program
        .client
        .simple_query("SELECT 1; SELECT 'a', NULL")
        .await
        .unwrap();
    let rows = messages
        .iter()
        .filter(|message| matches!(message, SimpleQueryMessage::Row(_)))
        .count();
    assert_eq!(rows, 2);

    let statement = program.client.prepare("SELECT $1::int8 * 2").await.unwrap();
    let doubled: i64 = program
        .client
        .query_one(&statement, &[&21_i64])
        .await
        .unwrap()
        .get(0);
    assert_eq!(doubled, 42);

    let error = program.client.query("SELECT 1/0", &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22012");

    let transaction = program.client.transaction().await.unwrap();
    transaction
        .batch_execute("CREATE TEMP TABLE t (i int) ON COMMIT DROP; INSERT INTO t VALUES (7)")
        .await
        .unwrap();
    let seven: i32 = transaction
        .query_one("SELECT i FROM t", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(seven, 7);
    transaction.rollback().await.unwrap();

    assert_eq!(program.leave().await, PortalEnd::Closed);
}

#[tokio::test]
async fn a_thousand_queries_in_one_pipeline_are_answered_in_order() {
    let stage = Stage::new("loader");
    let program = stage.program().await;
    let statement = program.client.prepare("SELECT $1::int4").await.unwrap();

    let asked = (0..1000_i32).map(|i| {
        let (client, statement) = (&program.client, &statement);
        async move {
            client
                .query_one(statement, &[&i])
                .await
                .unwrap()
                .get::<_, i32>(0)
        }
    });
    let answers = future::join_all(asked).await;

    assert_eq!(answers, (0..1000).collect::<Vec<_>>());
    program.leave().await;
}

#[tokio::test]
async fn copies_100_megabytes_out_and_in_unchanged() {
    let stage = Stage::new("loader");
    let program = stage.program().await;
    let client = &program.client;
    client
        .batch_execute("CREATE TEMP TABLE bulk (line text)")
        .await
        .unwrap();

    let rows = client
        .copy_out(&format!("COPY ({MANY}) TO STDOUT"))
        .await
        .unwrap();
    let chunks: Vec<_> = rows.try_collect().await.unwrap();
    let sent: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let mut sink = pin!(client.copy_in("COPY bulk FROM STDIN").await.unwrap());
    for chunk in &chunks {
        sink.feed(chunk.clone()).await.unwrap();
    }
    let count = sink.finish().await.unwrap();

    assert_eq!((count, sent), (100_000, 102_500_000));
    let back = client.copy_out("COPY bulk TO STDOUT").await.unwrap();
    let back: Vec<_> = back.try_collect().await.unwrap();
    assert_eq!(checksum(&back), checksum(&chunks));
    let server: String = client
        .query_one(
            &format!("SELECT md5(string_agg(t.repeat, '')) FROM ({MANY}) t"),
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let stored: String = client
        .query_one("SELECT md5(string_agg(line, '')) FROM bulk", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(server, stored);
    program.leave().await;
}

fn checksum(chunks: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    chunks
        .iter()
        .for_each(|chunk| context.update(chunk.as_ref()));
    context.finish().as_ref().to_vec()
}

#[tokio::test]
async fn notifications_arrive_while_the_program_is_idle() {
    let stage = Stage::new("loader");
    let (stream, portal) = stage.portal("00uana", pending());
    let (client, mut connection) = config().connect_raw(stream, NoTls).await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::channel(1);
    let driven = tokio::spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                heard.send(notification.payload().to_owned()).await.unwrap();
            }
        }
    });
    client.batch_execute("LISTEN tide").await.unwrap();

    let cluster = Arc::clone(&stage.cluster);
    tokio::task::spawn_blocking(move || cluster.psql("nyc", "NOTIFY tide, 'it turned'"))
        .await
        .unwrap();

    assert_eq!(hears.recv().await.unwrap(), "it turned");
    drop(client);
    driven.await.unwrap();
    assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
}

#[tokio::test]
async fn an_answer_after_the_programs_last_word_is_not_lost() {
    let stage = Stage::new("loader");
    let (mut stream, portal) = stage.portal("00uana", pending());

    stream
        .write_all(&Startup::new(Version::V3_0).with("user", "ana").encode())
        .await
        .unwrap();
    stream
        .write_all(&simple_query("SELECT pg_sleep(0.3), 'late'"))
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();

    assert!(heard.windows(4).any(|four| four == b"late"));
    assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
}

#[tokio::test]
async fn a_running_query_is_cancelled_by_its_own_person_only() {
    let stage = Stage::new("loader");
    let program = stage.program().await;
    let token = program.client.cancel_token();
    let sleeping = tokio::spawn(async move {
        let error = program
            .client
            .batch_execute("SELECT pg_sleep(60)")
            .await
            .unwrap_err();
        let code = error.code().unwrap().code().to_owned();
        program.client.batch_execute("SELECT 1").await.unwrap();
        drop(program.client);
        (code, program.portal.await.unwrap())
    });

    let (foreign, portal) = stage.portal("00ubob", pending());
    token.cancel_query_raw(foreign, NoTls).await.unwrap();
    assert_eq!(portal.await.unwrap(), PortalEnd::Cancel { known: false });
    assert!(!sleeping.is_finished());
    let mut known = false;
    while !known {
        // The first may come before the query began: it cancels nothing then.
        let (own, portal) = stage.portal("00uana", pending());
        token.cancel_query_raw(own, NoTls).await.unwrap();
        known = portal.await.unwrap() == PortalEnd::Cancel { known: true };
    }

    let (code, end) = tokio::time::timeout(Duration::from_secs(5), sleeping)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((code.as_str(), end), ("57014", PortalEnd::Closed));
    stage.sees_nothing_left();
}

#[tokio::test]
async fn the_program_holds_another_cancel_key_than_the_databases() {
    let stage = Stage::new("loader");
    let (mut stream, portal) = stage.portal("00uana", pending());
    let startup = Startup::new(Version::V3_0).with("user", "ana").encode();
    let query = simple_query("SELECT 'pid=' || pg_backend_pid()");

    stream
        .write_all(&[startup, query, tidegate_postgres::terminate()].concat())
        .await
        .unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    drop(stream);

    let key = heard
        .windows(5)
        .position(|five| five == b"K\0\0\0\x0c")
        .unwrap()
        + 5;
    let pid = u32::from_be_bytes(heard[key..key + 4].try_into().unwrap());
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("pid="));
    assert!(!heard.contains(&format!("pid={pid}")));
    assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
}

#[tokio::test]
async fn the_person_cannot_connect_under_another_name() {
    for (key, value) in [
        ("options", "-c application_name=nobody"),
        ("APPLICATION_NAME", "nobody"),
        ("Application_Name", "nobody"),
    ] {
        let stage = Stage::new("loader");
        let (mut stream, portal) = stage.portal("00uana", pending());
        let startup = Startup::new(Version::V3_0)
            .with("user", "ana")
            .with(key, value)
            .encode();
        let query = simple_query("SHOW application_name");

        stream
            .write_all(&[startup, query, tidegate_postgres::terminate()].concat())
            .await
            .unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        drop(stream);

        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(
            heard.contains("tidegate:00uana") && !heard.contains("nobody"),
            "{key}: {heard}"
        );
        assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
    }
}
