//! Databases that cannot be had: the program reads a sentence, soon, and nothing the database said.

use std::fs;

use tidegate_postgres::{Accepts, Startup, StartupError, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::target_tls::{TargetTls, Trust};

/// The promise.
const SOON: Duration = Duration::from_millis(250);
/// Of which the middle one is held to it.
const TRIES: usize = 5;
/// The slowest of them: a machine may be busy, and nothing may hang.
const NEVER_HANGS: Duration = Duration::from_secs(2);

async fn refused_with(stage: &Stage, code: Code, state: &str) {
    let mut took = Vec::new();
    // The machine may be busy once, the outlet is slow every time; what is said has to be right every time.
    for _ in 0..TRIES {
        let (heard, end, lasted) = stage.refusal().await;
        let problem = Problem::new(code).service(stage.service.name());
        assert_eq!(end, PortalEnd::Refused(problem), "{heard:?}");
        assert_eq!((heard.severity(), heard.code().code()), ("FATAL", state));
        assert!(heard.message().ends_with(&format!("({code})")), "{heard:?}");
        assert!(heard.hint().is_some_and(|hint| hint.ends_with('.')));
        took.push(lasted);
    }
    took.sort();
    assert!(took[TRIES / 2] < SOON, "took {took:?}");
    assert!(took[TRIES - 1] < NEVER_HANGS, "took {took:?}");
    let ready = stage.service.ready().await;
    let looked = stage
        .service
        .look(permit("00uana", 2, Purpose::Probe), ready);
    assert_eq!(looked.await.is_ok(), code == Code::DatabaseNotOffered);
    stage.sees_nothing_left();
}

#[tokio::test]
async fn a_closed_port() {
    let stage = Stage::with("loader", "pencil", |target| {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        target.address = Some(format!("localhost:{free}").parse().unwrap());
    });

    refused_with(&stage, Code::TargetClosed, "08001").await;
}

#[tokio::test]
async fn a_certificate_of_another_ca() {
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let dir = crate::testing::private_dir();
    let path = dir.path().join("other.pem");
    fs::write(&path, other.cert.pem()).unwrap();
    let stage = Stage::with("loader", "pencil", |target| {
        target.tls = TargetTls::Verified {
            trust: Trust::File(path),
            server_name: None,
        };
    });

    refused_with(&stage, Code::TargetNotTrusted, "08001").await;
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let stage = Stage::with("loader", "pencil", |target| {
        let TargetTls::Verified { server_name, .. } = &mut target.tls else {
            unreachable!()
        };
        *server_name = Some("db.example".to_owned());
    });

    refused_with(&stage, Code::TargetNotTrusted, "08001").await;
}

#[tokio::test]
async fn a_wrong_password() {
    refused_with(
        &Stage::with("loader", "pen", |_| ()),
        Code::TargetLoginRefused,
        "08001",
    )
    .await;
}

#[tokio::test]
async fn a_role_that_is_not_there_looks_like_a_wrong_password() {
    refused_with(
        &Stage::with("nobody", "pencil", |_| ()),
        Code::TargetLoginRefused,
        "08001",
    )
    .await;
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    let stage = Stage::with("loader", "pencil", |target| {
        target.database = Some("gone".into())
    });

    refused_with(&stage, Code::DatabaseMissing, "3D000").await;
}

#[tokio::test]
async fn too_many_connections() {
    refused_with(&Stage::new("crowded"), Code::TooManyConnections, "53300").await;
}

#[tokio::test]
async fn a_server_that_trusts_anybody_is_not_trusted() {
    refused_with(&Stage::new("trusting"), Code::TargetNotTrusted, "08001").await;
}

#[tokio::test]
async fn a_server_that_wants_less_than_scram_gets_nothing() {
    refused_with(&Stage::new("by_md5"), Code::TargetNotTrusted, "08001").await;
    refused_with(&Stage::new("in_clear"), Code::TargetNotTrusted, "08001").await;
}

#[tokio::test]
async fn weaker_ways_in_work_where_the_owner_accepts_them() {
    for user in ["trusting", "by_md5", "in_clear"] {
        let all = Accepts {
            trust: true,
            md5: true,
            cleartext_in_tls: true,
        };
        let stage = Stage::with(user, "pencil", |target| target.accepts = all);

        let program = stage.program().await;
        assert_eq!(program.leave().await, PortalEnd::Closed, "{user}");
    }
}

#[tokio::test]
async fn without_tls_only_on_this_computer_and_never_with_the_password_in_clear() {
    let stage = Stage::with("loader", "pencil", |target| target.tls = TargetTls::Off);
    let program = stage.program().await;
    let ssl: bool = program
        .client
        .query_one(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(!ssl);
    program.leave().await;

    let accepts = Accepts {
        cleartext_in_tls: true,
        ..Accepts::default()
    };
    let stage = Stage::with("in_clear", "pencil", |target| {
        (target.tls, target.accepts) = (TargetTls::Off, accepts);
    });
    refused_with(&stage, Code::TargetNotTrusted, "08001").await;

    let stage = Stage::with("loader", "pencil", |target| {
        (target.tls, target.address) = (TargetTls::Off, Some("192.0.2.1:5432".parse().unwrap()));
    });
    refused_with(&stage, Code::TargetNotTrusted, "08001").await;
}

#[tokio::test]
async fn a_login_that_cannot_be_read() {
    let stage = Stage::new("loader");
    fs::remove_file(stage.login.path().join("password")).unwrap();

    refused_with(&stage, Code::TargetLoginMissing, "08001").await;
}

#[tokio::test]
async fn something_that_is_no_database() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let stage = Stage::with("loader", "pencil", |target| {
        target.address = Some(format!("localhost:{port}").parse().unwrap());
    });

    refused_with(&stage, Code::TargetSpeaksOtherwise, "08001").await;
    answering.abort();
}

#[tokio::test]
async fn another_database_than_the_services() {
    let stage = Stage::new("loader");
    let (stream, portal) = stage.portal("00uana", pending());

    let error = config()
        .dbname("other")
        .connect_raw(stream, NoTls)
        .await
        .err()
        .unwrap();

    assert_eq!(error.code().unwrap().code(), "3D000");
    let problem = Problem::new(Code::DatabaseNotOffered).service(stage.service.name());
    assert_eq!(portal.await.unwrap(), PortalEnd::Refused(problem));
}

#[tokio::test]
async fn the_services_own_database_or_the_users_name_is_no_other_database() {
    for name in ["nyc", "ana", ""] {
        let stage = Stage::new("loader");
        let (stream, _portal) = stage.portal("00uana", pending());
        let (client, connection) = config()
            .dbname(name)
            .connect_raw(stream, NoTls)
            .await
            .unwrap();
        let driven = tokio::spawn(drive(connection));

        let database: String = client
            .query_one("SELECT current_database()::text", &[])
            .await
            .unwrap()
            .get(0);

        assert_eq!(database, "nyc");
        drop(client);
        driven.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn another_database_where_the_owner_offers_them_all() {
    let stage = Stage::with("loader", "pencil", |target| target.any_database = true);
    let (stream, _portal) = stage.portal("00uana", pending());
    let (client, connection) = config()
        .dbname("other")
        .connect_raw(stream, NoTls)
        .await
        .unwrap();
    let driven = tokio::spawn(drive(connection));

    let database: String = client
        .query_one("SELECT current_database()::text", &[])
        .await
        .unwrap()
        .get(0);

    assert_eq!(database, "other");
    drop(client);
    driven.await.unwrap().unwrap();
}

#[tokio::test]
async fn replication_and_long_startups_are_refused_and_nonsense_gets_silence() {
    let stage = Stage::new("loader");
    let replication = Startup::new(Version::V3_0)
        .with("user", "ana")
        .with("replication", "database")
        .encode();
    let cases: [(&[u8], bool); 5] = [
        (&replication, true),
        (b"GET / HTTP/1.1\r\nHost: localhost:15432\r\n\r\n", false),
        (&[0, 0, 0, 4], false),
        (&[0, 0, 78, 32], true),
        (&[255, 255, 255, 255], false),
    ];
    for (first, answered) in cases {
        let (mut stream, portal) = stage.portal("00uana", pending());
        stream.write_all(first).await.unwrap();

        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        drop(stream);

        assert_eq!(!heard.is_empty(), answered, "{heard:?}");
        assert!(matches!(portal.await.unwrap(), PortalEnd::Refused(_)));
    }
    let said = tidegate_postgres::OpeningError::Startup(StartupError::Replication)
        .report()
        .unwrap();
    assert!(said.message.contains("replication"));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_says_nothing_is_let_go() {
    let stage = Stage::new("loader");
    let (stream, portal) = stage.portal("00uana", pending());

    assert_eq!(portal.await.unwrap(), PortalEnd::Lost);
    drop(stream);
}
