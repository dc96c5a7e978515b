//! Sessions under temporary roles.

use tidegate_proto::rehearsal::granted;

use super::*;
use crate::postgres::tests::Program;
use crate::postgres::{Fault, PortalEnd, RoleFault};

/// Longer than a role waits for the next session.
const LINGERED: Duration = Duration::from_secs(13);

async fn one(program: &Program, sql: &str) -> String {
    let row = program.client.query_one(sql, &[]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_session_is_somebody_of_its_own_with_the_rights_of_the_group_and_leaves_nothing() {
    let desk = Desk::new(&Cluster::shared(), "alone");
    let program = desk.stage.program_with(granted(1, false)).await;

    let role = desk.made();
    let who = one(&program, "SELECT session_user || ' ' || current_user").await;
    assert_eq!(who, format!("{role} alone_writers"));
    let limit = one(&program, "SELECT current_setting('statement_timeout')").await;
    assert_eq!(limit, "1min");
    for sql in [
        "INSERT INTO alone_flights VALUES (2)",
        "CREATE TABLE alone_mine AS SELECT 7 AS n",
        "SET ROLE NONE; CREATE TABLE alone_own (n int); GRANT SELECT ON alone_own TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; SELECT lo_create(0)",
    ] {
        program.client.batch_execute(sql).await.unwrap();
    }
    let bounded = desk.psql(&format!(
        "SELECT rolcanlogin AND rolvaliduntil BETWEEN now() AND now() + interval '1 day' FROM pg_roles WHERE rolname = '{role}'"
    ));
    assert_eq!(bounded, "t");

    let ended = program.cut().await;

    assert!(matches!(ended, PortalEnd::Ended(_)), "{ended:?}");
    desk.sees_nothing_left(Duration::from_secs(3)).await;
    let owners = desk.psql(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('alone_mine', 'alone_own')",
    );
    assert_eq!(
        owners, "alone_writers",
        "what was made stays, as the group's"
    );
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_grant_that_only_reads_is_held_to_it_by_the_database() {
    let desk = Desk::new(&Cluster::shared(), "looker");
    let program = desk.stage.program_with(granted(1, true)).await;

    let read = one(&program, "SELECT flight::text FROM looker_flights").await;
    assert_eq!(read, "1");
    for sql in [
        "INSERT INTO looker_flights VALUES (2)",
        "BEGIN READ WRITE; INSERT INTO looker_flights VALUES (2)",
        "SET default_transaction_read_only TO off; SET ROLE NONE; INSERT INTO looker_flights VALUES (2)",
        "SET ROLE looker_writers",
        "SET ROLE looker_maker",
        "CREATE ROLE mine LOGIN",
    ] {
        let error = program.client.batch_execute(sql).await.unwrap_err();
        let code = error.code().unwrap().code().to_owned();
        assert!(["25006", "42501"].contains(&&*code), "{sql}: {error}");
        for back in ["ROLLBACK", "RESET ALL", "RESET ROLE"] {
            program.client.batch_execute(back).await.unwrap();
        }
    }
    program.cut().await;
    desk.sees_nothing_left(Duration::from_secs(3)).await;
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn sessions_on_one_grant_share_a_role_which_waits_a_moment_for_the_next() {
    let desk = Desk::new(&Cluster::shared(), "shared");
    let first = desk.stage.program_with(granted(1, false)).await;
    let role = desk.made();
    let second = desk.stage.program_with(granted(2, false)).await;
    let standing = desk.stage.program().await;

    assert_eq!(one(&second, "SELECT session_user::text").await, role);
    assert_ne!(one(&standing, "SELECT session_user::text").await, role);
    first.leave().await;
    second.leave().await;
    let third = desk.stage.program_with(granted(3, false)).await;
    assert_eq!(one(&third, "SELECT session_user::text").await, role);
    third.leave().await;
    assert!(desk.made().contains(&role));
    standing.leave().await;

    desk.sees_nothing_left(LINGERED).await;
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_password_that_a_person_gave_their_role_is_replaced_as_soon_as_somebody_logs_in() {
    let desk = Desk::new(&Cluster::shared(), "chosen");
    let first = desk.stage.program_with(granted(1, false)).await;
    let role = desk.made();
    let chosen = format!("SET ROLE NONE; ALTER ROLE {role} PASSWORD 'mine'");
    first.client.batch_execute(&chosen).await.unwrap();
    let known = || {
        desk.psql(&format!(
            "SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"
        ))
    };
    let theirs = known();

    let (_, end, _) = desk.stage.refusal_of(granted(2, false)).await;
    assert!(matches!(end, PortalEnd::Refused(_)), "{end:?}");
    let begun = Instant::now();
    while known() == theirs {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still counts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let second = desk.stage.program_with(granted(3, false)).await;
    assert_eq!(one(&second, "SELECT session_user::text").await, role);
    assert_eq!(one(&first, "SELECT session_user::text").await, role);
    first.leave().await;
    second.cut().await;
    desk.sees_nothing_left(Duration::from_secs(3)).await;
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_no_next_session() {
    let desk = Desk::new(&Cluster::shared(), "stopping");
    desk.stage
        .program_with(granted(1, false))
        .await
        .leave()
        .await;
    assert!(!desk.made().is_empty());

    desk.roles().shutdown().await;

    desk.sees_nothing_left(Duration::ZERO).await;
}

#[tokio::test]
async fn a_group_may_be_called_whatever_postgresql_allows() {
    let mut desk = Desk::new(&Cluster::shared(), "quoted");
    let odd = r#"it's "odd" \ ☃ --"#;
    desk.psql(&format!(
        r#"ALTER ROLE quoted_writers RENAME TO "{}""#,
        odd.replace('"', "\"\"")
    ));
    let mut target = desk.stage.service.target().clone();
    if let Some(roles) = &mut target.roles {
        roles.member_of = odd.to_owned();
    }
    let name = desk.stage.service.name().clone();
    desk.stage.service = Arc::new(PostgresService::new(name, target));
    desk.restart();

    let program = desk.stage.program_with(granted(1, false)).await;
    assert_eq!(one(&program, "SELECT current_user::text").await, odd);
    let made = "CREATE TABLE quoted_mine AS SELECT 7 AS n";
    program.client.batch_execute(made).await.unwrap();
    program.cut().await;

    desk.sees_nothing_left(Duration::from_secs(3)).await;
    let owner = desk.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'quoted_mine'");
    assert_eq!(owner, odd);
    desk.roles().shutdown().await;
}

/// What a program hears, and what the owner's doctor is told.
async fn refused(desk: &Desk) -> (String, RoleFault) {
    let (heard, end, took) = desk.stage.refusal().await;
    assert!(matches!(end, PortalEnd::Refused(_)), "{end:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let sick = desk.stage.service.examine(crate::doctor::look()).await;
    match sick.err().map(|sick| sick.fault) {
        Some(Fault::Role(fault)) => (heard.message().to_owned(), fault),
        other => panic!("it is about roles: {other:?}"),
    }
}

#[tokio::test]
async fn what_the_database_does_not_allow_is_told_and_nothing_is_left() {
    let desk = Desk::new(&Cluster::shared(), "poor");
    let group = || "poor_writers".to_owned();
    for (change, back, fault) in [
        (
            "ALTER ROLE poor_maker NOCREATEROLE",
            "ALTER ROLE poor_maker CREATEROLE",
            RoleFault::MayNotMake,
        ),
        (
            "ALTER ROLE poor_writers LOGIN",
            "ALTER ROLE poor_writers NOLOGIN",
            RoleFault::GroupMayLogIn(group()),
        ),
        (
            "ALTER ROLE poor_writers CREATEROLE",
            "ALTER ROLE poor_writers NOCREATEROLE",
            RoleFault::GroupTooStrong(group()),
        ),
        (
            "GRANT loader TO poor_writers",
            "REVOKE loader FROM poor_writers",
            RoleFault::GroupMayLogIn(group()),
        ),
        (
            "GRANT pg_execute_server_program TO poor_writers",
            "REVOKE pg_execute_server_program FROM poor_writers",
            RoleFault::GroupTooStrong(group()),
        ),
        (
            "GRANT poor_writers TO poor_readers",
            "REVOKE poor_writers FROM poor_readers",
            RoleFault::ReadersWrite("poor_readers".to_owned(), group()),
        ),
        (
            "REVOKE poor_writers FROM poor_maker",
            "GRANT poor_writers TO poor_maker WITH ADMIN OPTION",
            RoleFault::NotMember(group()),
        ),
        (
            "ALTER ROLE poor_writers RENAME TO elsewhere",
            "ALTER ROLE elsewhere RENAME TO poor_writers",
            RoleFault::NoGroup(group()),
        ),
    ] {
        desk.psql(change);
        let (heard, found) = refused(&desk).await;
        assert!(heard.contains("TG-5012"), "{change}: {heard}");
        assert_eq!(found, fault, "{change}");
        desk.psql(back);
        desk.sees_nothing_left(Duration::from_secs(3)).await;
    }
    desk.stage.program().await.leave().await;
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_role_of_the_same_name_that_nobody_made_is_left_alone() {
    let desk = Desk::new(&Cluster::shared(), "squatter");
    let name = desk.roles().0.prefix.name(&granted(1, false));
    desk.psql(&format!("CREATE ROLE {name} LOGIN"));

    let answer = desk.roles().lease(&granted(1, false)).await;

    assert_eq!(answer.err(), Some(RoleFault::NotOurs(name.clone()).into()));
    assert_eq!(desk.made(), name.as_str());
    desk.psql(&format!("DROP ROLE {name}"));
    desk.sees_nothing_left(Duration::from_secs(5)).await;
    desk.roles().shutdown().await;
}
