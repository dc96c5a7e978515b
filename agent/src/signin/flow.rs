//! One sign-in from click to session: hub, provider, browser, callback, code, tokens.
//! It ends at any point when it is told to, and says so to its tab, also to one that comes back later; dropping it closes the port at once.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::PkceCodeVerifier;
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use tidegate_proto::idtoken::commitment;
use tidegate_proto::likely::LikelyCause;
use tidegate_proto::names::Subject;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::IdpStatement;
use tidegate_proto::words::words;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::browser::OpenBrowser;
use super::page::Page;
use super::porch::Porch;
use super::provider::{Authorization, Provider, Wishes};
use super::redirect::{Answering, Callback, Redirect};
use super::refresh::{keep_session, lock};
use super::tokens::{Session, Tokens};
use crate::clock::Clock;
use crate::hub::api::HubIdentity;
use crate::hub::greeting::greet;
use crate::hub::trust::Trust;
use crate::keys::{Entry, Kept, Vault};
use crate::problems;
use crate::run::Forgotten;
use crate::snapshot::{SignInCode, SignInStep};

/// How long a person may take in the browser.
const PERSON_LIMIT: Duration = Duration::from_secs(300);
/// How long a person is expected to take without anything being the matter.
const QUIET: Duration = Duration::from_secs(60);
/// A browser that has not come back by then is a text browser, or stuck: the wait goes on without it.
const BROWSER_LIMIT: Duration = Duration::from_secs(5);

/// What the owner of the state learns while it runs.
pub(crate) enum Progress {
    Step {
        step: SignInStep,
        url: Option<String>,
    },
    /// Goes on, but the person should know.
    Trouble(Problem),
    /// Nothing has come back for a minute: what may be the matter.
    Quiet(Vec<LikelyCause>),
    /// What to type elsewhere.
    Code(SignInCode),
}

/// Everything one sign-in works with.
pub(crate) struct Flow {
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) identity: Arc<SigningKey>,
    pub(crate) trust: Trust,
    pub(crate) vault: Vault,
    pub(crate) browser: Arc<dyn OpenBrowser>,
    pub(crate) porch: Porch,
    pub(crate) asked: Wishes,
    pub(crate) clock: Clock,
    pub(crate) progress: mpsc::Sender<Progress>,
    /// Nothing is kept while something is still being forgotten.
    pub(crate) forgotten: Forgotten,
    /// The session that stands, if this one is to take its place.
    pub(crate) replaces: Option<Replaced>,
}

/// A session that goes on until another one takes its place.
pub(crate) struct Replaced {
    pub(crate) subject: Subject,
    /// Held by whoever uses the refresh token.
    pub(crate) refresh_lock: PathBuf,
}

impl Replaced {
    /// Waits until nobody refreshes the old session, and keeps it so: with the new refresh token in the store the old session could not.
    async fn turn(&self, tokens: &Tokens) -> Result<File, Problem> {
        if tokens.claims.subject != self.subject {
            return Err(Problem::new(Code::WrongAccount));
        }
        let turn = lock(&self.refresh_lock).await;
        turn.map_err(|error| problems::of_refresh(error, ""))
    }
}

/// The word to end, with its reason.
pub(crate) struct Stop(watch::Receiver<Option<Problem>>);

impl Stop {
    /// The word, and who hears it.
    pub(crate) fn new() -> (watch::Sender<Option<Problem>>, Self) {
        let (tell, told) = watch::channel(None);
        (tell, Self(told))
    }

    /// Waits for it.
    pub(super) async fn told(&mut self) -> Problem {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(why)) => why.clone(),
            // Whoever could have said it is gone, and so is whoever would hear the result.
            _ => Problem::new(Code::SignInInterrupted),
        }
    }
}

/// What a sign-in stands on while the person is in the browser. Holds secrets: no `Debug`.
struct Begun {
    answering: Answering,
    provider: Provider,
    idp: IdpStatement,
    url: url::Url,
    rz: [u8; 32],
    nonce: String,
    uri: String,
    verifier: Option<PkceCodeVerifier>,
}

/// A session, and the browser tab that waits to hear how it ends.
pub(crate) struct SignedIn {
    pub(crate) session: Arc<Session>,
    /// `None` after a sign-in with a code.
    pub(crate) tab: Option<Tab>,
    /// Let go of once the session that it replaces is not used any more.
    pub(crate) turn: Option<File>,
}

/// A sign-in that ended, and the tab that is or may come back.
pub(crate) struct Failed {
    pub(crate) problem: Problem,
    pub(crate) tab: Option<Tab>,
}

/// The tab in the browser: still open on our page, or not back yet.
pub(crate) struct Tab(Answering);

impl Tab {
    /// Tells the person in the browser, and closes the port. Waits for a tab that has not come back, unless another sign-in needs the place.
    pub(crate) async fn tell(self, outcome: Result<(), &Problem>) {
        self.0.finish(page(outcome)).await;
    }
}

impl Flow {
    /// Runs until there is a session, it fails, or `stop` says why it must end. A tab that may still be open goes with either.
    pub(crate) async fn run(mut self, mut stop: Stop) -> Result<SignedIn, Failed> {
        let begun = tokio::select! {
            biased;
            why = stop.told() => Err(why),
            begun = self.begin() => begun,
        };
        let mut begun = begun.map_err(|problem| Failed { problem, tab: None })?;
        let tokens = tokio::select! {
            biased;
            why = stop.told() => Err(why),
            tokens = self.go_on(&mut begun) => tokens,
        };
        // From here on it is not stopped: what is kept by halves would be found at the next start.
        match tokens {
            Ok(tokens) => self.finish(begun, &tokens).await,
            Err(problem) => Err(Failed {
                problem,
                tab: Some(Tab(begun.answering)),
            }),
        }
    }

    /// Everything before the person is asked.
    async fn begin(&mut self) -> Result<Begun, Problem> {
        self.step(SignInStep::AskingHub, None).await;
        let (_, idp) = greet(&self.hub, &self.noise, &mut self.trust)
            .await
            .map_err(|error| error.problem(&self.hub.address))?;
        self.step(SignInStep::AskingProvider, None).await;
        let provider = Provider::discover(&idp)
            .await
            .map_err(|error| problems::of_provider(error, &idp.issuer))?;
        let redirect = Redirect::bind(&idp.redirect_ports, self.porch.enter().await)
            .await
            .map_err(|error| problems::of_redirect(&error))?;

        let mut rz = [0; 32];
        SystemEntropy.fill(&mut rz);
        let key = self.identity.verify_key();
        let nonce = commitment(&rz, &key, &self.hub.org, &idp.client_id);
        let uri = redirect.uri();
        let Authorization {
            url,
            state,
            verifier,
        } = provider
            .authorize(&uri, nonce.clone(), &self.asked)
            .map_err(|error| problems::of_provider(error, &idp.issuer))?;
        Ok(Begun {
            answering: redirect.answer(state, idp.issuer.clone()),
            provider,
            idp,
            url,
            rz,
            nonce,
            uri,
            verifier: Some(verifier),
        })
    }

    /// The person's part, and the provider's answer to it.
    async fn go_on(&self, begun: &mut Begun) -> Result<Tokens, Problem> {
        let opened = self.open_browser(&begun.url).await;
        let code = self
            .wait_for_person(&mut begun.answering, &begun.idp, opened)
            .await?;
        self.step(SignInStep::ExchangingCode, None).await;
        let verifier = begun.verifier.take().ok_or(Code::Internal)?;
        let now = self.clock.now();
        begun
            .provider
            .exchange(&code, verifier, &begun.uri, &begun.nonce, now)
            .await
            .map_err(|error| problems::of_code(error, &begun.idp.issuer))
    }

    async fn finish(&self, begun: Begun, tokens: &Tokens) -> Result<SignedIn, Failed> {
        let turn = match &self.replaces {
            Some(replaced) => replaced.turn(tokens).await.map(Some),
            None => Ok(None),
        };
        let turn = match turn {
            Ok(turn) => turn,
            Err(problem) => {
                let tab = Some(Tab(begun.answering));
                return Err(Failed { problem, tab });
            }
        };
        let session = Session::begin(tokens, begun.rz, begun.idp.max_session);
        let session = self.keep(tokens, session).await;
        self.step(SignInStep::GettingCredential, None).await;
        Ok(SignedIn {
            session,
            tab: Some(Tab(begun.answering)),
            turn,
        })
    }

    /// Whether a browser was started, as far as anybody can tell.
    async fn open_browser(&self, url: &url::Url) -> bool {
        self.step(SignInStep::OpeningBrowser, Some(url.to_string()))
            .await;
        let (browser, target) = (Arc::clone(&self.browser), url.clone());
        // On a thread of its own: a text browser blocks until it ends.
        let opened = tokio::task::spawn_blocking(move || browser.open(&target));
        let failed = matches!(
            timeout(BROWSER_LIMIT, opened).await,
            Ok(Ok(Err(_)) | Err(_))
        );
        if failed {
            self.say(Progress::Trouble(Problem::new(Code::BrowserDidNotOpen)))
                .await;
        }
        self.step(SignInStep::WaitingForBrowser, Some(url.to_string()))
            .await;
        !failed
    }

    async fn wait_for_person(
        &self,
        answering: &mut Answering,
        idp: &IdpStatement,
        opened: bool,
    ) -> Result<Zeroizing<String>, Problem> {
        let mut came = timeout(QUIET, answering.callback()).await;
        if came.is_err() {
            let likely = likely_causes(opened, answering.has_seen_strays());
            self.say(Progress::Quiet(likely)).await;
            came = timeout(PERSON_LIMIT.saturating_sub(QUIET), answering.callback()).await;
        }
        match came {
            Err(_) => Err(Problem::new(Code::SignInTimedOut)),
            Ok(None) => Err(Problem::new(Code::Internal)),
            Ok(Some(Callback::Code(code))) => Ok(code),
            Ok(Some(Callback::Error(error))) => Err(refusal(&error, idp)),
        }
    }

    /// The refresh token is kept before anything is done with the rest.
    pub(super) async fn keep(&self, tokens: &Tokens, session: Session) -> Arc<Session> {
        let org = &self.hub.org;
        self.forgotten.clone().wait().await;
        let kept = match &tokens.refresh {
            Some(token) => self.vault.write(org, Entry::Refresh, token).await,
            None => Kept::Stored,
        };
        if let Kept::InMemory(error) = kept {
            self.say(Progress::Trouble(problems::of_store(error))).await;
        }
        keep_session(&self.vault, org, &session).await;
        tracing::info!(subject = %session.claims.subject, "person signed in");
        Arc::new(session)
    }

    pub(super) async fn step(&self, step: SignInStep, url: Option<String>) {
        self.say(Progress::Step { step, url }).await;
    }

    pub(super) async fn say(&self, progress: Progress) {
        // Nobody listens only while the agent is going away.
        let _ = self.progress.send(progress).await;
    }
}

/// What may be the matter, most likely first.
fn likely_causes(opened: bool, strays: bool) -> Vec<LikelyCause> {
    let known = [
        (!opened, LikelyCause::BrowserDidNotOpen),
        (strays, LikelyCause::OlderTab),
        (opened, LikelyCause::PageWaits),
        (opened, LikelyCause::PageBlocked),
        (true, LikelyCause::AnotherAccount),
        (true, LikelyCause::NeedsVpn),
        (true, LikelyCause::WayBackBlocked),
    ];
    known
        .into_iter()
        .filter_map(|(fits, cause)| fits.then_some(cause))
        .collect()
}

/// The provider's `error` in our words (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). The provider's own text is not repeated.
fn refusal(error: &str, idp: &IdpStatement) -> Problem {
    let problem = Problem::new(Code::ProviderRefused).host(&idp.issuer);
    match error {
        "access_denied" => Problem::new(Code::SignInDeclined),
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => problem.said("it asks you to sign in again"),
        "invalid_scope"
        | "invalid_request"
        | "unauthorized_client"
        | "unsupported_response_type" => problem.said("it does not know Tidegate in this form"),
        "temporarily_unavailable" | "server_error" => {
            Problem::new(Code::ProviderUnreachable).host(&idp.issuer)
        }
        _ => problem,
    }
}

fn page(outcome: Result<(), &Problem>) -> Page {
    match outcome {
        Ok(()) => Page::signed_in(),
        Err(problem) => {
            let words = words(problem);
            Page::failed(&words.title, &words.cause, &words.next)
        }
    }
}
