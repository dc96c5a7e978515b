//! The last word to the provider when somebody signs out: the refresh token is worth nothing from now on (RFC 7009).
//! Here everything has been forgotten before; that the provider does not answer keeps nobody signed in on this computer.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::IdpStatement;
use tokio::sync::oneshot;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::provider::Provider;
use crate::hub::api::HubIdentity;
use crate::hub::greeting::greet;
use crate::hub::trust::Trust;
use crate::keys::StoreError;
use crate::problems;

/// How long the provider may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A refresh token on its way out: `None` when there was none.
pub(crate) type LastToken = oneshot::Receiver<Result<Option<Zeroizing<String>>, StoreError>>;

/// Everything the last word needs.
pub(crate) struct Goodbye {
    /// As the session knew it; a session that never met the hub asks first.
    pub(crate) idp: Option<IdpStatement>,
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) trust: Trust,
}

impl Goodbye {
    /// Says it, once everything here is forgotten.
    ///
    /// # Errors
    /// `SignOutNotConfirmed` when the provider may still take the token.
    pub(crate) async fn say(self, token: LastToken) -> Result<(), Problem> {
        let host = self.idp.as_ref().map(|idp| idp.issuer.clone());
        let said = match token.await {
            Ok(Ok(None)) | Err(_) => return Ok(()),
            Ok(Ok(Some(token))) => matches!(timeout(LIMIT, self.revoke(&token)).await, Ok(Ok(()))),
            // A locked keyring keeps it: nothing can be said with it before that opens.
            Ok(Err(_)) => false,
        };
        if said {
            tracing::info!("session was ended at the provider");
            return Ok(());
        }
        tracing::info!("session could not be ended at the provider");
        let problem = Problem::new(Code::SignOutNotConfirmed);
        Err(match host {
            Some(issuer) => problem.host(problems::host_of(&issuer)),
            None => problem,
        })
    }

    async fn revoke(mut self, token: &str) -> Result<(), ()> {
        let idp = match self.idp.take() {
            Some(idp) => idp,
            None => {
                let greeted = greet(&self.hub, &self.noise, &mut self.trust).await;
                greeted.map_err(drop)?.1
            }
        };
        let provider = Provider::discover(&idp).await.map_err(drop)?;
        provider.revoke(token).await.map_err(drop)
    }
}
