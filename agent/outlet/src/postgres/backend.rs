//! The end of a backend: what runs for a portal stops with it, also when the query runs against being stopped.
//! Order matters: reset first, so that whatever was pipelined finds no connection; cancel; then end what is left.

use std::time::{Duration, Instant};

use tidegate_postgres::{BackendKey, Boundary, Login, Startup, Version, simple_query, terminate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::begin::credentials;
use super::cancels::Backend;
use super::fault::Fault;
use super::service::PostgresService;
use super::stream::Stream;
use crate::dial::Right;

/// For a cancel request.
pub(super) const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// For the visit that ends what a cancel did not.
const VISIT_LIMIT: Duration = Duration::from_secs(5);

/// Ends the connection to a backend, and the backend. An idle one ends by itself when its connection is gone.
pub(super) async fn end(
    service: &PostgresService,
    stream: Stream,
    backend: Option<Backend>,
    idle: bool,
) {
    tidegate_link::abort(stream.into_tcp());
    let gone = Instant::now();
    let Some(backend) = backend.filter(|_| !idle) else {
        return;
    };
    if timeout(
        CANCEL_LIMIT,
        backend
            .route
            .cancel(&backend.spent, &backend.key.cancel_request()),
    )
    .await
        != Ok(Ok(()))
    {
        tracing::warn!(service = %service.name(), "could not cancel a query that was running");
    }
    match timeout(VISIT_LIMIT, visit(service, &backend, gone)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(_)) => tracing::info!(service = %service.name(), "ended a backend at the database"),
        Ok(Err(error)) => {
            tracing::warn!(service = %service.name(), %error, "could not look for a backend left over")
        }
        Err(_) => {
            tracing::warn!(service = %service.name(), "could not look for a backend left over in time")
        }
    }
}

/// Logs in once more and ends the backend if it is still there: code may catch a cancel and go on, but not this.
/// Gives how many were ended.
async fn visit(service: &PostgresService, backend: &Backend, gone: Instant) -> Result<u64, Fault> {
    let access = service.access().await?;
    let startup = Startup::new(Version::V3_0)
        .with("database", &access.database)
        .with("application_name", "tidegate:end")
        // A role can change its own defaults; here they do not count.
        .with("search_path", "pg_catalog")
        .with("statement_timeout", "0");
    let (login, first) = Login::start(
        credentials(&access),
        service.accepts(),
        startup,
        access.route.uses_tls(),
    );
    let right = Right::Ending(backend.spent.clone());
    let (mut stream, ..) = access.route.log_in(right, login, first).await?;
    stream
        .write_all(&simple_query(&ending_of(&backend.key, gone.elapsed())))
        .await?;
    stream.flush().await?;
    let ended = rows_until_ready(&mut stream).await?;
    stream.write_all(&terminate()).await?;
    stream.flush().await?;
    Ok(ended)
}

/// Process ids are used again: only a backend that began before its connection was cut is meant.
fn ending_of(key: &BackendKey, gone_for: Duration) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE pid OPERATOR(pg_catalog.=) {} AND backend_start OPERATOR(pg_catalog.<) \
         (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => {:.3}))",
        key.pid(),
        gone_for.as_secs_f64(),
    )
}

async fn rows_until_ready(stream: &mut Stream) -> Result<u64, Fault> {
    let (mut boundary, mut rows, mut ready, mut refused) = (Boundary::default(), 0, false, false);
    let mut buffer = [0; 1024];
    while !ready {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(Fault::Io(std::io::ErrorKind::UnexpectedEof));
        }
        boundary.walk(&buffer[..count], |tag| {
            rows += u64::from(tag == b'D');
            ready |= tag == b'Z';
            refused |= tag == b'E';
        });
    }
    if refused {
        Err(Fault::VisitRefused)
    } else {
        Ok(rows)
    }
}
