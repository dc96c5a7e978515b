//! The task that keeps the link to one relay up: makes it, holds it, and makes it again.
//! It sleeps between attempts, and wakes when somebody needs the link; a link that was left on purpose is made anew at once.

use std::sync::Arc;
use std::time::Duration;

use tidegate_link::{LinkError, LinkState, Pulse, RelayLink, dial};
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::OrgName;
use tidegate_proto::statement::Relay;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::links::Way;
use crate::backoff::Backoff;
use crate::network::left;

/// A link that lasted so long was a good one: when it breaks, the next attempt does not wait long.
const STEADY: Duration = Duration::from_secs(30);

/// What a keeper's task works with.
pub(super) struct Keeping {
    pub(super) org: OrgName,
    pub(super) noise: Arc<NoiseSecret>,
    pub(super) relay: Relay,
    pub(super) pass: watch::Receiver<Option<String>>,
    pub(super) publish: watch::Sender<Way>,
    pub(super) hurry: Arc<Notify>,
    pub(super) anew: Arc<Notify>,
    pub(super) broken: watch::Sender<u64>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) lost: Arc<Notify>,
}

impl Keeping {
    /// Keeps the link up until it is stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let stopped = stop.clone();
        tokio::select! {
            () = stopped.cancelled() => {}
            () = self.keep_trying() => {}
        }
        let last = self.publish.send_replace(Way::Failed(LinkError::Lost));
        end(last).await;
    }

    async fn keep_trying(&mut self) {
        let mut backoff = Backoff::new();
        loop {
            end(self.publish.send_replace(Way::Connecting)).await;
            let Ok(pass) = self
                .pass
                .wait_for(Option::is_some)
                .await
                .map(|pass| pass.clone().unwrap_or_default())
            else {
                return;
            };
            let error = match self.connect(pass).await {
                Ok(link) => {
                    let since = Instant::now();
                    let ended = self.hold(Arc::new(link)).await;
                    if since.elapsed() >= STEADY {
                        backoff.reset();
                    }
                    self.broken.send_modify(|links| *links += 1);
                    match ended {
                        Some(error) => error,
                        // Nothing failed: whoever waits, waits for the new one.
                        None => continue,
                    }
                }
                Err(error) => error,
            };
            tracing::info!(relay = %self.relay.address, %error, "relay link ended");
            end(self.publish.send_replace(Way::Failed(error))).await;
            tokio::select! {
                () = sleep(backoff.wait()) => {}
                () = self.hurry.notified() => {}
            }
        }
    }

    /// One attempt. What was begun from an address that is gone meanwhile would be waited for until its limit.
    async fn connect(&self, pass: String) -> Result<RelayLink, LinkError> {
        let tcp = dial(&self.relay.address, RelayLink::DIAL_LIMIT).await?;
        let from = tcp.local_addr().map(|local| local.ip()).ok();
        let link = RelayLink::over(tcp, self.relay.noise, &self.noise, &self.org, pass);
        tokio::select! {
            link = link => link,
            () = left(from) => Err(LinkError::Lost),
        }
    }

    /// Shows new passes over the link until it ends or the relay wants to be left; `None` when it is to be made anew.
    async fn hold(&mut self, link: Arc<RelayLink>) -> Option<LinkError> {
        let mut gone = std::pin::pin!(gone(link.state()));
        // Whoever waits to hear of a break has a portal that stands on this way.
        let broken = self.broken.clone();
        let mut silent = std::pin::pin!(self.pulse.stops(&link, || broken.receiver_count() > 0));
        self.publish.send_replace(Way::Up(Arc::clone(&link)));
        tracing::info!(relay = %self.relay.address, "relay link came up");
        loop {
            tokio::select! {
                error = &mut gone => return Some(error),
                () = &mut silent => {
                    self.lost.notify_one();
                    return Some(LinkError::TimedOut);
                }
                () = self.anew.notified() => return None,
                changed = self.pass.changed() => {
                    let pass = self.pass.borrow_and_update().clone();
                    let (Ok(()), Some(pass)) = (changed, pass) else { return Some(LinkError::Lost) };
                    if let Err(error) = link.new_pass(pass).await {
                        return Some(error);
                    }
                }
            }
        }
    }
}

/// Waits until a link has ended or its relay asks to be left.
async fn gone(mut state: watch::Receiver<LinkState>) -> LinkError {
    let changed = state.wait_for(|state| *state != LinkState::Up).await;
    match changed.as_deref() {
        Ok(LinkState::Closed(error)) => *error,
        _ => LinkError::Lost,
    }
}

/// Waits for a link's task, if nobody else still uses the link.
async fn end(way: Way) {
    if let Way::Up(link) = way
        && let Some(link) = Arc::into_inner(link)
    {
        link.shutdown().await;
    }
}
