//! One sign-in with a code: hub, provider, a code for another computer's browser, tokens.
//! There is no way back to this computer, so there is no port and no tab; it is told to end as any other.

use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::problem::Problem;

use super::flow::{Failed, Flow, Progress, SignedIn, Stop};
use super::provider::Provider;
use super::provider::device::Waiting;
use super::tokens::{Session, Tokens};
use crate::hub::greeting::greet;
use crate::problems;
use crate::snapshot::{SignInCode, SignInStep};

impl Flow {
    /// As `run`, with a code instead of a browser.
    pub(crate) async fn run_with_code(mut self, mut stop: Stop) -> Result<SignedIn, Failed> {
        let failed = |problem| Failed { problem, tab: None };
        let (tokens, session) = tokio::select! {
            biased;
            why = stop.told() => return Err(failed(why)),
            tokens = self.with_code() => tokens.map_err(failed)?,
        };
        // From here on it is not stopped: what is kept by halves would be found at the next start.
        let session = self.keep(&tokens, session).await;
        self.step(SignInStep::GettingCredential, None).await;
        Ok(SignedIn {
            session,
            tab: None,
            turn: None,
        })
    }

    async fn with_code(&mut self) -> Result<(Tokens, Session), Problem> {
        self.step(SignInStep::AskingHub, None).await;
        let (_, idp) = greet(&self.hub, &self.noise, &mut self.trust)
            .await
            .map_err(|error| error.problem(&self.hub.address))?;
        self.step(SignInStep::AskingProvider, None).await;
        let wrong = |error| problems::of_provider(error, &idp.issuer);
        let provider = Provider::discover(&idp).await.map_err(wrong)?;
        let waiting = provider.ask_for_code().await.map_err(wrong)?;
        self.say(Progress::Code(self.shown(&waiting))).await;
        let clock = self.clock.clone();
        let tokens = provider
            .wait_for_code(&waiting, || clock.now())
            .await
            .map_err(wrong)?;
        // Opens no nonce, since there is none: only there to have the shape of all others.
        let mut rz = [0; 32];
        SystemEntropy.fill(&mut rz);
        let session = Session::begin(&tokens, rz, idp.max_session).with_code();
        Ok((tokens, session))
    }

    fn shown(&self, waiting: &Waiting) -> SignInCode {
        SignInCode {
            code: waiting.code().to_owned(),
            address: waiting.address().to_owned(),
            whole_address: waiting.whole_address().map(str::to_owned),
            until: self.clock.now().plus(waiting.limit().as_secs()),
        }
    }
}
