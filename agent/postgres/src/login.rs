//! The outlet logs in at the database, with a login that never leaves the outlet.
//! A server that asks for less than SCRAM may be an impostor after the password: it gets nothing.

use std::sync::Arc;

use postgres_protocol::authentication::md5_hash;
use zeroize::Zeroizing;

use crate::cancel::BackendKey;
use crate::keys::KeptKeys;
use crate::message::{Message, MessageError, first, push, push_authentication_ok, push_text};
use crate::report::{SqlState, code_of};
use crate::scram::{self, Binding, Nonce, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, Scram};
use crate::startup::{Startup, push_backend_key};

/// The longest message during login, and all that is kept of them, in bytes.
const LONGEST: usize = 64 * 1024;
/// `SSLRequest`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What proves us to the database. No `Debug`.
pub struct Credentials {
    pub user: String,
    pub password: Zeroizing<String>,
    pub nonce: Nonce,
    /// Where the keys of the last login are; of one service and its logins only.
    pub kept: Arc<KeptKeys>,
}

/// Weaker ways in that the owner allows. By default none: SCRAM, where the server proves itself too.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Accepts {
    /// The server may let us in without a password.
    pub trust: bool,
    pub md5: bool,
    /// The password itself may be sent, and only inside of TLS.
    pub cleartext_in_tls: bool,
}

/// Why there is no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginFault {
    #[error("the database offers no TLS")]
    NoTls,
    #[error("bytes arrived before TLS was up")]
    BytesBeforeTls,
    #[error("the database let us in without proof of either side")]
    Trusting,
    #[error("the database asked for the password in clear")]
    Cleartext,
    #[error("the database asked for an MD5 password")]
    Md5,
    #[error("the database asked for an authentication method that is not spoken here")]
    UnknownMethod,
    #[error("the database did not prove that it knows the password's verifier")]
    ServerUnproven,
    #[error("the database refused with SQLSTATE {0}")]
    Refused(SqlState),
    #[error("the database does not speak the PostgreSQL protocol")]
    Nonsense,
}

impl From<MessageError> for LoginFault {
    fn from(_: MessageError) -> Self {
        Self::Nonsense
    }
}

/// What to do next, after sending what is to be sent.
#[derive(Debug)]
pub struct LoginStep {
    /// To the database, before anything else.
    pub send: Vec<u8>,
    pub next: Next,
}

#[derive(Debug)]
pub enum Next {
    /// Read more.
    Read,
    /// Start TLS, then [`Login::tls_started`].
    StartTls,
    Done(LoggedIn),
}

/// A session at the database, not yet used.
#[derive(Debug, PartialEq, Eq)]
pub struct LoggedIn {
    parameters: Vec<u8>,
    key: Option<BackendKey>,
    ready: Vec<u8>,
}

/// A `ReadyForQuery` with its status, in bytes.
const READY: usize = 6;

impl LoggedIn {
    /// The database's own cancel key. Poolers may give none.
    #[must_use]
    pub fn key(&self) -> Option<&BackendKey> {
        self.key.as_ref()
    }

    /// What the server said after it was ready: nothing that was asked for.
    #[must_use]
    pub fn after_ready(&self) -> &[u8] {
        self.ready.get(READY..).unwrap_or_default()
    }

    /// What the client is told: it is in, the server's parameters, a cancel key of ours, ready.
    #[must_use]
    pub fn greeting(&self, ours: &BackendKey) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.parameters.len() + 64);
        push_authentication_ok(&mut out);
        out.extend_from_slice(&self.parameters);
        push_backend_key(&mut out, ours);
        out.extend_from_slice(&self.ready);
        out
    }
}

/// One login under way.
pub struct Login {
    credentials: Credentials,
    accepts: Accepts,
    startup: Startup,
    binding: Option<Vec<u8>>,
    tls: bool,
    buffer: Vec<u8>,
    parameters: Vec<u8>,
    key: Option<BackendKey>,
    state: State,
}

enum State {
    /// `SSLRequest` is out.
    AskedTls,
    StartingTls,
    /// The startup is out; nobody has proven anything.
    Introduced,
    ScramBegun(Box<Scram>),
    ScramProven(Box<scram::Proven>),
    /// Both sides have proven themselves, or the owner accepts less.
    Proven,
    /// `AuthenticationOk` came: parameters follow.
    In,
    /// Done, or failed: nothing more is taken.
    Finished,
}

impl Login {
    /// Begins; gives what to send first. `startup` names everything but the user.
    #[must_use]
    pub fn start(
        credentials: Credentials,
        accepts: Accepts,
        startup: Startup,
        tls: bool,
    ) -> (Self, Vec<u8>) {
        let startup = startup.in_version_3_0().with("user", &credentials.user);
        let (state, send) = if tls {
            (State::AskedTls, SSL_REQUEST.to_vec())
        } else {
            (State::Introduced, startup.encode())
        };
        let login = Self {
            credentials,
            accepts,
            startup,
            binding: None,
            tls: false,
            buffer: Vec::new(),
            parameters: Vec::new(),
            key: None,
            state,
        };
        (login, send)
    }

    /// TLS is up and verified. `binding`: the `tls-server-end-point` hash of the server's certificate, if it has one.
    #[must_use]
    pub fn tls_started(&mut self, binding: Option<Vec<u8>>) -> Vec<u8> {
        self.tls = true;
        self.binding = binding;
        self.state = State::Introduced;
        self.startup.encode()
    }

    /// Takes what the database said.
    ///
    /// # Errors
    /// There will be no login; close the connection.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<LoginStep, LoginFault> {
        if matches!(self.state, State::AskedTls) {
            return self.tls_answered(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        let mut send = Vec::new();
        loop {
            let buffer = std::mem::take(&mut self.buffer);
            let Some((message, used)) = first(&buffer, LONGEST)? else {
                self.buffer = buffer;
                return Ok(LoginStep {
                    send,
                    next: Next::Read,
                });
            };
            self.handle_message(&message, &buffer[..used], &mut send)?;
            if matches!(self.state, State::Finished) {
                let done = self.finished(buffer);
                return Ok(LoginStep {
                    send,
                    next: Next::Done(done),
                });
            }
            self.buffer = buffer[used..].to_vec();
        }
    }

    fn tls_answered(&mut self, bytes: &[u8]) -> Result<LoginStep, LoginFault> {
        let next = match bytes {
            [] => Next::Read,
            [b'S'] => {
                self.state = State::StartingTls;
                Next::StartTls
            }
            [b'S', ..] => return Err(LoginFault::BytesBeforeTls),
            [b'N', ..] => return Err(LoginFault::NoTls),
            [_, ..] => return Err(LoginFault::Nonsense),
        };
        Ok(LoginStep {
            send: Vec::new(),
            next,
        })
    }

    fn handle_message(
        &mut self,
        message: &Message<'_>,
        raw: &[u8],
        send: &mut Vec<u8>,
    ) -> Result<(), LoginFault> {
        match (&self.state, message.tag) {
            (_, b'E') => Err(LoginFault::Refused(code_of(message.body))),
            (State::AskedTls | State::StartingTls, _) => Err(LoginFault::BytesBeforeTls),
            (
                State::Introduced | State::ScramBegun(_) | State::ScramProven(_) | State::Proven,
                b'R',
            ) => self.authenticate(message.body, send),
            (State::In, b'S' | b'N') => self.keep(raw),
            (State::In, b'K') => self.keep_key(message.body),
            (State::In, b'Z') => {
                self.state = State::Finished;
                Ok(())
            }
            (
                State::Introduced | State::ScramBegun(_) | State::ScramProven(_) | State::Proven,
                b'N',
            ) => Ok(()),
            (
                State::Introduced
                | State::ScramBegun(_)
                | State::ScramProven(_)
                | State::Proven
                | State::In
                | State::Finished,
                _,
            ) => Err(LoginFault::Nonsense),
        }
    }

    fn authenticate(&mut self, body: &[u8], send: &mut Vec<u8>) -> Result<(), LoginFault> {
        let (method, rest) = body.split_first_chunk::<4>().ok_or(LoginFault::Nonsense)?;
        match (
            u32::from_be_bytes(*method),
            std::mem::replace(&mut self.state, State::Finished),
        ) {
            (0, State::Proven) => self.state = State::In,
            (0, State::Introduced) if self.accepts.trust => self.state = State::In,
            (0, State::Introduced) => return Err(LoginFault::Trusting),
            (0, _) => return Err(LoginFault::ServerUnproven),
            (3, State::Introduced) => self.send_cleartext(send)?,
            (5, State::Introduced) => self.send_md5(rest, send)?,
            (10, State::Introduced) => self.begin_scram(rest, send)?,
            (11, State::ScramBegun(scram)) => self.prove(*scram, rest, send)?,
            (12, State::ScramProven(scram)) => {
                scram.finish(rest).map_err(|_| LoginFault::ServerUnproven)?;
                self.state = State::Proven;
            }
            (3 | 5 | 10 | 11 | 12, _) => return Err(LoginFault::Nonsense),
            _ => return Err(LoginFault::UnknownMethod),
        }
        Ok(())
    }

    fn send_cleartext(&mut self, send: &mut Vec<u8>) -> Result<(), LoginFault> {
        if !(self.accepts.cleartext_in_tls && self.tls) {
            return Err(LoginFault::Cleartext);
        }
        push(send, b'p', |body| {
            push_text(body, self.credentials.password.as_bytes())
        });
        self.state = State::Proven;
        Ok(())
    }

    fn send_md5(&mut self, salt: &[u8], send: &mut Vec<u8>) -> Result<(), LoginFault> {
        if !self.accepts.md5 {
            return Err(LoginFault::Md5);
        }
        let salt: [u8; 4] = salt.try_into().map_err(|_| LoginFault::Nonsense)?;
        let Credentials { user, password, .. } = &self.credentials;
        let hash = Zeroizing::new(md5_hash(user.as_bytes(), password.as_bytes(), salt));
        push(send, b'p', |body| push_text(body, hash.as_bytes()));
        self.state = State::Proven;
        Ok(())
    }

    fn begin_scram(&mut self, mechanisms: &[u8], send: &mut Vec<u8>) -> Result<(), LoginFault> {
        let offers = |name: &str| {
            mechanisms
                .split(|byte| *byte == 0)
                .any(|offered| offered == name.as_bytes())
        };
        let (mechanism, binding) = match (self.binding.take(), offers(SCRAM_SHA_256_PLUS)) {
            (Some(hash), true) => (SCRAM_SHA_256_PLUS, Binding::ServerEndPoint(hash)),
            (Some(_), false) => (SCRAM_SHA_256, Binding::NotOffered),
            (None, _) => (SCRAM_SHA_256, Binding::Unsupported),
        };
        if !offers(mechanism) {
            return Err(LoginFault::UnknownMethod);
        }
        let Credentials {
            password,
            nonce,
            kept,
            ..
        } = &self.credentials;
        let scram = Scram::begin(*nonce, password.as_bytes(), binding, Arc::clone(kept));
        let message = scram.message();
        push(send, b'p', |body| {
            push_text(body, mechanism.as_bytes());
            let length = u32::try_from(message.len()).unwrap_or(0);
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(message.as_bytes());
        });
        self.state = State::ScramBegun(Box::new(scram));
        Ok(())
    }

    fn prove(
        &mut self,
        scram: Scram,
        challenge: &[u8],
        send: &mut Vec<u8>,
    ) -> Result<(), LoginFault> {
        let (proven, message) = scram
            .prove(challenge)
            .map_err(|_| LoginFault::ServerUnproven)?;
        push(send, b'p', |body| {
            body.extend_from_slice(message.as_bytes())
        });
        self.state = State::ScramProven(Box::new(proven));
        Ok(())
    }

    fn keep(&mut self, raw: &[u8]) -> Result<(), LoginFault> {
        if self.parameters.len() + raw.len() > LONGEST {
            return Err(LoginFault::Nonsense);
        }
        self.parameters.extend_from_slice(raw);
        Ok(())
    }

    fn keep_key(&mut self, body: &[u8]) -> Result<(), LoginFault> {
        self.key = Some(BackendKey::parse(body).ok_or(LoginFault::Nonsense)?);
        Ok(())
    }

    /// `ready`: from `ReadyForQuery` on, with whatever the server added.
    fn finished(&mut self, ready: Vec<u8>) -> LoggedIn {
        LoggedIn {
            parameters: std::mem::take(&mut self.parameters),
            key: self.key.take(),
            ready,
        }
    }
}

#[cfg(test)]
#[path = "tests/login.rs"]
mod tests;
