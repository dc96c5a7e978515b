//! What the database is asked for: a role is looked at, made, and cleared away with all that hangs on it.
//! The statements of one question are one transaction: whoever reads them alone would miss that they are done all or none.

use std::time::Duration;

use jiff::Timestamp;
use tidegate_postgres::{Row, escape_identifier, escape_literal};
use tidegate_proto::time::UnixTime;
use tokio::time::{Instant, sleep};

use super::RoleFault;
use super::journal::{Prefix, RoleName};
use super::role::Wanted;
use crate::config::RoleSettings;
use crate::postgres::fault::Fault;
use crate::postgres::visit::Visit;

/// How long sessions that were ended may take to go.
const ENDING: Duration = Duration::from_secs(5);
const LOOKS: Duration = Duration::from_millis(20);
/// Begins the comment on each role that an outlet made.
const MARK: &str = "Tidegate: ";

/// Whether the login can make roles that are members of `group`, and whether anybody should have the rights of that group and of
/// all that it is a member of: a session can become any of them.
pub(super) async fn fits(visit: &mut Visit, group: &str) -> Result<(), Fault> {
    let sql = format!(
        "SELECT g.rolcanlogin OR EXISTS (SELECT FROM pg_roles r WHERE r.rolcanlogin AND pg_has_role(g.oid, r.oid, 'MEMBER')), \
           EXISTS (SELECT FROM pg_roles r WHERE pg_has_role(g.oid, r.oid, 'MEMBER') \
             AND (r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls OR r.rolname IN \
               ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))), \
           pg_has_role(me.oid, g.oid, 'MEMBER'), me.rolcreaterole OR me.rolsuper \
         FROM pg_roles me LEFT JOIN pg_roles g ON g.rolname = {} WHERE me.rolname = current_user",
        escape_literal(group),
    );
    let rows = visit.ask(&sql).await?;
    let group = || group.to_owned();
    let says = |column| rows.first().is_some_and(|row| is_true(row, column));
    let is_there = rows
        .first()
        .is_some_and(|row| row.first().is_some_and(Option::is_some));
    let fault = match () {
        () if !says(3) => RoleFault::MayNotMake,
        () if !is_there => RoleFault::NoGroup(group()),
        () if says(1) => RoleFault::GroupTooStrong(group()),
        () if says(0) => RoleFault::GroupMayLogIn(group()),
        () if !says(2) => RoleFault::NotMember(group()),
        () => return Ok(()),
    };
    Err(fault.into())
}

/// Whether members of `readers` cannot become `writers`.
pub(super) async fn is_apart(visit: &mut Visit, readers: &str, writers: &str) -> Result<(), Fault> {
    let sql = format!(
        "SELECT pg_has_role({}, {}, 'MEMBER')",
        escape_literal(readers),
        escape_literal(writers),
    );
    match visit.ask(&sql).await?.first() {
        Some(row) if is_true(row, 0) => {
            Err(RoleFault::ReadersWrite(readers.to_owned(), writers.to_owned()).into())
        }
        _ => Ok(()),
    }
}

/// Makes the role, whole or not at all.
pub(super) async fn make(
    visit: &mut Visit,
    name: &RoleName,
    (wanted, settings): (&Wanted, &RoleSettings),
    verifier: &str,
) -> Result<(), Fault> {
    let (role, group) = (name.as_str(), settings.group(wanted.read_only));
    let mut sql = format!(
        "CREATE ROLE {role} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {} {} IN ROLE {}; \
         GRANT {role} TO CURRENT_USER; COMMENT ON ROLE {role} IS {}; ALTER ROLE {role} SET role TO {};",
        escape_literal(verifier),
        valid_until(wanted.until),
        escape_identifier(group),
        escape_literal(&format!(
            "{MARK}{}, gone when their access ends",
            wanted.who
        )),
        escape_literal(group),
    );
    let read_only = wanted
        .read_only
        .then_some(("default_transaction_read_only", "on".to_owned()));
    let millis = |limit: Option<Duration>| limit.map(|limit| limit.as_millis().to_string());
    let statement = millis(settings.statement).map(|limit| ("statement_timeout", limit));
    let idle = millis(settings.idle_in_transaction);
    let idle = idle.map(|limit| ("idle_in_transaction_session_timeout", limit));
    for (setting, value) in [read_only, statement, idle].into_iter().flatten() {
        sql.push_str(&format!(" ALTER ROLE {role} SET {setting} TO '{value}';"));
    }
    visit.ask(&sql).await.map(drop)
}

/// Lets whoever knows its password log in until then.
pub(super) async fn extend(
    visit: &mut Visit,
    name: &RoleName,
    until: UnixTime,
) -> Result<(), Fault> {
    let sql = format!("ALTER ROLE {name} {}", valid_until(until));
    visit.ask(&sql).await.map(drop)
}

/// Gives it another password, and lets whoever knows it log in until then.
pub(super) async fn renew(
    visit: &mut Visit,
    name: &RoleName,
    verifier: &str,
    until: UnixTime,
) -> Result<(), Fault> {
    let (verifier, until) = (escape_literal(verifier), valid_until(until));
    let sql = format!("ALTER ROLE {name} PASSWORD {verifier} {until}");
    visit.ask(&sql).await.map(drop)
}

/// The roles of this outlet that are there.
pub(super) async fn found(visit: &mut Visit, prefix: &Prefix) -> Result<Vec<RoleName>, Fault> {
    let sql = format!(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, {})",
        escape_literal(prefix.as_str()),
    );
    let rows = visit.ask(&sql).await?;
    let names = rows.iter().filter_map(|row| row.first()?.as_deref());
    Ok(names.filter_map(|name| prefix.known(name)).collect())
}

/// Whether a role of that name is there; an error when it is, and is nobody's that an outlet made.
pub(super) async fn is_there(visit: &mut Visit, name: &RoleName) -> Result<bool, Fault> {
    let sql = format!(
        "SELECT starts_with(shobj_description(oid, 'pg_authid'), '{MARK}') FROM pg_roles WHERE rolname = '{name}'",
    );
    match visit.ask(&sql).await?.first() {
        None => Ok(false),
        Some(row) if is_true(row, 0) => Ok(true),
        Some(_) => Err(RoleFault::NotOurs(name.clone()).into()),
    }
}

/// Nobody logs in with it any more, and who did is out.
pub(super) async fn close(visit: &mut Visit, name: &RoleName) -> Result<(), Fault> {
    visit.ask(&format!("ALTER ROLE {name} NOLOGIN")).await?;
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'");
    let begun = Instant::now();
    while !visit.ask(&end).await?.is_empty() {
        if begun.elapsed() > ENDING {
            return Err(RoleFault::SessionsStay(name.clone()).into());
        }
        sleep(LOOKS).await;
    }
    Ok(())
}

/// The databases in which something is the role's, or it was given rights.
pub(super) async fn hangs_on(visit: &mut Visit, name: &RoleName) -> Result<Vec<String>, Fault> {
    let sql = format!(
        "SELECT DISTINCT coalesce(d.datname, current_database()) FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid \
         WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = '{name}'::regrole",
    );
    let rows = visit.ask(&sql).await?;
    Ok(rows.into_iter().filter_map(|mut row| row.pop()?).collect())
}

/// What the role owns in this database goes to `group`, and its rights there go. Both or neither: rights alone would take what it
/// owns with them.
pub(super) async fn hand_over(
    visit: &mut Visit,
    name: &RoleName,
    group: &str,
) -> Result<(), Fault> {
    let group = escape_identifier(group);
    // Who gives up here closes the connection, and a backend that waits for a lock would not notice.
    let sql = format!(
        "SET lock_timeout TO '5s'; REASSIGN OWNED BY {name} TO {group}; DROP OWNED BY {name}"
    );
    visit.ask(&sql).await.map(drop)
}

/// Drops it, and looks whether it is gone.
pub(super) async fn drop_role(visit: &mut Visit, name: &RoleName) -> Result<(), Fault> {
    visit.ask(&format!("DROP ROLE {name}")).await?;
    if is_there(visit, name).await? {
        return Err(RoleFault::Stays(name.clone()).into());
    }
    Ok(())
}

fn valid_until(until: UnixTime) -> String {
    let seconds = i64::try_from(until.0).unwrap_or(i64::MAX);
    format!(
        "VALID UNTIL '{}'",
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    )
}

fn is_true(row: &Row, column: usize) -> bool {
    row.get(column)
        .is_some_and(|value| value.as_deref() == Some("t"))
}
