//! Tells the authority of first uses, so that it can tell the other outlets of the service, and whoever asked.
//! On a connection of its own: the one that carries beacons and take-backs must not be deaf for a moment because of it.

use super::{Way, register};
use crate::grants::Clocks;
use crate::known::Known;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_link::{Backoff, LinkError};
use tidegate_proto::api::access::{FirstUse, GrantNews};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::statement::GrantId;
use tidegate_proto::time::UnixTime;
use tokio_util::sync::CancellationToken;

/// What telling needs.
pub(crate) struct Teller {
    pub(crate) way: Way,
    pub(crate) known: Arc<Known>,
    pub(crate) clocks: Arc<Clocks>,
}

/// Why somebody was not told.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Api(#[from] ApiError),
}

impl Teller {
    /// Until `stop`, whatever happens.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.tell_for_ever()).await;
    }

    async fn tell_for_ever(&self) {
        let mut started = self.clocks.started();
        let (mut told, mut backoff) = (BTreeSet::new(), Backoff::default());
        loop {
            started.mark_unchanged();
            let new = self.untold(&mut told);
            if new.is_empty() {
                backoff.reset();
                // Its sender lives as long as we do.
                let _ = started.changed().await;
                continue;
            }
            match self.tell(&new).await {
                Ok(()) => told.extend(new.iter().map(key)),
                Err(error) => {
                    tracing::warn!(hub = %self.way.hub, %error, "authority was not told of a first use");
                    tokio::time::sleep(backoff.next(&SystemEntropy)).await;
                }
            }
        }
    }

    /// As many as one call holds; the others come next.
    fn untold(&self, told: &mut BTreeSet<(GrantId, UnixTime)>) -> Vec<FirstUse> {
        let uses = self.known.first_uses();
        let known: BTreeSet<_> = uses.iter().map(key).collect();
        told.retain(|used| known.contains(used));
        let new = uses.into_iter().filter(|used| !told.contains(&key(used)));
        new.take(GrantNews::MAX).collect()
    }

    async fn tell(&self, uses: &[FirstUse]) -> Result<(), NotTold> {
        let connection = self.way.connect().await?;
        let mut api = ApiClient::new(connection).await?;
        let link_key = self.way.link_key.public();
        register(&mut api, &self.way.keys.identity, link_key, uses.to_vec()).await?;
        Ok(())
    }
}

fn key(used: &FirstUse) -> (GrantId, UnixTime) {
    (used.grant, used.at)
}
