//! `tidegate dsn`: how to reach a service, in the form that some program wants.
//! The port is the same every day, so this answers before anybody connects; whether it is open now is said on standard error.

use clap::ValueEnum as _;
use tidegate_agent::pg_service::{self, Edit, PgServiceError};
use tidegate_agent::{Form, OrgName, ServiceView, Snapshot};

use super::report::Service;
use super::seat::{Seat, SeatArgs};
use super::which;
use crate::failure::{Exit, Failure};
use crate::out::{OutArgs, data, note};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate dsn warehouse                          postgresql://localhost:15432/nyc
  tidegate dsn warehouse --as pandas              a notebook cell
  tidegate dsn warehouse --as env >> .env
  tidegate dsn warehouse --as pg_service --write  then: psql service=warehouse
  tidegate dsn warehouse --as all")]
pub(crate) struct Dsn {
    /// The service: `warehouse`, or `acme/warehouse`.
    service: String,
    /// For which program.
    #[arg(long = "as", value_enum, default_value = "url", value_name = "FORM")]
    form: Which,
    /// Write the entry into your pg_service.conf, between markers; what else is in there stays.
    #[arg(long)]
    write: bool,
    /// Take the entry out of your pg_service.conf again.
    #[arg(long, conflicts_with = "write")]
    remove: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
enum Which {
    /// A connection URL, or the address of a tcp service.
    Url,
    /// The psql command.
    Psql,
    /// For create_engine, with psycopg 3.
    Sqlalchemy,
    /// A notebook cell.
    Pandas,
    /// For Java.
    Jdbc,
    /// The command that opens DBeaver with this connection.
    Dbeaver,
    /// Lines of a .env file.
    Env,
    /// An entry of pg_service.conf.
    PgService,
    /// All of them.
    All,
}

impl Which {
    fn form(self) -> Option<Form> {
        Some(match self {
            Self::Url => Form::Url,
            Self::Psql => Form::Psql,
            Self::Sqlalchemy => Form::Sqlalchemy,
            Self::Pandas => Form::Pandas,
            Self::Jdbc => Form::Jdbc,
            Self::Dbeaver => Form::Dbeaver,
            Self::Env => Form::Env,
            Self::PgService => Form::PgService,
            Self::All => return None,
        })
    }
}

impl Dsn {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if (self.write || self.remove) && self.form != Which::PgService {
            return Err(only_pg_service());
        }
        let snapshot = known(&self.seat, &self.service).await?;
        let (org, view) = which::listed(&snapshot, &self.service)?;
        if self.write || self.remove {
            return self.edit(&snapshot, &org, view);
        }
        say_if_closed(view);
        let service = Service::with_forms(&org, view);
        if self.out.json {
            return crate::out::json(&service);
        }
        match self.form.form() {
            Some(form) => data(
                &view
                    .connection
                    .get(form)
                    .ok_or_else(|| no_form(self.form))?,
            ),
            None => {
                let part = |(form, text): (Form, String)| format!("# {}\n{text}\n", form.name());
                let parts: Vec<_> = view.connection.all().map(part).collect();
                data(&parts.join("\n"));
            }
        }
        Ok(())
    }

    fn edit(&self, snapshot: &Snapshot, org: &OrgName, view: &ServiceView) -> Result<(), Failure> {
        let section = pg_service::section(snapshot, org, view);
        let path = pg_service::path().map_err(|error| not_edited("pg_service.conf", &error))?;
        let shown = path.display().to_string();
        let edit = if self.remove {
            pg_service::remove(&path, &section)
        } else {
            let entry = view.connection.pg_service(&section);
            pg_service::write(&path, &section, &entry.ok_or_else(|| no_form(self.form))?)
        };
        let edit = edit.map_err(|error| not_edited(&shown, &error))?;
        let service = Service::with_forms(org, view);
        let words = || match edit {
            Edit::Written => format!("Wrote [{section}] into {shown}: psql service={section}"),
            Edit::Removed => format!("Took [{section}] out of {shown}."),
            Edit::Unchanged => format!("{shown} says so already."),
        };
        self.out.answer(&service, words)
    }
}

/// A snapshot in which the service may be looked for: the first one, where it has it.
pub(super) async fn known(args: &SeatArgs, service: &str) -> Result<Snapshot, Failure> {
    let seat = Seat::glance(args).await?;
    let first = seat.look(false).await;
    let has_it = |snapshot: &Snapshot| which::listed(snapshot, service).is_ok();
    let known = match first {
        Ok(snapshot) if !has_it(&snapshot) && !snapshot.orgs.is_empty() => seat.look(true).await,
        first => first,
    };
    seat.leave().await;
    known
}

/// Somebody who pastes the line now should not wonder.
pub(super) fn say_if_closed(view: &ServiceView) {
    if !view.state.is_connected() {
        note(&format!(
            "{name} is not connected: `tidegate connect {name}` opens its port.",
            name = view.name
        ));
    }
}

fn no_form(form: Which) -> Failure {
    let name = form.to_possible_value();
    let name = name
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default();
    Failure::new(
        Exit::Usage,
        format!("there is no {name} form"),
        "this kind of service, or the name of its database, cannot be said that way",
        "use --as url, or --as all to see what there is",
    )
}

fn only_pg_service() -> Failure {
    Failure::new(
        Exit::Usage,
        "only pg_service.conf can be written",
        "the other forms have no file that is known",
        "add --as pg_service, or redirect the output",
    )
}

fn not_edited(path: &str, error: &PgServiceError) -> Failure {
    Failure::new(
        Exit::ThisComputer,
        format!("{path} was not changed"),
        error.to_string(),
        error.fix(),
    )
}
