//! One sign-in from click to session: hub, provider, browser, callback, code, tokens.
//! Dropping the future cancels it at any point and closes the port; a new one never meets an old one.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use tidegate_proto::idtoken::commitment;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::IdpStatement;
use tidegate_proto::words::words;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::browser::OpenBrowser;
use super::page::Page;
use super::provider::{Asked, Authorization, Provider};
use super::redirect::{Answering, Callback, Redirect};
use super::refresh::keep_session;
use super::tokens::{Session, Tokens};
use crate::clock::Clock;
use crate::hub::api::HubIdentity;
use crate::hub::keeper::greet;
use crate::hub::trust::Trust;
use crate::keys::{Entry, Kept, Vault};
use crate::problems;
use crate::snapshot::SignInStep;

/// How long a person may take in the browser.
const PERSON_LIMIT: Duration = Duration::from_secs(300);
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
}

/// Everything one sign-in works with.
pub(crate) struct Flow {
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) identity: Arc<SigningKey>,
    pub(crate) trust: Trust,
    pub(crate) vault: Vault,
    pub(crate) browser: Arc<dyn OpenBrowser>,
    pub(crate) asked: Asked,
    pub(crate) clock: Clock,
    pub(crate) progress: mpsc::Sender<Progress>,
}

/// A session, and the browser tab that waits to hear how it ends.
pub(crate) struct SignedIn {
    pub(crate) session: Arc<Session>,
    pub(crate) tab: Tab,
}

/// The tab in the browser, still open on our page.
pub(crate) struct Tab(Answering);

impl Tab {
    /// Tells the person in the browser, and closes the port.
    pub(crate) async fn tell(self, outcome: Result<(), &Problem>) {
        self.0.finish(page(outcome)).await;
    }
}

impl Flow {
    pub(crate) async fn run(mut self) -> Result<SignedIn, Problem> {
        self.step(SignInStep::OpeningBrowser, None).await;
        let (_, idp) = greet(&self.hub, &self.noise, &mut self.trust)
            .await
            .map_err(|error| error.problem(&self.hub.address))?;
        let redirect = Redirect::bind(&idp.redirect_ports)
            .await
            .map_err(|error| problems::of_redirect(&error))?;
        let provider = Provider::discover(&idp)
            .await
            .map_err(|error| problems::of_provider(error, &idp.issuer))?;

        let mut rz = [0; 32];
        SystemEntropy.fill(&mut rz);
        let nonce = commitment(
            &rz,
            &self.identity.verify_key(),
            &self.hub.org,
            &idp.client_id,
        );
        let uri = redirect.uri();
        let Authorization {
            url,
            state,
            verifier,
        } = provider
            .authorize(&uri, nonce.clone(), &self.asked)
            .map_err(|error| problems::of_provider(error, &idp.issuer))?;

        let mut answering = redirect.answer(state, idp.issuer.clone());
        self.open_browser(url).await;
        let code = match self.wait_for_person(&mut answering, &idp).await {
            Ok(code) => code,
            Err(problem) => return Err(self.fail(answering, problem).await),
        };
        self.step(SignInStep::ExchangingCode, None).await;
        let tokens = match provider
            .exchange(&code, verifier, &uri, &nonce, self.clock.now())
            .await
        {
            Ok(tokens) => tokens,
            Err(error) => {
                let problem = problems::of_provider(error, &idp.issuer);
                return Err(self.fail(answering, problem).await);
            }
        };
        let session = self.keep(&tokens, rz, &idp).await;
        self.step(SignInStep::GettingCredential, None).await;
        Ok(SignedIn {
            session,
            tab: Tab(answering),
        })
    }

    async fn open_browser(&self, url: url::Url) {
        let (browser, target) = (Arc::clone(&self.browser), url.clone());
        // On a thread of its own: a text browser blocks until it ends.
        let opened = tokio::task::spawn_blocking(move || browser.open(&target));
        let failed = matches!(
            timeout(BROWSER_LIMIT, opened).await,
            Ok(Ok(Err(_)) | Err(_))
        );
        if failed {
            let _ = self
                .progress
                .send(Progress::Trouble(Problem::new(Code::BrowserDidNotOpen)))
                .await;
        }
        self.step(SignInStep::WaitingForBrowser, Some(url.into()))
            .await;
    }

    async fn wait_for_person(
        &self,
        answering: &mut Answering,
        idp: &IdpStatement,
    ) -> Result<Zeroizing<String>, Problem> {
        match timeout(PERSON_LIMIT, answering.callback()).await {
            Err(_) => Err(Problem::new(Code::SignInTimedOut)),
            Ok(None) => Err(Problem::new(Code::Internal)),
            Ok(Some(Callback::Code(code))) => Ok(code),
            Ok(Some(Callback::Error(error))) => Err(refusal(&error, idp)),
        }
    }

    /// The refresh token is kept before anything is done with the rest.
    async fn keep(&self, tokens: &Tokens, rz: [u8; 32], idp: &IdpStatement) -> Arc<Session> {
        let org = &self.hub.org;
        let kept = match &tokens.refresh {
            Some(token) => self.vault.write(org, Entry::Refresh, token).await,
            None => Kept::Stored,
        };
        if let Kept::InMemory(error) = kept {
            let _ = self
                .progress
                .send(Progress::Trouble(problems::of_store(error)))
                .await;
        }
        let session = Session::begin(tokens, rz, idp.max_session);
        keep_session(&self.vault, org, &session).await;
        tracing::info!(subject = %session.claims.subject, "person signed in");
        Arc::new(session)
    }

    async fn fail(&self, answering: Answering, problem: Problem) -> Problem {
        answering.finish(page(Err(&problem))).await;
        problem
    }

    async fn step(&self, step: SignInStep, url: Option<String>) {
        // Nobody listens only while the agent is going away.
        let _ = self.progress.send(Progress::Step { step, url }).await;
    }
}

/// The provider's `error` in our words (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). The provider's own text is not repeated.
fn refusal(error: &str, idp: &IdpStatement) -> Problem {
    let problem = Problem::new(Code::ProviderRefused).host(&idp.issuer);
    match error {
        "access_denied" => problem.said("you or your organisation declined"),
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
