//! Where the login to a database comes from: environment, a mounted directory of one file a key, or a JSON file.
//! It is read again for each new connection, so a rotated password is used at once; no error ever holds a value, only its source.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use tidegate_link::settings_file::Reader;
use zeroize::Zeroizing;

mod secret_file;
pub use secret_file::SecretFault;

/// A login, as long as one connection needs it. It has no `Debug` and no `Clone`.
pub struct Login {
    pub user: Zeroizing<String>,
    pub password: Zeroizing<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
}

/// Where a login is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// Variables `<prefix>_USERNAME`, `_PASSWORD` and, when they are set, `_HOST`, `_PORT`, `_DATABASE`.
    Environment(String),
    /// Files `username`, `password` and, when they are there, `host`, `port`, `database`.
    Directory(PathBuf),
    /// `{"host", "port", "database", "username", "password"}`; the port may be a text, other keys are ignored.
    JsonFile(PathBuf),
}

/// Which source failed, and how. Never what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the login cannot be read: {place}: {fault}")]
pub struct LoginError {
    pub place: Place,
    pub fault: LoginFault,
}

/// The name of a variable or file, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Variable(String),
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// What is wrong with a source.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFault {
    #[error("it is not set")]
    NotSet,
    #[error("it is empty")]
    Empty,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it contains a zero byte")]
    ZeroByte,
    #[error("it is not the JSON object {{host, port, database, username, password}}")]
    NotTheShape,
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error(transparent)]
    File(#[from] SecretFault),
}

impl LoginSource {
    /// `None` only after a note was made.
    pub(crate) fn read(service: &mut Reader<'_>) -> Option<Self> {
        let fix = "a table [service.login] with one of env, directory or json_file";
        let Some(mut table) = service.optional_table("login") else {
            service.note("login", "it is missing", fix);
            return None;
        };
        let environment = table.text("env").map(Self::Environment);
        let directory = table.optional_path("directory").map(Self::Directory);
        let json = table.optional_path("json_file").map(Self::JsonFile);
        let mut given = [environment, directory, json].into_iter().flatten();
        let (first, second) = (given.next(), given.next());
        if first.is_none() || second.is_some() {
            let reason = if second.is_some() {
                "it names more than one source"
            } else {
                "it names no source"
            };
            table.note("", reason, "one of env, directory or json_file");
        }
        if let Some(Self::Environment(prefix)) = &first
            && !is_variable(prefix)
        {
            table.note(
                "env",
                "it is not the beginning of a variable's name",
                "for example env = \"WAREHOUSE\"",
            );
        }
        table.finish();
        first
    }

    /// The login as it is now.
    ///
    /// # Errors
    /// When a part is missing, unusable, or readable by other users. Blocks on files: call it where blocking is fine.
    pub fn load(&self) -> Result<Login, LoginError> {
        self.load_with(&|name| std::env::var_os(name))
    }

    fn load_with(
        &self,
        variable: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Login, LoginError> {
        match self {
            Self::Environment(prefix) => environment(prefix, variable),
            Self::Directory(path) => directory(path),
            Self::JsonFile(path) => json_file(path),
        }
    }
}

fn is_variable(prefix: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !prefix.is_empty() && !prefix.as_bytes()[0].is_ascii_digit() && prefix.bytes().all(word)
}

type Piece = Option<(Place, Zeroizing<String>)>;

fn environment(
    prefix: &str,
    variable: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<Login, LoginError> {
    let piece = |key: &str| -> Result<Piece, LoginError> {
        let name = format!("{prefix}_{}", key.to_ascii_uppercase());
        let Some(value) = variable(&name) else {
            return Ok(None);
        };
        let place = Place::Variable(name);
        match value.into_string() {
            Ok(text) => Ok(Some((place, Zeroizing::new(text)))),
            Err(_) => Err(LoginError {
                place,
                fault: LoginFault::NotText,
            }),
        }
    };
    let missing = |key: &str| LoginError {
        place: Place::Variable(format!("{prefix}_{}", key.to_ascii_uppercase())),
        fault: LoginFault::NotSet,
    };
    assemble(piece, missing)
}

fn directory(path: &Path) -> Result<Login, LoginError> {
    let piece = |key: &str| -> Result<Piece, LoginError> {
        let place = Place::File(path.join(key));
        let bytes = match secret_file::read(&path.join(key)) {
            Ok(bytes) => bytes,
            Err(SecretFault::Missing) => return Ok(None),
            Err(fault) => {
                return Err(LoginError {
                    place,
                    fault: fault.into(),
                });
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some((
                place,
                Zeroizing::new(without_newline(text).to_owned()),
            ))),
            Err(_) => Err(LoginError {
                place,
                fault: LoginFault::NotText,
            }),
        }
    };
    let missing = |key: &str| LoginError {
        place: Place::File(path.join(key)),
        fault: SecretFault::Missing.into(),
    };
    assemble(piece, missing)
}

/// Editors and `echo` end a file with a newline that no password has.
fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn assemble(
    piece: impl Fn(&str) -> Result<Piece, LoginError>,
    missing: impl Fn(&str) -> LoginError,
) -> Result<Login, LoginError> {
    let needed = |key: &str| match piece(key)? {
        Some((place, text)) => checked(place, text),
        None => Err(missing(key)),
    };
    let plain = |key: &str| match piece(key)? {
        Some((place, text)) => checked(place, text).map(|text| Some(text.as_str().to_owned())),
        None => Ok(None),
    };
    let port = match piece("port")? {
        Some((place, text)) => Some(port(&text).ok_or(LoginError {
            place,
            fault: LoginFault::Port,
        })?),
        None => None,
    };
    Ok(Login {
        user: needed("username")?,
        password: needed("password")?,
        host: plain("host")?,
        port,
        database: plain("database")?,
    })
}

fn checked(place: Place, text: Zeroizing<String>) -> Result<Zeroizing<String>, LoginError> {
    match fault_in(&text) {
        Some(fault) => Err(LoginError { place, fault }),
        None => Ok(text),
    }
}

fn fault_in(text: &str) -> Option<LoginFault> {
    if text.is_empty() {
        return Some(LoginFault::Empty);
    }
    text.contains('\0').then_some(LoginFault::ZeroByte)
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port != 0)
}

/// The shape in which secrets managers keep a login; `dbname` is what one of them calls the database.
#[derive(Deserialize)]
struct Shape {
    #[serde(deserialize_with = "secret")]
    username: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    host: Option<String>,
    port: Option<PortShape>,
    #[serde(alias = "dbname")]
    database: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PortShape {
    Number(u64),
    Text(String),
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

fn json_file(path: &Path) -> Result<Login, LoginError> {
    let failed = |fault| LoginError {
        place: Place::File(path.to_owned()),
        fault,
    };
    let bytes = secret_file::read(path).map_err(|fault| failed(fault.into()))?;
    // The parser's own message could quote the file: it is dropped.
    let shape: Shape =
        serde_json::from_slice(&bytes).map_err(|_| failed(LoginFault::NotTheShape))?;
    let port = match shape.port {
        None => None,
        Some(PortShape::Number(n)) => Some(
            u16::try_from(n)
                .ok()
                .filter(|n| *n != 0)
                .ok_or(failed(LoginFault::Port))?,
        ),
        Some(PortShape::Text(text)) => Some(port(&text).ok_or(failed(LoginFault::Port))?),
    };
    let texts = [
        Some(shape.username.as_str()),
        Some(shape.password.as_str()),
        shape.host.as_deref(),
        shape.database.as_deref(),
    ];
    if let Some(fault) = texts.into_iter().flatten().find_map(fault_in) {
        return Err(failed(fault));
    }
    Ok(Login {
        user: shape.username,
        password: shape.password,
        host: shape.host,
        port,
        database: shape.database,
    })
}

#[cfg(test)]
#[path = "login/tests.rs"]
mod tests;
