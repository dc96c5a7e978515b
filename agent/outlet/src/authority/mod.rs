//! Listens to the authority: fetches what the outlet works by, follows its beacons, and comes back when it was lost.
//! Nothing it says is believed but what the org root signed; silence costs new rights, never running ones.

mod api;
mod handing;
mod telling;

use crate::audit::Audit;
use crate::keys::OutletKeys;
use crate::known::{Changes, Known, NotTaken, Parts};
use crate::relays::Registration;
pub(crate) use api::register;
pub(crate) use handing::Hander;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use telling::Teller;
use tidegate_link::Backoff;
use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_link::{ApiConnection, LinkError};
use tidegate_proto::api::access::GrantNews;
use tidegate_proto::api::{Hello, OutletAnswer, event};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::EventKind;
use tidegate_proto::identity::{NoiseSecret, PeerId};
use tidegate_proto::names::{HubAddress, OrgName};
use tidegate_proto::sse::MAX_LINE;
use tidegate_proto::statement::{Newest, Pass};
use tidegate_proto::strict;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A pass lives ten minutes: a new one is fetched when half of that is left.
const REFRESH: Duration = Duration::from_secs(Pass::LIFE / 2);
/// A connection that was of use for this long did not fail at once.
const SETTLED: Duration = Duration::from_secs(30);
/// One that ended sooner was of no use.
const BRIEF: Duration = Duration::from_secs(1);

/// Why the authority is not followed any more.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
}

/// Where the authority is, and who asks there.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) hub: HubAddress,
    pub(crate) org: OrgName,
    pub(crate) root: PeerId,
    pub(crate) keys: Arc<OutletKeys>,
    pub(crate) link_key: Arc<NoiseSecret>,
}

impl Way {
    async fn connect(&self) -> Result<ApiConnection, LinkError> {
        ApiConnection::connect(&self.hub, &self.org, self.root, &self.link_key).await
    }
}

/// What following the authority needs.
pub(crate) struct Follower {
    pub(crate) way: Way,
    pub(crate) data: PathBuf,
    pub(crate) known: Arc<Known>,
    pub(crate) audit: Audit,
    pub(crate) registration: watch::Sender<Option<Arc<Registration>>>,
}

impl Follower {
    /// Until `stop`, whatever happens.
    pub(crate) async fn run(self, stop: CancellationToken) {
        // What was known before a restart counts until the authority says more.
        self.register();
        let _ = stop.run_until_cancelled(self.follow_for_ever()).await;
    }

    async fn follow_for_ever(&self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let followed = self.follow().await;
            if begun.elapsed() > SETTLED {
                backoff.reset();
            }
            match followed {
                // It is time for a new answer. An authority that says so all the time waits like one that is lost.
                Ok(()) if begun.elapsed() > BRIEF => continue,
                Ok(()) => {}
                Err(error) => tracing::warn!(hub = %self.way.hub, %error, "authority was lost"),
            }
            tokio::time::sleep(backoff.next(&SystemEntropy)).await;
        }
    }

    /// One connection: one answer, then events until it is time for the next answer.
    async fn follow(&self) -> Result<(), Lost> {
        let connection = self.way.connect().await?;
        let hello = connection.hello.clone();
        let mut api = ApiClient::new(connection).await?;
        // The others, and those from now on, are told on another connection.
        let mut used = self.known.first_uses();
        used.truncate(GrantNews::MAX);
        let link_key = self.way.link_key.public();
        let answer = register(&mut api, &self.way.keys.identity, link_key, used).await?;
        let newest = self.take(hello, answer).await?;
        let mut events = api.events().await?;
        let refresh = tokio::time::sleep(REFRESH);
        tokio::pin!(refresh);
        loop {
            let event = tokio::select! {
                event = events.next() => event?,
                () = &mut refresh => return Ok(()),
            };
            match event.name.as_str() {
                // A change that happened between the answer and the first event shows in the versions.
                event::BEACON if self.take_beacon(&event.data).await? != newest => return Ok(()),
                event::CHANGED => return Ok(()),
                event::GRANTS => self.take_grants(&event.data).await?,
                _ => {}
            }
        }
    }

    /// Gives back the newest versions there are, by the authority's word.
    async fn take(&self, hello: Hello, answer: OutletAnswer) -> Result<Option<Newest>, Lost> {
        let parts = Parts {
            roots: hello.roots,
            authority: answer.authority,
            idp: answer.idp,
            policy: answer.policy,
            services: answer.services,
        };
        let changes = self.known.take_parts(parts)?;
        self.known.take_pass(answer.pass);
        self.keep().await;
        self.note(changes).await;
        self.take_news(&answer.grants).await;
        let newest = self.take_beacon(&answer.beacon).await?;
        self.register();
        Ok(newest)
    }

    /// A beacon that only shows a wrong clock is no reason to leave: what it revokes has been taken.
    async fn take_beacon(&self, jws: &str) -> Result<Option<Newest>, Lost> {
        let changes = match self.known.take_beacon(jws) {
            Ok(changes) => changes,
            Err(NotTaken::Clock) => {
                tracing::error!(
                    "beacon and this computer's clock differ, the authority counts as away"
                );
                self.keep().await;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (stricter, newest) = (changes.stricter, changes.newest);
        if stricter {
            self.keep().await;
        }
        self.note(changes).await;
        Ok(newest)
    }

    async fn take_grants(&self, data: &str) -> Result<(), Lost> {
        let news = strict::json(data.as_bytes(), MAX_LINE).map_err(|_| ApiError::Answer)?;
        self.take_news(&news).await;
        Ok(())
    }

    /// It only ends what is open, or shortens it: no signature is needed for that.
    async fn take_news(&self, news: &GrantNews) {
        let (ended, changed) = self.known.take_news(news);
        if changed {
            self.keep().await;
        }
        for grant in ended {
            tracing::info!(%grant, "grant was taken back");
            let what = EventKind::GrantTakenBack { grant, by: None };
            if let Err(error) = self.audit.record(what).await {
                tracing::error!(%error, "a change was not recorded");
            }
        }
    }

    /// What changed is in force already; the audit only says so.
    async fn note(&self, changes: Changes) {
        let changed = changes
            .what
            .into_iter()
            .map(|what| EventKind::StandingChanged {
                what: what.to_owned(),
            });
        let revoked = changes
            .revoked
            .into_iter()
            .map(|revoked| EventKind::Revoked {
                who: revoked.who,
                epoch: revoked.epoch,
            });
        for what in changed.chain(revoked) {
            tracing::info!(?what, "outlet's standing changed");
            if let Err(error) = self.audit.record(what).await {
                tracing::error!(%error, "a change was not recorded");
            }
        }
    }

    /// What cannot be kept is in force all the same; leaving the authority over it would only lose what comes next.
    async fn keep(&self) {
        let (known, data) = (Arc::clone(&self.known), self.data.clone());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || known.keep(&data)).await {
            tracing::error!(%error, "what is known was not kept");
        }
    }

    /// Shows relays what we may say there, if we may say anything yet.
    fn register(&self) {
        let Some(pass) = self.known.pass() else {
            return;
        };
        let served = self.known.served();
        let registration = Registration {
            pass,
            roots: self.known.roots(),
            entries: served.iter().map(|s| s.entry.clone()).collect(),
            names: served
                .iter()
                .map(|s| (s.entry.handle, s.statement.service.clone()))
                .collect(),
            relays: served
                .iter()
                .flat_map(|s| {
                    s.statement
                        .relays
                        .iter()
                        .map(|relay| (relay.address.clone(), relay.noise))
                })
                .collect(),
        };
        if registration.names.is_empty() {
            tracing::warn!("catalogue names no service of this outlet");
        }
        self.registration.send_replace(Some(Arc::new(registration)));
    }
}
