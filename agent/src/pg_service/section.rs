//! A service's section: what it is called, and the person's request to have it written.
//! A newcomer would call it by the service's name alone: two orgs may have one of that name, and a file has one section of it.

use std::sync::Arc;

use tokio::sync::watch;

use super::{PgServiceError, path, write};
use crate::{Code, OrgName, Problem, ServiceRef, ServiceView, Snapshot};

/// `warehouse`; with its org in front where several have one of that name.
#[must_use]
pub fn section(snapshot: &Snapshot, org: &OrgName, service: &ServiceView) -> String {
    let same = |other: &ServiceView| other.name == service.name;
    let several = snapshot.services().filter(|(_, other)| same(other)).count() > 1;
    if several {
        format!("{org}-{}", service.name)
    } else {
        service.name.to_string()
    }
}

/// Writes it into the file that libpq reads, away from the tasks that must not wait for a disk.
pub(crate) async fn write_section(
    snapshot: watch::Receiver<Arc<Snapshot>>,
    service: ServiceRef,
) -> Result<(), Problem> {
    let snapshot = Arc::clone(&snapshot.borrow());
    let Some(view) = snapshot.service(&service) else {
        return Err(Problem::new(Code::NotAvailable).service(&service.service));
    };
    let section = section(&snapshot, &service.org, view);
    let Some(entry) = view.connection.pg_service(&section) else {
        return Err(Problem::new(Code::PgServiceNotWritten)
            .said("the name of this service's database cannot stand there"));
    };
    let written = tokio::task::spawn_blocking(move || written(&section, &entry)).await;
    written.unwrap_or_else(|_| Err(Problem::new(Code::Internal)))
}

fn written(section: &str, entry: &str) -> Result<(), Problem> {
    let file = path().map_err(|error| refused(&error))?;
    write(&file, section, entry)
        .map(|_| tracing::info!(section, "section of pg_service.conf was asked for"))
        .map_err(|error| refused(&error).path(&file.display().to_string()))
}

fn refused(error: &PgServiceError) -> Problem {
    Problem::new(Code::PgServiceNotWritten).said(&error.to_string())
}
