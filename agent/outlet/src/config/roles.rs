//! Whether a service's sessions run under temporary roles, and what those may do.
//! The login of such a service makes the roles and ends them; no session of a person ever runs under it.

use std::time::Duration;

use tidegate_link::settings_file::Reader;

/// The longest a limit may be, in seconds.
const A_DAY: u64 = 86_400;

/// `[service.roles]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// The role whose rights sessions have. It owns what they leave behind.
    pub member_of: String,
    /// The one for grants that only read. Without it, such grants do not count here.
    pub read_only_member_of: Option<String>,
    /// A statement that runs longer is cancelled, unless the session says otherwise.
    pub statement: Option<Duration>,
    /// A transaction in which nothing happens for so long ends its session, unless that says otherwise.
    pub idle_in_transaction: Option<Duration>,
}

impl RoleSettings {
    /// `None` when sessions run under the login itself, or after a note was made.
    pub(super) fn read(service: &mut Reader<'_>) -> Option<Self> {
        let mut table = service.optional_table("roles")?;
        let member_of = group(&mut table, "member_of");
        if member_of.is_none() {
            let fix = "the role whose rights sessions get, for example member_of = \"analysts\"";
            table.note("member_of", "it is missing", fix);
        }
        let read_only_member_of = group(&mut table, "read_only_member_of");
        if read_only_member_of.is_some() && read_only_member_of == member_of {
            let reason = "it is the role that writes, too";
            table.note(
                "read_only_member_of",
                reason,
                "a role that only reads, or none",
            );
        }
        let mut seconds = |key| table.number(key, 1..=A_DAY).map(Duration::from_secs);
        let (statement, idle_in_transaction) = (
            seconds("statement_seconds"),
            seconds("idle_in_transaction_seconds"),
        );
        table.finish();
        Some(Self {
            member_of: member_of?,
            read_only_member_of,
            statement,
            idle_in_transaction,
        })
    }

    /// The role whose rights a session gets.
    pub(crate) fn group(&self, read_only: bool) -> &str {
        match &self.read_only_member_of {
            Some(group) if read_only => group,
            _ => &self.member_of,
        }
    }
}

fn group(table: &mut Reader<'_>, key: &str) -> Option<String> {
    let name = table.text(key)?;
    if name.is_empty() || name.len() > 63 || name.starts_with("pg_") || name == "none" {
        let fix = "a role of your own, of at most 63 bytes";
        table.note(key, "no role of yours can have that name", fix);
    }
    Some(name)
}
