//! The task that keeps a signed-in agent let in: round after round it shows who it is, and listens until the next is due.
//! Each round has a connection of its own: HTTP/1.1 cannot ask while events arrive, and a handshake costs next to nothing.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tidegate_proto::api::devices::DevicesRequest;
use tidegate_proto::api::{CredentialAnswer, CredentialRequest, event};
use tidegate_proto::auth::prove;
use tidegate_proto::identity::{NoiseSecret, SigningKey, VerifyKey};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::sse::ServerEvent;
use tidegate_proto::statement::{
    Beacon, Credential, DeviceChain, IdpStatement, Statement, StatementError,
};
use tidegate_proto::time::UnixTime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::api::{Api, ApiError, Events, HubIdentity};
use super::beacon::{Heard, Listener};
use super::greeting::{greet, watched};
use super::renewal::{Due, Renewal};
use super::report::{BETTER, HubReport, Learned, Setback, is_final};
use super::trust::Trust;
use crate::backoff::{Backoff, jitter};
use crate::circuit::Circuits;
use crate::clock::Clock;
use crate::keys::{Kept, Vault};
use crate::network;
use crate::problems;
use crate::signin::provider::Provider;
use crate::signin::refresh::{RefreshError, Refresher};
use crate::signin::tokens::Session;
use crate::snapshot::HubState;
use crate::wake::{Slept, is_late};

/// Rounds never follow each other faster than this, however often the hub says that something changed.
const ROUND_GAP: Duration = Duration::from_millis(300);
const AWAY_AFTER: Duration = Duration::from_secs(Beacon::AWAY_AFTER);
/// How often somebody looks whether the computer slept. What happens at once after it woke is seen as late as this.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Everything the task works with.
pub(crate) struct HubKeeper {
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) identity: Arc<SigningKey>,
    pub(crate) vault: Vault,
    pub(crate) refresh_lock: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) trust: Trust,
    pub(crate) chain: Option<DeviceChain>,
    pub(crate) circuits: Arc<Circuits>,
    pub(crate) reports: mpsc::Sender<HubReport>,
}

/// What to do about a beacon.
enum Sign {
    OfLife,
    /// The credential at hand opens nothing any more.
    Renew,
    None,
}

impl HubKeeper {
    /// Runs until access ends for good or the task is dropped.
    pub(crate) async fn run(self, session: Arc<Session>) {
        let circuits = Arc::clone(&self.circuits);
        tokio::select! {
            () = self.stay(session) => {}
            () = network::follow(&circuits) => {}
        }
    }

    async fn stay(mut self, session: Arc<Session>) {
        let org = self.hub.org.clone();
        let refresher = Refresher::new(
            self.vault.clone(),
            org,
            self.refresh_lock.clone(),
            Arc::clone(&session),
        );
        let mut current = session;
        let mut backoff = Backoff::new();
        let mut away_since = None;
        loop {
            let problem = match self.round(&mut current, &refresher, &mut away_since).await {
                Ok(()) => {
                    backoff.reset();
                    sleep(ROUND_GAP).await;
                    continue;
                }
                Err(Setback::Final(problem)) => return self.end(problem).await,
                Err(Setback::Away(problem)) => problem,
            };
            let since = *away_since.get_or_insert(self.clock.now());
            self.report(HubReport::State(HubState::Away { since }))
                .await;
            self.report(HubReport::Trouble(problem.since(since))).await;
            self.rest(backoff.wait()).await;
        }
    }

    /// Waits before the next attempt; somebody who needs it now shortens that, but not to nothing.
    async fn rest(&self, wait: Duration) {
        sleep(wait.min(ROUND_GAP)).await;
        tokio::select! {
            () = sleep(wait.saturating_sub(ROUND_GAP)) => {}
            () = self.circuits.hurry.notified() => {}
        }
    }

    /// Shows who we are, publishes the new rights, and listens until the next round is due.
    async fn round(
        &mut self,
        session: &mut Arc<Session>,
        refresher: &Refresher,
        away_since: &mut Option<UnixTime>,
    ) -> Result<(), Setback> {
        if self.clock.now() >= session.ends() {
            return Err(Setback::Final(Problem::new(Code::SessionExpired)));
        }
        // Who is away already stays so until it answers.
        let reports = away_since.is_none().then(|| self.reports.clone());
        let (mut api, idp) = watched(&reports, self.greet()).await?;
        let renewal = self.fresh_token(session, refresher, &idp).await?;
        let answer = watched(&reports, self.credential(&mut api, session)).await?;
        let (access, listener) = self.believe(&api, &answer, session)?;
        self.same_time(&listener, &answer.beacon).await?;
        // From here on no chain that ends before this root is believed.
        self.hub.root = api.root.peer_id();
        self.publish(&access, &answer, (api.root, idp)).await;
        if away_since.take().is_some() {
            tracing::info!("hub came back");
        }
        self.report(HubReport::State(HubState::Connected)).await;
        self.report(HubReport::Better(BETTER)).await;
        self.look_at_devices(&mut api, &access).await;
        let renewal = renewal.with_credential(access.credential_until, jitter());
        let from = api.from;
        let events = api.events().await.map_err(|error| self.setback(&error))?;
        self.listen((events, from), &listener, &renewal, &access)
            .await
    }

    async fn greet(&mut self) -> Result<(Api, IdpStatement), Setback> {
        let greeted = greet(&self.hub, &self.noise, &mut self.trust).await;
        greeted.map_err(|error| self.setback(&error))
    }

    /// Makes sure that the newest ID token will still hold for a while, refreshing it when it is due.
    async fn fresh_token(
        &self,
        session: &mut Arc<Session>,
        refresher: &Refresher,
        idp: &IdpStatement,
    ) -> Result<Renewal, Setback> {
        let now = self.clock.now();
        let renewal = renewal_of(session);
        match renewal.due(now) {
            Due::IdToken => {}
            Due::SignIn | Due::Credential | Due::Nothing(_) => return Ok(renewal),
        }
        match self.refresh(session, refresher, idp).await {
            Ok((newer, kept)) => {
                if let Kept::InMemory(error) = kept {
                    self.report(HubReport::Trouble(problems::of_store(error)))
                        .await;
                }
                *session = newer;
                Ok(renewal_of(session).unhurried(now))
            }
            Err(error) if error.is_final() => {
                Err(Setback::Final(problems::of_refresh(error, &idp.issuer)))
            }
            Err(error) if renewal.token_holds(now) => {
                tracing::info!(%error, "id token was not refreshed yet");
                Ok(renewal.unhurried(now))
            }
            Err(error) => Err(Setback::Away(problems::of_refresh(error, &idp.issuer))),
        }
    }

    async fn refresh(
        &self,
        session: &Session,
        refresher: &Refresher,
        idp: &IdpStatement,
    ) -> Result<(Arc<Session>, Kept), RefreshError> {
        let provider = Provider::discover(idp).await?;
        let nonce = session.nonce(&self.identity.verify_key(), &self.hub.org, &idp.client_id);
        let now = self.clock.now();
        refresher
            .newer_than(session, async |token| {
                provider.refresh(&token, &nonce, now).await
            })
            .await
    }

    async fn credential(
        &self,
        api: &mut Api,
        session: &Session,
    ) -> Result<CredentialAnswer, Setback> {
        let request = CredentialRequest {
            identity: self.identity.verify_key(),
            id_token_0: session.id_token_0.to_string(),
            rz: session.rz,
            id_token_n: session.id_token_n.as_ref().map(|token| token.to_string()),
            link_key: self.noise.public(),
            proof: prove(&api.hash, &self.identity),
        };
        api.credential(&request)
            .await
            .map_err(|error| self.setback(&error))
    }

    /// Checks what the authority answered before anything is built on it.
    fn believe(
        &mut self,
        api: &Api,
        answer: &CredentialAnswer,
        session: &Arc<Session>,
    ) -> Result<(Arc<Access>, Listener), Setback> {
        let org = &self.hub.org;
        let credential = Credential::verify_for(&answer.credential, &api.authority.key, org)
            .and_then(|credential| {
                let mine = credential.cnf == self.identity.verify_key().peer_id();
                if mine {
                    Ok(credential)
                } else {
                    Err(StatementError::Content)
                }
            })
            .map_err(|error| self.setback(&error.into()))?;
        let catalogue = self.trust.catalogue(&answer.services, &api.root, org);
        let listener = Listener {
            org: org.clone(),
            authority: api.authority.key,
            subject: credential.sub,
            device: credential.cnf,
            epoch: credential.epoch,
        };
        let access = Access {
            org: org.clone(),
            credential: answer.credential.clone(),
            credential_until: credential.not_after,
            session: Arc::clone(session),
            identity: Arc::clone(&self.identity),
            catalogue,
            askable: answer.askable.clone(),
            chain: self.chain_under(&api.root),
            outdated: CancellationToken::new(),
        };
        Ok((Arc::new(access), listener))
    }

    /// How this device was enrolled, if that still follows from the root: one that does not would only have AUTH refused.
    fn chain_under(&self, root: &VerifyKey) -> Option<DeviceChain> {
        let own = self.identity.verify_key();
        let holds = |chain: &DeviceChain| {
            let proved = chain.verify(root, &self.hub.org);
            proved.is_ok_and(|(_, key)| key == own)
        };
        self.chain.clone().filter(holds)
    }

    /// A new credential looks old or unborn to a clock that is wrong: it would be fetched again at once, for ever.
    /// So nothing is built on it, and whoever waits for it is told why; what is open stays open.
    async fn same_time(&self, listener: &Listener, beacon: &str) -> Result<(), Setback> {
        match listener.hear(beacon, self.clock.now()) {
            Heard::ClockOff => {}
            // Given just now, and from before the floor already: to ask again at once would never end.
            Heard::Stale => return Err(Setback::Away(Problem::new(Code::AuthorityAway))),
            Heard::Fine | Heard::Revoked | Heard::Nothing => return Ok(()),
        }
        let problem = Problem::new(Code::ClockOff);
        self.report(HubReport::Withheld(problem.clone())).await;
        Err(Setback::Away(problem))
    }

    /// New portals use the new rights once the owner has heard of them; open ones are shown them.
    async fn publish(
        &self,
        access: &Arc<Access>,
        answer: &CredentialAnswer,
        (root, idp): (VerifyKey, IdpStatement),
    ) {
        let relays = access
            .catalogue
            .values()
            .flat_map(|listing| listing.statement.relays.clone());
        self.circuits.links.admit(answer.pass.clone(), relays);
        let learned = Learned {
            trust: self.trust.clone(),
            root,
            services: answer.services.clone(),
            idp,
        };
        self.report(HubReport::Learned(Box::new(learned))).await;
        self.report(HubReport::Granted(Arc::clone(access))).await;
    }

    /// Listens to the authority until something is due or changed, or the address is gone that this connection stands on.
    async fn listen(
        &self,
        (mut events, from): (Events, Option<IpAddr>),
        listener: &Listener,
        renewal: &Renewal,
        access: &Access,
    ) -> Result<(), Setback> {
        let mut silent_after = Instant::now() + AWAY_AFTER;
        // Beside listening: a portal that is stuck must not keep a revocation waiting.
        let asks = self.circuits.asks.borrow().clone();
        let mut renewing = std::pin::pin!(self.circuits.live.renew(access, &asks).fuse());
        loop {
            let wait = match renewal.due(self.clock.now()) {
                Due::Nothing(wait) => wait,
                Due::SignIn => return Err(Setback::Final(Problem::new(Code::SessionExpired))),
                Due::IdToken | Due::Credential => return Ok(()),
            };
            let (begun, wait) = (Instant::now(), wait.min(LOOK_UP));
            tokio::select! {
                event = events.next() => {
                    let event = event.map_err(|error| self.setback(&error))?;
                    match event.name.as_str() {
                        event::CHANGED => return Ok(()),
                        event::BEACON => match self.heard(listener, &event.data).await? {
                            Sign::OfLife => silent_after = Instant::now() + AWAY_AFTER,
                            Sign::Renew => {
                                access.outdated.cancel();
                                return Ok(());
                            }
                            Sign::None => {}
                        },
                        event::ACCESS => self.requested(&event).await,
                        event::INTRODUCTIONS => self.introduced(&event.data).await,
                        _ => {}
                    }
                }
                () = sleep_until(silent_after) => return Err(Setback::Away(Problem::new(Code::AuthorityAway))),
                () = &mut renewing => {}
                () = self.circuits.hurry.notified() => {}
                () = self.circuits.links.lost() => return Ok(()),
                () = sleep(wait) => {}
            }
            match self.circuits.look_up() {
                Slept::Yes => return Ok(()),
                _ if from.is_some_and(|from| !network::is_ours(from)) => return Ok(()),
                Slept::No if !is_late(begun, wait) => {}
                Slept::No | Slept::Perhaps => self.circuits.ask_around().await,
            }
        }
    }

    /// For showing: a hub that does not tell keeps nobody out.
    async fn look_at_devices(&self, api: &mut Api, access: &Access) {
        let request = DevicesRequest {
            identity: self.identity.verify_key(),
            proof: prove(&api.hash, &self.identity),
            credential: access.credential.clone(),
            revoke: None,
        };
        match api.devices(&request).await {
            Ok(answer) => self.report(HubReport::Devices(answer.devices)).await,
            Err(error) => tracing::debug!(%error, "devices were not listed"),
        }
    }

    async fn requested(&self, event: &ServerEvent) {
        let turn = event.id.parse().ok();
        match serde_json::from_str(&event.data) {
            Ok(requests) => self.report(HubReport::Requests(turn, requests)).await,
            Err(_) => tracing::warn!("requests could not be read"),
        }
    }

    async fn introduced(&self, data: &str) {
        match serde_json::from_str(data) {
            Ok(seen) => self.report(HubReport::Introductions(seen)).await,
            Err(_) => tracing::warn!("introductions could not be read"),
        }
    }

    async fn heard(&self, listener: &Listener, beacon: &str) -> Result<Sign, Setback> {
        match listener.hear(beacon, self.clock.now()) {
            Heard::Fine => Ok(Sign::OfLife),
            Heard::Nothing => Ok(Sign::None),
            Heard::Stale => {
                tracing::info!("everybody was asked for a newer credential");
                Ok(Sign::Renew)
            }
            Heard::Revoked => Err(Setback::Final(Problem::new(Code::RevokedByAdmin))),
            Heard::ClockOff => {
                self.report(HubReport::Trouble(Problem::new(Code::ClockOff)))
                    .await;
                Ok(Sign::OfLife)
            }
        }
    }

    async fn end(&self, problem: Problem) {
        tracing::info!(code = %problem.code, "access ended");
        self.report(HubReport::Ended(problem)).await;
    }

    fn setback(&self, error: &ApiError) -> Setback {
        let problem = error.problem(&self.hub.address);
        match error {
            ApiError::Refused(code) if is_final(*code) => Setback::Final(problem),
            _ => Setback::Away(problem),
        }
    }

    async fn report(&self, report: HubReport) {
        // Nobody listens only while the agent is going away.
        let _ = self.reports.send(report).await;
    }
}

fn renewal_of(session: &Session) -> Renewal {
    Renewal::new(
        session.claims.issued,
        session.claims.expires,
        session.ends(),
        jitter(),
    )
}
