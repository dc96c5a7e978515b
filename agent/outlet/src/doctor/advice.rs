//! What an owner can do about a database that does not let the outlet in: the line of pg_hba.conf, the GRANT, the file.
//! People at their laptops never read these: they are told only that the owner must act.

use tidegate_postgres::LoginFault;
use tidegate_proto::check::Check;

use super::files::capital;
use crate::dial::DialError;
use crate::postgres::{Fault, RoleFault, Sick};

const NAME: &str = "database";

pub(super) fn of_dial(error: DialError, address: &str) -> Check {
    let fix = match error {
        DialError::Unresolved => "Correct `target`, or the resolver of this host.",
        DialError::Forbidden => "Name the address of the service itself.",
        DialError::PlainAway => {
            "Turn TLS on for this service; without it only localhost is reached."
        }
        DialError::Closed(_) => {
            "Check that the service runs and listens there; for PostgreSQL, `listen_addresses` and `port`."
        }
        DialError::Silent => "A firewall swallows it: let this host through to that port.",
    };
    Check::fail("target", &capital(&format!("{error}.")), fix).about(address)
}

/// Every fault with the line to write, as far as it can be known.
pub(super) fn of_database(sick: &Sick) -> Check {
    let Sick {
        fault,
        user,
        database,
        address,
    } = sick;
    let (user, name) = (quoted(user), quoted(database));
    let fix = match fault {
        Fault::NoLogin(_) => {
            "Correct `[service.login]`, and let this user read its source.".to_owned()
        }
        Fault::NoAddress => "Add `target = \"host:5432\"` to the service.".into(),
        Fault::Dial(error) => return of_dial(*error, address),
        Fault::NoTrust(_) => "Correct `ca_file` in `[service.tls]`.".into(),
        Fault::NotTrusted => format!(
            "Name the CA that signed the server's certificate with `ca_file`, and the name in it with `server_name`; look with: openssl s_client -starttls postgres -connect {address}"
        ),
        Fault::Silent => {
            "The server took the connection and says nothing: look into its log.".into()
        }
        Fault::Io(_) => "The server closed the connection: look into its log.".into(),
        Fault::Login(fault) => of_login(*fault, &user, &name),
        Fault::TooMany
        | Fault::OtherDatabase
        | Fault::LongStartup
        | Fault::NotRecorded
        | Fault::Unreadable => "Look into the outlet's log.".into(),
        Fault::Refused(_) => "The server's log has the reason beside this SQLSTATE.".into(),
        Fault::Role(fault) => of_role(fault, &user),
    };
    Check::fail(NAME, &capital(&format!("{fault}.")), &fix)
}

fn of_login(fault: LoginFault, user: &str, database: &str) -> String {
    match fault {
        LoginFault::NoTls => {
            "Turn TLS on at the server: `ssl = on` with a certificate in postgresql.conf.".into()
        }
        LoginFault::Cleartext | LoginFault::Md5 | LoginFault::Trusting => format!(
            "In pg_hba.conf use: hostssl {database} {user} <this host>/32 scram-sha-256; then set the password anew with `password_encryption = 'scram-sha-256'`, or allow the weaker way under `[service.accept]`."
        ),
        LoginFault::Refused(state) => match state.to_string().as_str() {
            "28P01" => format!(
                "Role or password is wrong: ALTER ROLE {user} PASSWORD '…', and put the same into the login's source."
            ),
            "28000" => format!(
                "Add to pg_hba.conf: hostssl {database} {user} <this host>/32 scram-sha-256; and see that the role may log in: ALTER ROLE {user} LOGIN."
            ),
            "3D000" => format!(
                "There is no such database: CREATE DATABASE {database}, or correct `database`."
            ),
            "42501" => format!("GRANT CONNECT ON DATABASE {database} TO {user};"),
            "53300" => format!(
                "No connection is left: raise max_connections, or ALTER ROLE {user} CONNECTION LIMIT -1."
            ),
            "57P03" => "The server is starting or stopping: try again.".into(),
            _ => "The server's log has the reason beside this SQLSTATE.".into(),
        },
        LoginFault::UnknownMethod => format!("In pg_hba.conf let {user} in by scram-sha-256."),
        LoginFault::ServerUnproven | LoginFault::BytesBeforeTls | LoginFault::Nonsense => {
            "Whoever answers there is not the database that was meant: check `target`.".into()
        }
    }
}

/// What the owner says at the database, so that roles can be made there and nobody gets more than they should.
fn of_role(fault: &RoleFault, login: &str) -> String {
    match fault {
        RoleFault::MayNotMake => format!("ALTER ROLE {login} CREATEROLE;"),
        RoleFault::NoGroup(group) => format!(
            "CREATE ROLE {0} NOLOGIN; then GRANT it what people may do, and GRANT {0} TO {login} WITH ADMIN OPTION; or correct `[service.roles]`.",
            quoted(group)
        ),
        RoleFault::GroupMayLogIn(group) => format!(
            "ALTER ROLE {0} NOLOGIN; and REVOKE from {0} every role that can log in.",
            quoted(group)
        ),
        RoleFault::GroupTooStrong(group) => format!(
            "ALTER ROLE {0} NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS; and REVOKE from it every role that may more, {login} too.",
            quoted(group)
        ),
        RoleFault::NotMember(group) => {
            format!("GRANT {} TO {login} WITH ADMIN OPTION;", quoted(group))
        }
        RoleFault::ReadersWrite(readers, writers) => format!(
            "REVOKE {} FROM {}; or name a role that only reads as `read_only_member_of`.",
            quoted(writers),
            quoted(readers)
        ),
        RoleFault::NotOurs(role) => format!(
            "See whose it is, and drop it: SELECT shobj_description('{role}'::regrole, 'pg_authid');"
        ),
        RoleFault::SessionsStay(role) => format!(
            "End them: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}';"
        ),
        RoleFault::Stays(role) => format!("As a superuser: DROP ROLE {role};"),
        RoleFault::NotKept => "Make room in the outlet's data directory.".into(),
    }
}

/// A name as SQL and pg_hba.conf take it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
