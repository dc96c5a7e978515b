//! Everything a person can do in the tray and the window: what the agent can be asked, plus what only a desktop has.
//! A newcomer would add a command per button: buttons carry one of these, so the window cannot ask for what is not listed here.

use serde::{Deserialize, Deserializer, Serialize};
use tidegate_agent::{Action, Secret, ServiceRef};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::About;
use ts_rs::TS;

use crate::access::{AccessAct, AskFor};
use crate::devices::DeviceAct;
use crate::join_text::MAX_JOIN_TEXT;
use crate::settings::Setting;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Intent {
    Join {
        #[serde(deserialize_with = "short")]
        #[ts(type = "string")]
        link: Secret,
    },
    SignIn {
        #[ts(type = "string")]
        org: OrgName,
    },
    /// Without a browser on this computer. Its assurance is low.
    SignInWithCode {
        #[ts(type = "string")]
        org: OrgName,
    },
    CancelSignIn {
        #[ts(type = "string")]
        org: OrgName,
    },
    SignOut {
        #[ts(type = "string")]
        org: OrgName,
    },
    /// The service as `org/service`.
    Connect {
        #[ts(type = "string")]
        service: ServiceRef,
    },
    /// Also how a Connect that is still under way is called off.
    Disconnect {
        #[ts(type = "string")]
        service: ServiceRef,
    },
    /// Asks for access to a service, and connects it: what is approved goes on by itself.
    Ask {
        #[ts(type = "string")]
        service: ServiceRef,
        #[ts(type = "number | null")]
        seconds: Option<u64>,
        read_only: bool,
        reason: String,
    },
    /// Answers, withdraws or gives back what was asked for.
    Access {
        #[ts(type = "string")]
        org: OrgName,
        what: AccessAct,
    },
    /// Opens the form that asks.
    AskFor {
        #[ts(type = "string")]
        org: OrgName,
        what: AskFor,
    },
    /// Closes that form.
    AskNoMore,
    /// Gives a service another local port, or with `null` its own again.
    SetPort {
        #[ts(type = "string")]
        service: ServiceRef,
        port: Option<u16>,
    },
    /// Puts the service into the person's own `pg_service.conf`.
    WritePgService {
        #[ts(type = "string")]
        service: ServiceRef,
    },
    /// A problem of an org, or of this computer where none is named.
    Dismiss {
        #[ts(type = "string | null")]
        org: Option<OrgName>,
        #[ts(type = "{ code: number; service?: string; path?: string }")]
        about: About,
    },
    /// Forgets the org and this device's keys.
    Leave {
        #[ts(type = "string")]
        org: OrgName,
    },
    Copy {
        what: Copyable,
    },
    OpenWindow,
    /// Asks at once what is asked again and again by itself: the hub of an org; or keyring, disk and every hub. Starts the agent where it could not.
    TryAgain {
        #[ts(type = "string | null")]
        org: Option<OrgName>,
    },
    /// Opens the window at a place of its own.
    Show {
        what: Place,
    },
    /// The window is at that place.
    Shown,
    /// Lets a device of the person in, or shuts one out.
    Device {
        #[ts(type = "string")]
        org: OrgName,
        what: DeviceAct,
    },
    /// Changes one of the app's own settings.
    Set {
        what: Setting,
    },
    /// Joins with the link that came from outside. The window has seen where it leads, not the link.
    JoinArrived,
    /// Forgets that link.
    DropArrived,
    /// Shows the provider's page again, in the browser.
    OpenSignInPage {
        #[ts(type = "string")]
        org: OrgName,
    },
    Quit,
}

/// A place in the window besides its first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Settings,
    /// The field for a join link.
    Join,
}

/// What can be put on the clipboard. The window names it; the text itself comes from the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Copyable {
    Connection {
        #[ts(type = "string")]
        service: ServiceRef,
        form: Form,
    },
    SignInUrl {
        #[ts(type = "string")]
        org: OrgName,
    },
    /// The link for another computer of the person: it names the org and holds no right.
    DeviceLink {
        #[ts(type = "string")]
        org: OrgName,
    },
    /// What a terminal is told about a problem that is there.
    Command {
        #[ts(type = "{ code: number; service?: string; path?: string }")]
        about: About,
    },
}

/// A way to write a connection down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Url,
    Psql,
    Sqlalchemy,
    Pandas,
    Jdbc,
    Dbeaver,
    Env,
    PgService,
}

impl From<Form> for tidegate_agent::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Url => Self::Url,
            Form::Psql => Self::Psql,
            Form::Sqlalchemy => Self::Sqlalchemy,
            Form::Pandas => Self::Pandas,
            Form::Jdbc => Self::Jdbc,
            Form::Dbeaver => Self::Dbeaver,
            Form::Env => Self::Env,
            Form::PgService => Self::PgService,
        }
    }
}

/// Who carries an intent out.
#[derive(Clone, Debug, PartialEq)]
pub enum Doer {
    Agent(Action),
    Desktop(Errand),
}

/// What only a desktop can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    Copy(Copyable),
    OpenWindow,
    Set(Setting),
    JoinArrived,
    DropArrived,
    OpenSignInPage(OrgName),
    TryAgain(Option<OrgName>),
    Show(Place),
    Shown,
    AskFor(OrgName, AskFor),
    AskNoMore,
    Quit,
}

impl Intent {
    pub fn doer(self) -> Doer {
        match self {
            Self::Join { link } => Doer::Agent(Action::Join { link }),
            Self::SignIn { org } => Doer::Agent(Action::SignIn { org }),
            Self::SignInWithCode { org } => Doer::Agent(Action::SignInWithCode { org }),
            Self::CancelSignIn { org } => Doer::Agent(Action::CancelSignIn { org }),
            Self::SignOut { org } => Doer::Agent(Action::SignOut { org }),
            Self::Connect { service } => Doer::Agent(Action::Connect { service }),
            Self::Disconnect { service } => Doer::Agent(Action::Disconnect { service }),
            Self::Ask {
                service,
                seconds,
                read_only,
                reason,
            } => Doer::Agent(Action::Ask {
                service,
                seconds,
                read_only,
                reason,
                emergency: false,
            }),
            Self::Access { org, what } => Doer::Agent(what.action(org)),
            Self::AskFor { org, what } => Doer::Desktop(Errand::AskFor(org, what)),
            Self::AskNoMore => Doer::Desktop(Errand::AskNoMore),
            Self::SetPort { service, port } => Doer::Agent(Action::SetPort { service, port }),
            Self::WritePgService { service } => Doer::Agent(Action::WritePgService { service }),
            Self::Dismiss { org, about } => Doer::Agent(Action::DismissProblem { org, about }),
            Self::Leave { org } => Doer::Agent(Action::Leave { org }),
            Self::Copy { what } => Doer::Desktop(Errand::Copy(what)),
            Self::OpenWindow => Doer::Desktop(Errand::OpenWindow),
            Self::TryAgain { org } => Doer::Desktop(Errand::TryAgain(org)),
            Self::Show { what } => Doer::Desktop(Errand::Show(what)),
            Self::Shown => Doer::Desktop(Errand::Shown),
            Self::Device { org, what } => Doer::Agent(what.action(org)),
            Self::Set { what } => Doer::Desktop(Errand::Set(what)),
            Self::JoinArrived => Doer::Desktop(Errand::JoinArrived),
            Self::DropArrived => Doer::Desktop(Errand::DropArrived),
            Self::OpenSignInPage { org } => Doer::Desktop(Errand::OpenSignInPage(org)),
            Self::Quit => Doer::Desktop(Errand::Quit),
        }
    }
}

fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > MAX_JOIN_TEXT {
        return Err(serde::de::Error::custom("the join link is too long"));
    }
    Ok(Secret::from(text))
}
