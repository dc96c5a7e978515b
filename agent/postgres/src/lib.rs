//! The PostgreSQL wire protocol where Tidegate must speak it, and out of the way where it need not.
//! Nothing here touches a socket, a clock or randomness: bytes come in, bytes and decisions go out.
//!
//! A program's connection passes through these, in this order:
//!
//! | where | type | what it does |
//! |---|---|---|
//! | inlet, outlet | [`Opening`] | the first packets: encryption requests, startup, cancel |
//! | inlet | [`Hold`] | answers the startup and keeps the program waiting, politely |
//! | inlet | [`Swallow`] | drops the outlet's `AuthenticationOk`, which the inlet has already said |
//! | outlet | [`Login`] | logs in at the database with a login that never leaves the outlet |
//! | both | [`Outflow`] | server to client: bytes as they come, and a last word at a message boundary |
//! | outlet | [`Inflow`] | client to server: bytes as they come, and whether the server may be busy |
//! | outlet | [`Rest`] | whether the session holds nothing: no statement, no transaction |
//! | outlet | [`Follower`] | both directions, from outside: which statements began, and how they ended |
//! | outlet | [`Answer`] | what the server says to a question of the outlet's own |
//! | outlet | [`CancelTable`] | whose cancel key stands for which backend |

mod answer;
mod boundary;
mod cancel;
mod follow;
mod hold;
mod inflow;
mod keys;
mod login;
mod message;
mod opening;
mod outflow;
mod report;
mod rest;
mod room;
mod scram;
mod startup;
mod swallow;
mod verifier;

pub use postgres_protocol::escape::{escape_identifier, escape_literal};

pub use answer::{Answer, AnswerFault, Row};
pub use boundary::Boundary;
pub use cancel::{BackendKey, CancelKey, CancelTable, CancelTableFull};
pub use follow::{
    Began, End, Ended, Event, Follower, How, Keep, NOT_KNOWN, Parameter, Parameters, Text,
};
pub use hold::{Early, Hold};
pub use inflow::Inflow;
pub use keys::KeptKeys;
pub use login::{Accepts, Credentials, LoggedIn, Login, LoginFault, LoginStep, Next};
pub use message::{simple_query, terminate};
pub use opening::{Asked, Opening, OpeningError, Side};
pub use outflow::Outflow;
pub use report::{Report, Severity, SqlState};
pub use rest::Rest;
pub use scram::Nonce;
pub use startup::{Startup, StartupError, Version};
pub use swallow::{Swallow, SwallowError, Swallowed};
pub use verifier::scram_verifier;
