//! How to write a connection down, in every form that people paste somewhere.
//! A database name comes from a catalogue and may hold anything: each form quotes it for where the line will be read, or does without, never hopes.

use std::fmt;

use crate::{ServiceKind, ServiceName};
use serde::{Deserialize, Serialize};

/// What programs say that want a user. The outlet brings its own login and looks at none of it.
const USER: &str = "tidegate";

/// A way to write a connection down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `postgresql://localhost:15432/nyc`, or `localhost:8080` for kind `tcp`.
    Url,
    /// The command to type.
    Psql,
    /// For `create_engine`, with the driver psycopg 3.
    Sqlalchemy,
    /// A notebook cell.
    Pandas,
    Jdbc,
    /// The command that opens DBeaver with this connection.
    Dbeaver,
    /// Lines of a `.env` file.
    Env,
    /// A section of `pg_service.conf`.
    PgService,
}

/// What every form is made of. No form holds a password: the outlet brings its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStrings {
    service: ServiceName,
    kind: ServiceKind,
    port: u16,
    database: Option<String>,
}

impl Form {
    /// In the order in which a person is shown them.
    pub const ALL: [Self; 8] = [
        Self::Url,
        Self::Psql,
        Self::Sqlalchemy,
        Self::Pandas,
        Self::Jdbc,
        Self::Dbeaver,
        Self::Env,
        Self::PgService,
    ];

    /// As in `tidegate dsn --as` and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Psql => "psql",
            Self::Sqlalchemy => "sqlalchemy",
            Self::Pandas => "pandas",
            Self::Jdbc => "jdbc",
            Self::Dbeaver => "dbeaver",
            Self::Env => "env",
            Self::PgService => "pg_service",
        }
    }
}

impl ConnectionStrings {
    #[must_use]
    pub fn new(
        service: &ServiceName,
        kind: ServiceKind,
        port: u16,
        database: Option<&str>,
    ) -> Self {
        Self {
            service: service.clone(),
            kind,
            port,
            database: database.map(str::to_owned),
        }
    }

    /// The text, unless this kind of service has no such form or the form has no way to say this database's name.
    #[must_use]
    pub fn get(&self, form: Form) -> Option<String> {
        match (self.kind, form) {
            (ServiceKind::Tcp, Form::Url) => Some(self.address()),
            (_, Form::Env) => Some(self.dotenv()),
            (ServiceKind::Tcp, _) => None,
            (ServiceKind::Postgres, Form::Url) => Some(self.url()),
            (ServiceKind::Postgres, Form::Psql) => Some(format!("psql {}", self.url())),
            (ServiceKind::Postgres, Form::Sqlalchemy) => Some(self.sqlalchemy()),
            (ServiceKind::Postgres, Form::Pandas) => Some(self.pandas()),
            (ServiceKind::Postgres, Form::Jdbc) => Some(self.jdbc()),
            (ServiceKind::Postgres, Form::Dbeaver) => Some(self.dbeaver()),
            (ServiceKind::Postgres, Form::PgService) => self.pg_service(self.service.as_str()),
        }
    }

    /// The forms that `get` has a text for.
    pub fn all(&self) -> impl Iterator<Item = (Form, String)> {
        let present = |form| Some((form, self.get(form)?));
        Form::ALL.into_iter().filter_map(present)
    }

    /// The line that Copy takes when nobody said which: every kind of service has one.
    #[must_use]
    pub fn url(&self) -> String {
        match self.kind {
            ServiceKind::Tcp => self.address(),
            ServiceKind::Postgres => format!("postgresql://{}", self.at()),
        }
    }

    /// Environment variables for a program, values as they are: whoever prints them must quote.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            ServiceKind::Tcp => vec![
                ("TIDEGATE_HOST", "localhost".into()),
                ("TIDEGATE_PORT", self.port.to_string()),
                ("TIDEGATE_ADDRESS", self.address()),
            ],
            ServiceKind::Postgres => {
                let database = self.database.clone().map(|name| ("PGDATABASE", name));
                let before = [
                    ("PGHOST", "localhost".into()),
                    ("PGPORT", self.port.to_string()),
                ];
                // A person's own PGSSLMODE=verify-full would look for a certificate that localhost cannot have.
                let after = [
                    ("PGUSER", USER.into()),
                    ("PGSSLMODE", "disable".into()),
                    ("DATABASE_URL", self.url()),
                ];
                before.into_iter().chain(database).chain(after).collect()
            }
        }
    }

    /// A section of `pg_service.conf` with this name: such a file has no quoting at all, so not every database name can stand there.
    #[must_use]
    pub fn pg_service(&self, section: &str) -> Option<String> {
        let database = self.database.as_deref().unwrap_or_default();
        let is_cut = database.trim() != database || database.chars().any(char::is_control);
        if self.kind != ServiceKind::Postgres || is_cut {
            return None;
        }
        let port = self.port;
        let dbname = match &self.database {
            Some(name) => format!("dbname={name}\n"),
            None => String::new(),
        };
        Some(format!(
            "[{section}]\nhost=localhost\nport={port}\n{dbname}user={USER}\nsslmode=disable\n"
        ))
    }

    fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    fn at(&self) -> String {
        let database = Encoded(self.database.as_deref().unwrap_or_default());
        format!("localhost:{}/{database}", self.port)
    }

    /// SQLAlchemy 2.0 takes the path as it is, without decoding it; a parameter it decodes.
    fn sqlalchemy(&self) -> String {
        let scheme = "postgresql+psycopg";
        match &self.database {
            Some(name) if !is_plain(name) => {
                format!(
                    "{scheme}://localhost:{}/?dbname={}",
                    self.port,
                    Encoded(name)
                )
            }
            Some(_) | None => format!("{scheme}://{}", self.at()),
        }
    }

    fn pandas(&self) -> String {
        let url = self.sqlalchemy();
        format!(
            "import pandas as pd\nfrom sqlalchemy import create_engine\n\n\
             engine = create_engine(\"{url}\")\n\
             df = pd.read_sql(\"SELECT 1 AS answer\", engine)\n"
        )
    }

    /// Without a user older drivers refuse, and without TLS they try nothing that localhost cannot prove.
    fn jdbc(&self) -> String {
        format!(
            "jdbc:postgresql://{}?user={USER}&sslmode=disable",
            self.at()
        )
    }

    /// Its parts stand between `|`, which a strange database name could hold: then the encoded URL says it.
    fn dbeaver(&self) -> String {
        let (service, port) = (&self.service, self.port);
        let place = match self.database.as_deref() {
            Some(name) if !is_plain(name) => format!("url={}", self.jdbc()),
            Some(name) => format!("host=localhost|port={port}|database={name}"),
            None => format!("host=localhost|port={port}"),
        };
        format!(
            "dbeaver -con \"driver=postgresql|{place}|user={USER}|name={service}|savePassword=true|connect=true\""
        )
    }

    fn dotenv(&self) -> String {
        let mut text = format!("# {} through Tidegate", self.service);
        for (name, value) in self.variables() {
            text += &match dotenv_value(&value) {
                Some(value) => format!("\n{name}={value}"),
                None => {
                    format!(
                        "\n# {name} holds characters that .env readers disagree about: use the URL"
                    )
                }
            };
        }
        text + "\n"
    }
}

/// True where no reader of any form sees anything but letters.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().all(plain)
}

/// A value that shells, Docker, Node and Python read the same way from a `.env` file, as far as they agree at all.
fn dotenv_value(value: &str) -> Option<String> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/%".contains(&byte);
    let has = |letters: &str| value.contains(|c: char| c.is_control() || letters.contains(c));
    if value.bytes().all(is_bare) {
        return Some(value.to_owned());
    }
    if !has("'\\") {
        return Some(format!("'{value}'"));
    }
    (!has("\"\\$`!")).then(|| format!("\"{value}\""))
}

/// One URL path segment or parameter: everything but unreserved characters is percent-encoded, so the line is safe in a shell and in a string of any language too.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    write!(f, "{}", byte as char)?;
                }
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
