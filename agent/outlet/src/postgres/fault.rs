//! Why a program does not get its database. Faults name the cause for the outlet's log;
//! what the program reads is `problem`, and says nothing that the database itself said.

use std::io::ErrorKind;

use tidegate_postgres::{AnswerFault, LoginFault, OpeningError, SqlState};
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};

use super::roles::RoleFault;
use crate::dial::DialError;
use crate::login::LoginError;
use crate::target_tls::TrustError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the login cannot be read")]
    NoLogin(#[from] LoginError),
    #[error("neither the configuration nor the login says where the database is")]
    NoAddress,
    #[error("{0}")]
    Dial(#[from] DialError),
    #[error("the connection failed: {0}")]
    Io(ErrorKind),
    #[error("the database did not answer in time")]
    Silent,
    #[error("the trust settings are unusable")]
    NoTrust(#[from] TrustError),
    #[error("the database's certificate was not accepted")]
    NotTrusted,
    #[error(transparent)]
    Login(#[from] LoginFault),
    #[error("too many connections carry a cancel key")]
    TooMany,
    #[error("the program asked for another database")]
    OtherDatabase,
    #[error("the startup is longer than PostgreSQL takes")]
    LongStartup,
    #[error("there is no room to record the session's statements; look at the disk of the audit")]
    NotRecorded,
    #[error("the database refused what the outlet asked for itself, with SQLSTATE {0}")]
    Refused(SqlState),
    #[error("the database answers what cannot be read")]
    Unreadable,
    #[error("temporary roles: {0}")]
    Role(#[from] RoleFault),
}

impl From<AnswerFault> for Fault {
    fn from(fault: AnswerFault) -> Self {
        match fault {
            AnswerFault::Refused(code) => Self::Refused(code),
            AnswerFault::TooLong | AnswerFault::Nonsense => Self::Unreadable,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl Fault {
    pub(super) fn problem(&self, service: &ServiceName) -> Problem {
        match self {
            Self::LongStartup => of_opening(OpeningError::TooLong, service),
            _ => Problem::new(self.code()).service(service),
        }
    }

    /// Whether the database knows the login by another password.
    pub(super) fn is_a_wrong_password(&self) -> bool {
        match self {
            Self::Login(LoginFault::ServerUnproven) => true,
            Self::Login(LoginFault::Refused(code)) => *code == SqlState::WRONG_PASSWORD,
            _ => false,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoLogin(_) | Self::NoAddress => Code::TargetLoginMissing,
            Self::Dial(error) => error.code(),
            Self::Silent => Code::TargetSilent,
            Self::NoTrust(_) | Self::NotTrusted => Code::TargetNotTrusted,
            Self::Io(_) => Code::TargetClosed,
            Self::Refused(_) => Code::TargetLoginRefused,
            Self::Role(_) => Code::RoleNotMade,
            Self::Unreadable => Code::TargetSpeaksOtherwise,
            Self::Login(fault) => code_of_login(*fault),
            Self::TooMany => Code::TooManyConnections,
            Self::OtherDatabase => Code::DatabaseNotOffered,
            Self::LongStartup => Code::ClientAsksTooMuch,
            Self::NotRecorded => Code::NotRecorded,
        }
    }
}

/// What a program's first packet asks for is not spoken here.
pub(super) fn of_opening(error: OpeningError, service: &ServiceName) -> Problem {
    let problem = Problem::new(Code::ClientAsksTooMuch).service(service);
    match error {
        OpeningError::TooLong => problem.said("a startup packet of more than 10,000 bytes"),
        _ => problem,
    }
}

fn code_of_login(fault: LoginFault) -> Code {
    match fault {
        LoginFault::Refused(SqlState::NO_SUCH_DATABASE) => Code::DatabaseMissing,
        LoginFault::Refused(SqlState::TOO_MANY_CONNECTIONS) => Code::TooManyConnections,
        LoginFault::Refused(SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN) => {
            Code::TargetClosed
        }
        LoginFault::Refused(_) => Code::TargetLoginRefused,
        LoginFault::NoTls
        | LoginFault::BytesBeforeTls
        | LoginFault::Trusting
        | LoginFault::Cleartext
        | LoginFault::Md5
        | LoginFault::ServerUnproven => Code::TargetNotTrusted,
        LoginFault::UnknownMethod => Code::TargetLoginRefused,
        LoginFault::Nonsense => Code::TargetSpeaksOtherwise,
    }
}
