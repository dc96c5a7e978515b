//! Follows the authority's word about who was shut out, and ends what they hold: links and waiting circuits at once,
//! joined circuits after a moment, in which the outlet, which hears of it too, can still say why.

use crate::Inner;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

/// For the outlet to end a portal with its reason, before the relay ends the circuit without one.
const GRACE: Duration = Duration::from_secs(1);

/// Ends what each newly listed pseudonym holds, until the relay stops.
pub(crate) async fn follow(inner: Arc<Inner>, mut listed: watch::Receiver<Arc<BTreeSet<String>>>) {
    let mut known = Arc::new(BTreeSet::new());
    loop {
        let now = Arc::clone(&listed.borrow_and_update());
        for pseudonym in now.difference(&known) {
            inner.registry.shut_out(pseudonym);
            tracing::info!(pseudonym, "a holder was shut out");
        }
        known = now;
        let changed = inner.stop.run_until_cancelled(listed.changed()).await;
        if !matches!(changed, Some(Ok(()))) {
            return;
        }
    }
}

/// Ends when a circuit that is already joined must end.
pub(crate) async fn over(shut_out: &CancellationToken) {
    shut_out.cancelled().await;
    sleep(GRACE).await;
}
