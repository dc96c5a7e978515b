//! Programs as people have them: psql and tokio-postgres, through the inlet, the channel and the outlet to PostgreSQL.

use aws_lc_rs::digest::{SHA256, digest};
use tokio::io::AsyncReadExt as _;
use tokio_postgres::NoTls;

use super::*;

const WHO: &str = "SELECT current_user, application_name, version() ~ 'PostgreSQL' FROM pg_stat_activity \
                   WHERE pid = pg_backend_pid()";

#[tokio::test]
async fn psql_connects_with_the_connection_strings_that_people_have() {
    let (mut inlet, _database) = Inlet::real().await;

    for settings in [
        "",
        "sslmode=disable",
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
        "gssencmode=disable",
    ] {
        let mut psql = inlet.psql(settings);
        psql.args(["-c", WHO, "-c", "\\conninfo"]);
        let (out, err, code) = run(psql).await;

        assert!(
            out.starts_with("loader|tidegate:00uana|t\n"),
            "{settings}: {out} {err}"
        );
        let wants_tls = !settings.contains("disable") || settings.contains("gss");
        assert_eq!(
            out.contains("SSL connection"),
            wants_tls && !settings.contains("allow"),
            "{settings}: {out}"
        );
        assert_eq!((err.as_str(), code), ("", Some(0)), "{settings}");
        assert_eq!(inlet.next_end().await, VisitEnd::Finished);
    }
}

#[tokio::test]
async fn psql_copies_out_what_it_copied_in() {
    let (inlet, _database) = Inlet::real().await;
    let dir = tempfile::tempdir().unwrap();
    let (sent, back) = (dir.path().join("sent"), dir.path().join("back"));
    let line = |i: u32| format!("{i}\t{}\n", "tide".repeat(250));
    fs::write(&sent, (0..100_000).map(line).collect::<String>()).unwrap();

    let mut psql = inlet.psql("");
    psql.args(["-c", "CREATE TEMP TABLE bulk (i int, line text)"])
        .args(["-c", &format!("\\copy bulk FROM '{}'", sent.display())])
        .args([
            "-c",
            &format!(
                "\\copy (SELECT * FROM bulk ORDER BY i) TO '{}'",
                back.display()
            ),
        ])
        .args(["-c", "SELECT count(*) FROM bulk"]);
    let (out, err, code) = run(psql).await;

    assert_eq!(
        (out.as_str(), err.as_str(), code),
        ("100000\n", "", Some(0))
    );
    let sum = |path| digest(&SHA256, &fs::read(path).unwrap()).as_ref().to_vec();
    assert_eq!(sum(sent), sum(back));
}

#[tokio::test]
async fn psql_cancels_its_query_on_interrupt() {
    let (mut inlet, database) = Inlet::real().await;
    for settings in ["sslmode=disable", "sslmode=require"] {
        let mut psql = inlet.psql(settings);
        psql.args(["-c", "\\echo begun", "-c", "SELECT pg_sleep(60)"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = psql.spawn().unwrap();
        running.stdout.as_mut().unwrap().read_u8().await.unwrap();
        let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)' \
                        AND pid <> pg_backend_pid()";
        ends::wait_for(&database, sleepers, "1").await;

        let pid =
            rustix::process::Pid::from_raw(i32::try_from(running.id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let output = tokio::time::timeout(Duration::from_secs(5), running.wait_with_output())
            .await
            .unwrap()
            .unwrap();

        let err = String::from_utf8(output.stderr).unwrap();
        assert!(
            err.contains("canceling statement due to user request"),
            "{settings}: {err}"
        );
        assert_eq!(
            [inlet.next_end().await, inlet.next_end().await],
            [VisitEnd::Finished, VisitEnd::Finished]
        );
    }
}

#[tokio::test]
async fn tokio_postgres_works_through_the_whole_way() {
    let (mut inlet, _database) = Inlet::real().await;
    let settings = format!("host=localhost port={} user=ana dbname=nyc", inlet.port);
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    let driven = tokio::spawn(connection);

    let statement = client.prepare("SELECT $1::int4 + 1").await.unwrap();
    for i in 0..50_i32 {
        let next: i32 = client.query_one(&statement, &[&i]).await.unwrap().get(0);
        assert_eq!(next, i + 1);
    }
    assert!(client.simple_query("SELECT 1/0").await.is_err());
    let big: String = client
        .query_one("SELECT repeat('x', 5000000)", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(big.len(), 5_000_000);

    drop(client);
    driven.await.unwrap().unwrap();
    assert_eq!(inlet.next_end().await, VisitEnd::Finished);
}

#[tokio::test]
async fn python_programs_work_where_there_are_any() {
    let Some(python) = std::env::var_os("TIDEGATE_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "TIDEGATE_PYTHON has to name an interpreter with psycopg 3"
        );
        println!("not run: TIDEGATE_PYTHON names no interpreter with psycopg 3");
        return;
    };
    let (inlet, _database) = Inlet::real().await;
    let script = format!(
        "import psycopg\n\
         for mode in ('disable', 'prefer', 'require'):\n\
         \x20   with psycopg.connect('host=localhost port={} user=ana sslmode=' + mode) as c:\n\
         \x20       assert c.execute('select sum(i) from generate_series(1, %s) i', (10,)).fetchone() == (55,)\n\
         \x20       with c.pipeline():\n\
         \x20           rows = [c.execute('select %s::int', (i,)) for i in range(200)]\n\
         \x20       assert [r.fetchone()[0] for r in rows] == list(range(200))\n\
         \x20       try: c.execute('select 1/0')\n\
         \x20       except psycopg.errors.DivisionByZero: c.rollback()\n\
         \x20       with c.cursor().copy('COPY (SELECT generate_series(1, 100000)) TO STDOUT') as copy:\n\
         \x20           assert sum(len(b) for b in copy) == 588895\n\
         print('done')\n",
        inlet.port
    );

    let mut command = Command::new(python);
    command.args(["-c", &script]).stdin(Stdio::null());
    let (out, err, _) = run(command).await;

    assert_eq!((out.as_str(), err.as_str()), ("done\n", ""));
}
