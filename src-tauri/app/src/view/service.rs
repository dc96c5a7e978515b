//! One service in the window: its state, its port, and every way to write its connection down.
//! A newcomer would name it by its label: what is asked for is its `id`, because two orgs may have a service of one name.

use serde::Serialize;
use tidegate_agent::{ConnectStep, OrgSnapshot, Reconnecting, ServiceState, ServiceView};
use tidegate_proto::problem::Code;
use tidegate_proto::statement::ServiceKind;
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words;
use ts_rs::TS;

use crate::access::must_ask;
use crate::intent::{Copyable, Form};
use crate::label::label;
use crate::problem::{ProblemView, problem_view};
use crate::scene::Scene;
use crate::time_left::time_left;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Service {
    /// `acme/warehouse`: what to ask for.
    pub id: String,
    pub name: String,
    pub title: String,
    pub kind: &'static str,
    /// `localhost:15432`
    pub address: String,
    pub port: u16,
    pub state: State,
    pub snippets: Vec<Snippet>,
    /// What was just put on the clipboard.
    pub copied: Option<Form>,
    /// What to type, after it was written into `pg_service.conf`.
    pub wrote: Option<String>,
    /// Why it did not get the port that was asked for.
    pub port_problem: Option<ProblemView>,
    /// It has to be asked for, and nothing that was asked for here stands.
    pub must_ask: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    Idle,
    Connecting {
        step: &'static str,
    },
    Connected {
        left: String,
        #[ts(type = "number")]
        until: UnixTime,
        usage: String,
        /// Through the inlet since Connect, both ways.
        #[ts(type = "number")]
        bytes: u64,
        /// Said while the way to the outlet is made anew for programs that wait.
        reconnecting: Option<String>,
    },
    Disconnecting,
    Failed {
        problem: Box<ProblemView>,
    },
}

/// One way to write the connection down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Snippet {
    pub form: Form,
    pub label: &'static str,
    pub text: String,
}

pub(super) fn service_view(scene: &Scene<'_>, org: &OrgSnapshot, service: &ServiceView) -> Service {
    let reference = org.service_ref(service);
    let copied = scene.copied().and_then(|copied| match &copied.what {
        Copyable::Connection {
            service: copied,
            form,
        } if *copied == reference => Some(*form),
        Copyable::Connection { .. }
        | Copyable::SignInUrl { .. }
        | Copyable::DeviceLink { .. }
        | Copyable::Command { .. } => None,
    });
    Service {
        id: reference.to_string(),
        name: service.name.to_string(),
        title: label(&service.title),
        kind: match service.kind {
            ServiceKind::Tcp => "TCP",
            ServiceKind::Postgres => "PostgreSQL",
        },
        address: format!("localhost:{}", service.port),
        port: service.port,
        state: state(scene, org, service),
        snippets: snippets(service),
        copied,
        wrote: scene
            .wrote(&reference)
            .map(|section| format!("psql service={section}")),
        port_problem: scene
            .port_problem(&reference)
            .map(|problem| problem_view(scene, Some(&org.name), problem)),
        must_ask: must_ask(org, service),
    }
}

fn state(scene: &Scene<'_>, org: &OrgSnapshot, service: &ServiceView) -> State {
    match &service.state {
        ServiceState::Idle => State::Idle,
        ServiceState::Connecting { step } => State::Connecting {
            step: connect_step_text(*step),
        },
        ServiceState::Connected { until, .. } => State::Connected {
            left: time_left(scene.now, *until),
            until: *until,
            usage: usage(service),
            bytes: service
                .traffic
                .sent
                .saturating_add(service.traffic.received),
            reconnecting: service.reconnecting.as_ref().map(reconnecting),
        },
        ServiceState::Disconnecting => State::Disconnecting,
        ServiceState::Failed(problem) => State::Failed {
            problem: Box::new(problem_view(scene, Some(&org.name), problem)),
        },
    }
}

/// How many programs wait for the way to be there again.
pub(crate) fn waiting(reconnecting: &Reconnecting) -> String {
    match reconnecting.portals {
        1 => "1 connection waits".to_owned(),
        many => format!("{many} connections wait"),
    }
}

/// That programs wait, and why the way is not there yet, if an attempt has shown it.
fn reconnecting(reconnecting: &Reconnecting) -> String {
    let (waiting, why) = (waiting(reconnecting), &reconnecting.why);
    match why.code {
        // No attempt has come to anything yet.
        Code::CircuitLost => format!("{waiting} for the network, and nothing is lost."),
        _ => format!("{waiting}, and nothing is lost. {}", words(why).cause),
    }
}

fn snippets(service: &ServiceView) -> Vec<Snippet> {
    let url_label = match service.kind {
        ServiceKind::Tcp => "Address",
        ServiceKind::Postgres => "URL",
    };
    let forms = [
        (Form::Url, url_label),
        (Form::Psql, "psql"),
        (Form::Sqlalchemy, "SQLAlchemy"),
        (Form::Pandas, "pandas"),
        (Form::Jdbc, "JDBC"),
        (Form::Dbeaver, "DBeaver"),
        (Form::Env, ".env"),
        (Form::PgService, "pg_service.conf"),
    ];
    let present = forms.into_iter().filter_map(|(form, label)| {
        let text = service.connection.get(form.into())?;
        Some(Snippet { form, label, text })
    });
    present.collect()
}

fn usage(service: &ServiceView) -> String {
    let programs = match service.portals {
        0 => "not in use now".to_owned(),
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    };
    let (sent, received) = (service.traffic.sent, service.traffic.received);
    if sent == 0 && received == 0 {
        return programs;
    }
    format!(
        "{programs}; {} sent, {} received so far",
        bytes(sent),
        bytes(received)
    )
}

/// `812 B`, `4.2 kB`, `1.3 GB`: decimal, like the file managers people know.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.into_iter().find(|(size, _)| count >= *size) {
        None => format!("{count} B"),
        Some((size, unit)) => {
            let tenths = count / (size / 10);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

pub(crate) fn connect_step_text(step: ConnectStep) -> &'static str {
    match step {
        ConnectStep::WaitingForSignIn => "waiting for you to sign in",
        ConnectStep::WaitingForHub => "waiting for the hub",
        ConnectStep::OpeningPort => "opening the local port",
        ConnectStep::AskingOutlet => "asking the outlet",
        ConnectStep::WaitingForApproval => "waiting for approval",
    }
}
