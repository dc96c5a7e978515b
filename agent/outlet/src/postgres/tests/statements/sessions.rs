//! What programs do, and what is recorded of it.
//! Statements come from tokio-postgres and psql, as these send them.

use super::*;

#[tokio::test]
async fn simple_prepared_and_pipelined_statements_and_errors_are_recorded() {
    let desk = recorded(PLAIN, |program| async move {
        let client = &program.client;
        client
            .simple_query("SELECT 1; SELECT 'a', NULL")
            .await
            .unwrap();
        let doubled = client.prepare("SELECT $1::int8 * 2").await.unwrap();
        let asked = [1_i64, 2, 3].map(|i| {
            let doubled = &doubled;
            async move { client.query_one(doubled, &[&i]).await.unwrap() }
        });
        future::join_all(asked).await;
        client
            .simple_query("SELECT 1/0; DROP TABLE never")
            .await
            .unwrap_err();
        drop(doubled);
        client.simple_query("SELECT 1 WHERE false").await.unwrap();
        program.leave().await;
    })
    .await;

    assert_eq!(
        desk.in_short(),
        [
            "Query SELECT 1; SELECT 'a', NULL: Done 2",
            "Parse SELECT $1::int8 * 2: Done",
            "Execute of 2: Done 1",
            "Execute of 2: Done 1",
            "Execute of 2: Done 1",
            "Query SELECT 1/0; DROP TABLE never: 22012",
            "Query SELECT 1 WHERE false: Done 0",
        ]
    );
    let startup = desk.startup();
    for told in ["database='nyc'", "application_name='tidegate:00uana'"] {
        assert!(startup.contains(told), "{startup}");
    }
    assert!(!startup.contains("user="), "{startup}");
}

#[tokio::test]
async fn copies_both_ways_are_one_statement_each_whatever_is_in_them() {
    let desk = recorded(PLAIN, |program| async move {
        let client = &program.client;
        client
            .batch_execute("CREATE TEMP TABLE lines (line text); CREATE TEMP TABLE numbers (i int)")
            .await
            .unwrap();
        let mut sink = std::pin::pin!(client.copy_in("COPY lines FROM STDIN").await.unwrap());
        for _ in 0..100 {
            sink.feed(&b"Q drop table t\n"[..]).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 100);
        let rows = client.copy_out("COPY lines TO STDOUT").await.unwrap();
        let rows: Vec<_> = rows.try_collect().await.unwrap();
        assert_eq!(rows.len(), 100);
        let mut sink = std::pin::pin!(client.copy_in("COPY numbers FROM STDIN").await.unwrap());
        sink.feed(&b"not a number\n"[..]).await.unwrap();
        let refused = sink.finish().await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "22P02");
        client.simple_query("SELECT 1").await.unwrap();
        program.leave().await;
    })
    .await;

    let shorts = desk.in_short();
    let without_parse: Vec<_> = shorts
        .iter()
        .filter(|one| !one.starts_with("Parse"))
        .collect();
    assert_eq!(
        without_parse,
        [
            "Query CREATE TEMP TABLE lines (line text); CREATE TEMP TABLE numbers (i int): Done",
            "Execute of 2: Done 100",
            "Execute of 4: Done 100",
            "Execute of 6: 22P02",
            "Query SELECT 1: Done 1",
        ],
        "{shorts:?}"
    );
}

#[tokio::test]
async fn a_cancelled_statement_and_one_cut_by_the_end_are_recorded_as_that() {
    let desk = Desk::new();
    let (stage, writer) = desk.stage(PLAIN);
    let writer = tokio::spawn(writer.run());
    let program = stage.program().await;
    let error = program
        .client
        .simple_query("SET statement_timeout = 50; SELECT pg_sleep(60)")
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57014");
    program
        .client
        .simple_query("SET statement_timeout = 0")
        .await
        .unwrap();
    let sleeping = program.client.simple_query("SELECT pg_sleep(61)");
    let end = async {
        let cluster = Arc::clone(&stage.cluster);
        let runs = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)'";
        let seen = move || while cluster.psql("postgres", runs) != "1" {};
        tokio::task::spawn_blocking(seen).await.unwrap();
        program.end.send(revoked()).unwrap();
    };

    let (slept, ()) = tokio::join!(sleeping, end);

    assert!(slept.is_err());
    assert_eq!(program.portal.await.unwrap(), PortalEnd::Ended(revoked()));
    drop(stage);
    writer.await.unwrap();
    assert_eq!(
        desk.in_short(),
        [
            "Query SET statement_timeout = 50; SELECT pg_sleep(60): 57014",
            "Query SET statement_timeout = 0: Done",
            "Query SELECT pg_sleep(61): Cut",
        ]
    );
}

#[tokio::test]
async fn psql_is_recorded_as_it_speaks() {
    let desk = Desk::new();
    let (stage, writer) = desk.stage(PLAIN);
    let writer = tokio::spawn(writer.run());
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port().to_string();
    let psql = tokio::task::spawn_blocking(move || {
        let mut psql = Command::new(binary("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-U",
            "ana",
            "-p",
            &port,
            "-d",
            "ana",
        ]);
        psql.args([
            "-c",
            "SELECT 1; SELECT 2",
            "-c",
            "COPY (SELECT 3) TO STDOUT",
            "-c",
            "SELECT nothing",
        ]);
        psql.env("PGSSLMODE", "disable")
            .env("PGGSSENCMODE", "disable")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let (mut socket, _) = door.accept().await.unwrap();
    let (mut program, portal) = stage.portal("00uana", pending());
    tokio::io::copy_bidirectional(&mut socket, &mut program)
        .await
        .unwrap();
    let said = psql.await.unwrap();
    drop((program, socket));
    portal.await.unwrap();
    drop(stage);
    writer.await.unwrap();

    assert_eq!(String::from_utf8_lossy(&said.stdout), "1\n2\n3\n");
    assert_eq!(
        desk.in_short(),
        [
            "Query SELECT 1; SELECT 2: Done 2",
            "Query COPY (SELECT 3) TO STDOUT: Done 1",
            "Query SELECT nothing: 42703",
        ]
    );
}

#[tokio::test]
async fn literals_and_parameters_are_kept_as_the_owner_says() {
    let settings = StatementSettings {
        record: TextKept::Redacted,
        parameters: ParametersKept::Values,
        ..PLAIN
    };
    let desk = recorded(settings, |program| async move {
        let client = &program.client;
        client
            .simple_query("SELECT 'her secret', 42")
            .await
            .unwrap();
        client
            .query_one("SELECT $1::text || 'another secret'", &[&"a value"])
            .await
            .unwrap();
        program.leave().await;
    })
    .await;

    let stories = desk.stories();
    assert_eq!(stories[&1].text, "SELECT ?, ?");
    assert_eq!(stories[&2].text, "SELECT $1::text || ?");
    let values = stories[&3]
        .asked
        .as_ref()
        .unwrap()
        .parameters
        .as_ref()
        .unwrap();
    assert!(values.listed[0].binary);
    assert_eq!(
        values.listed[0].value.as_deref(),
        Some("612076616c7565"),
        "a value, in hexadecimal"
    );
    assert!(!format!("{:?}", desk.events()).contains("secret"));
}
