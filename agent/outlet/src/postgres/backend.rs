//! The end of a backend: what runs for a portal stops with it, also when the query runs against being stopped.
//! Order matters: reset first, so that whatever was pipelined finds no connection; cancel; then end what is left.

use std::time::{Duration, Instant};

use tidegate_postgres::BackendKey;
use tokio::time::timeout;

use super::cancels::Backend;
use super::fault::Fault;
use super::service::PostgresService;
use super::stream::Stream;
use super::visit::Visit;
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
async fn visit(
    service: &PostgresService,
    backend: &Backend,
    gone: Instant,
) -> Result<usize, Fault> {
    let access = service.access().await?;
    let right = Right::Ending(backend.spent.clone());
    let why = ("end", &*access.database);
    let mut visit = Visit::begin(right, &access, service.accepts(), why).await?;
    let ended = visit.ask(&ending_of(&backend.key, gone.elapsed())).await?;
    visit.leave().await?;
    Ok(ended.len())
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
