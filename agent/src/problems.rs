//! Turns the errors of this crate into problems a person can read: the one place where technical reasons become codes.
//! A newcomer would match on texts: every input here is a typed error, every output a code with facts.

use tidegate_link::keyfile::KeyFileError;
use tidegate_link::{LinkError, PortalError};
use tidegate_proto::channel::ChannelError;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::StatementError;
use tidegate_proto::wire::link::RelayRefusal;
use tidegate_proto::words::words;

use crate::inlet::bind::BindError;
use crate::keys::StoreError;
use crate::platform::holder::Holder;
use crate::signin::http::HttpError;
use crate::signin::provider::ProviderError;
use crate::signin::redirect::PortsTaken;
use crate::signin::refresh::RefreshError;

/// A failed connection to the hub.
pub(crate) fn of_hub(error: LinkError, host: &str) -> Problem {
    let code = match error {
        LinkError::WrongHub(StatementError::NotYet) => Code::ClockOff,
        LinkError::WrongHub(StatementError::Expired) => Code::OrgNotRenewed,
        LinkError::WrongHub(_) | LinkError::Channel(_) => Code::HubNotTrusted,
        LinkError::Unresolved | LinkError::Io(_) | LinkError::TimedOut | LinkError::Lost => {
            Code::HubUnreachable
        }
        LinkError::Refused(_) => Code::RelayRefused,
        LinkError::Preface | LinkError::Frame(_) | LinkError::Message(_) | LinkError::OutOfTurn => {
            Code::PeerBrokeProtocol
        }
    };
    Problem::new(code).host(host)
}

/// A relay that does not give a circuit, or a circuit that breaks before its portal is open.
pub(crate) fn of_circuit(error: LinkError, service: &ServiceName) -> Problem {
    let code = match error {
        LinkError::Refused(RelayRefusal::Absent) => Code::OutletAbsent,
        LinkError::Refused(RelayRefusal::Busy) => Code::HubBusy,
        LinkError::Refused(RelayRefusal::Draining) => Code::HubStopping,
        LinkError::Refused(RelayRefusal::Pass | RelayRefusal::Other(_)) => Code::RelayRefused,
        LinkError::Channel(ChannelError::UnexpectedPeer) => Code::OutletNotTrusted,
        LinkError::Channel(_) | LinkError::Lost | LinkError::Io(_) => Code::CircuitLost,
        LinkError::Unresolved => Code::HubUnreachable,
        LinkError::TimedOut => Code::TimedOut,
        LinkError::WrongHub(_) => Code::HubNotTrusted,
        LinkError::Preface | LinkError::Frame(_) | LinkError::Message(_) | LinkError::OutOfTurn => {
            Code::PeerBrokeProtocol
        }
    };
    Problem::new(code).service(service)
}

/// Why a running portal ended.
pub(crate) fn of_portal(error: PortalError, service: &ServiceName) -> Problem {
    let code = match error {
        PortalError::CircuitLost => Code::CircuitLost,
        PortalError::Reset(code) | PortalError::Withdrawn(code) => {
            of_number(code, Code::ClosedByTarget)
        }
        PortalError::Broken(_) => Code::PeerBrokeProtocol,
    };
    Problem::new(code).service(service)
}

/// As `of_portal`, for what reading or writing it gave.
pub(crate) fn of_portal_io(error: &std::io::Error, service: &ServiceName) -> Problem {
    of_portal(
        PortalError::of(error).unwrap_or(PortalError::CircuitLost),
        service,
    )
}

/// An outlet's refusal. Its text is the whole sentence; only what the owner's policy put into it is kept, the rest we say ourselves.
pub(crate) fn of_refusal(number: u16, text: &str, service: &ServiceName) -> Problem {
    let problem = Problem::new(of_number(number, Code::NotAvailable)).service(service);
    // An outlet names the service where it says why it does not go on, and not where it says that there may be none.
    let nameless = Problem::new(problem.code);
    match owners_words(&problem, text).or_else(|| owners_words(&nameless, text)) {
        Some(said) => problem.said(said),
        None => problem,
    }
}

/// What stands in `text` where the sentence for `problem` has a place for it.
fn owners_words<'t>(problem: &Problem, text: &'t str) -> Option<&'t str> {
    const MARK: &str = "@said@";
    let sentence = words(&problem.clone().said(MARK)).line();
    let (before, after) = sentence.split_once(MARK)?;
    let said = text.strip_prefix(before)?.strip_suffix(after)?;
    let without = words(problem).line();
    (text != without && !said.is_empty()).then_some(said)
}

/// A code from the wire; a number that this version does not know is `otherwise`.
pub(crate) fn of_number(number: u16, otherwise: Code) -> Code {
    Code::try_from(number).unwrap_or(otherwise)
}

pub(crate) fn of_bind(error: BindError, service: &ServiceName) -> Problem {
    let problem = Problem::new(Code::PortTaken).service(service);
    match error {
        BindError::Taken {
            port,
            holder: Some(Holder { program, pid }),
        } => problem.port(port).program(&program, pid),
        BindError::Taken { port, holder: None }
        | BindError::Denied { port }
        | BindError::NotOurs { port }
        | BindError::Io { port, .. } => problem.port(port),
    }
}

pub(crate) fn of_redirect(error: &PortsTaken) -> Problem {
    let problem = Problem::new(Code::SignInPortsTaken);
    let named = error
        .0
        .iter()
        .find_map(|(port, holder)| Some((port, holder.as_ref()?)));
    match (named, error.0.first()) {
        (Some((port, holder)), _) => problem.port(*port).program(&holder.program, holder.pid),
        (None, Some((port, _))) => problem.port(*port),
        (None, None) => problem,
    }
}

/// Why a secret is only in memory, or cannot be read.
pub(crate) fn of_store(error: StoreError) -> Problem {
    Problem::new(match error {
        StoreError::Locked => Code::KeyringLocked,
        StoreError::Silent => Code::KeyringSilent,
        StoreError::Absent | StoreError::TooLarge | StoreError::Damaged => Code::KeyringAbsent,
        StoreError::File(error) => of_file(error),
    })
}

/// An enrolled key is only in memory: whoever reads it must know what quitting costs.
pub(crate) fn of_key(error: StoreError) -> Problem {
    let why = match error {
        StoreError::Locked => "the keyring is locked",
        StoreError::Silent => "the keyring does not answer",
        StoreError::Absent => "there is no keyring",
        StoreError::TooLarge | StoreError::Damaged => "the keyring did not take it",
        StoreError::File(_) => return of_store(error),
    };
    Problem::new(Code::KeyOnlyInMemory).said(why)
}

/// Why a file or folder of ours cannot be used: whether somebody else could have had a hand in it, or not.
pub(crate) fn of_file(error: KeyFileError) -> Code {
    match error {
        KeyFileError::OpenToOthers | KeyFileError::ForeignOwner | KeyFileError::Symlink => {
            Code::KeyFileOpen
        }
        KeyFileError::Missing
        | KeyFileError::Exists
        | KeyFileError::NotAFile
        | KeyFileError::NotADirectory
        | KeyFileError::TooLarge
        | KeyFileError::Io(_) => Code::DataDirUnusable,
    }
}

pub(crate) fn of_provider(error: ProviderError, issuer: &str) -> Problem {
    let code = match error {
        ProviderError::Http(HttpError::Unreachable | HttpError::TimedOut) | ProviderError::Busy => {
            Code::ProviderUnreachable
        }
        ProviderError::Http(HttpError::Untrusted) => Code::ProviderNotTrusted,
        ProviderError::Http(HttpError::CertificateTime) => {
            return Problem::new(Code::ProviderNotTrusted)
                .host(host_of(issuer))
                .said("its certificate has expired, or this computer's clock is wrong");
        }
        ProviderError::Http(HttpError::Ca | HttpError::Tls | HttpError::TooLarge)
        | ProviderError::Discovery
        | ProviderError::NoPkce
        | ProviderError::NoRevocation
        | ProviderError::NoIdToken
        | ProviderError::BadIdToken => Code::ProviderAnswerWrong,
        ProviderError::SessionOver | ProviderError::Refused => Code::ProviderRefused,
        ProviderError::WrongTime => Code::ClockOff,
        ProviderError::NoDeviceCode => Code::SignInCodeNotOffered,
        ProviderError::CodeExpired => Code::SignInCodeExpired,
        ProviderError::Declined => Code::SignInDeclined,
    };
    Problem::new(code).host(host_of(issuer))
}

/// The answer to a code. One that is refused was used before, came too late, or the person was disabled meanwhile.
pub(crate) fn of_code(error: ProviderError, issuer: &str) -> Problem {
    let problem = of_provider(error, issuer);
    match error {
        ProviderError::SessionOver => {
            problem.said("the page's answer had run out or was used before")
        }
        _ => problem,
    }
}

pub(crate) fn of_refresh(error: RefreshError, issuer: &str) -> Problem {
    match error {
        RefreshError::Provider(ProviderError::SessionOver) => {
            Problem::new(Code::SignedOutByProvider).host(host_of(issuer))
        }
        RefreshError::NoToken | RefreshError::OtherSession(_) => Problem::new(Code::SessionExpired),
        RefreshError::Provider(error) => of_provider(error, issuer),
        RefreshError::Store(error) => of_store(error),
        RefreshError::Locked => Problem::new(Code::AlreadyRunning),
    }
}

pub(crate) fn host_of(issuer: &str) -> &str {
    issuer
        .trim_start_matches("https://")
        .split('/')
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_ended_is_not_blamed_on_the_clock_alone() {
        let said = |why| of_hub(LinkError::WrongHub(why), "hub.acme.example").code;

        assert_eq!(said(StatementError::Expired), Code::OrgNotRenewed);
        assert_eq!(said(StatementError::NotYet), Code::ClockOff);
        assert_eq!(said(StatementError::Org), Code::HubNotTrusted);
    }

    #[test]
    fn a_taken_port_names_the_program() {
        let holder = Some(Holder {
            program: "postgres".into(),
            pid: Some(7),
        });

        let problem = of_bind(
            BindError::Taken {
                port: 15432,
                holder,
            },
            &"warehouse".parse().unwrap(),
        );

        assert_eq!(problem.code, Code::PortTaken);
        assert_eq!(problem.facts.pid, Some(7));
        assert_eq!(problem.facts.program.unwrap().as_str(), "postgres");
    }

    #[test]
    fn a_refusal_keeps_the_owners_words_and_nothing_else() {
        let service = "warehouse".parse().unwrap();
        let told = words(&Problem::new(Code::NotAvailable).said("only in office hours")).line();
        let plain = words(&Problem::new(Code::NotAvailable)).line();
        let number = Code::NotAvailable.number();

        assert_eq!(
            of_refusal(number, &told, &service),
            Problem::new(Code::NotAvailable)
                .service(&service)
                .said("only in office hours")
        );
        for text in [&plain, "", "<b>click here</b>"] {
            assert_eq!(
                of_refusal(number, text, &service),
                Problem::new(Code::NotAvailable).service(&service)
            );
        }
    }

    #[test]
    fn a_refusal_that_names_the_service_keeps_what_it_says_too() {
        let service = "warehouse".parse().unwrap();
        let plain = Problem::new(Code::ClientAsksTooMuch).service(&service);
        let long = plain
            .clone()
            .said("a startup packet of more than 10,000 bytes");
        let number = Code::ClientAsksTooMuch.number();

        for problem in [plain, long] {
            let told = words(&problem).line();
            assert_eq!(of_refusal(number, &told, &service), problem);
        }
    }

    #[test]
    fn a_reset_keeps_its_reason() {
        let service = "warehouse".parse().unwrap();

        let known = of_portal(PortalError::Reset(Code::RevokedByAdmin.number()), &service);
        let unknown = of_portal(PortalError::Reset(65_000), &service);

        assert_eq!(known.code, Code::RevokedByAdmin);
        assert_eq!(unknown.code, Code::ClosedByTarget);
    }
}
