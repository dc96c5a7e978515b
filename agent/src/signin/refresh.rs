//! Exactly one refresher on this machine: a rotating refresh token used twice ends the whole session at the provider.
//! The new token is in the keyring before anything else happens with it: a crash in between must not lose it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::names::OrgName;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::provider::ProviderError;
use super::tokens::{OtherSession, Session, Tokens};
use crate::keys::{Entry, Kept, StoreError, Vault};

const LOCK_STEP: Duration = Duration::from_millis(100);
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// Why there is no newer ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefreshError {
    #[error("{0}")]
    Provider(#[from] ProviderError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("there is no refresh token")]
    NoToken,
    #[error("{0}")]
    OtherSession(#[from] OtherSession),
    #[error("another process is refreshing")]
    Locked,
}

impl RefreshError {
    /// Whether only the browser helps now.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::NoToken | Self::OtherSession(_) => true,
            Self::Provider(error) => matches!(
                error,
                ProviderError::SessionOver | ProviderError::BadIdToken
            ),
            Self::Store(_) | Self::Locked => false,
        }
    }
}

/// The one refresher.
pub(crate) struct Refresher {
    vault: Vault,
    org: OrgName,
    lock: PathBuf,
    /// The newest session; whoever waited for the lock finds it here.
    newest: Mutex<Arc<Session>>,
}

impl Refresher {
    pub(crate) fn new(vault: Vault, org: OrgName, lock: PathBuf, session: Arc<Session>) -> Self {
        Self {
            vault,
            org,
            lock,
            newest: Mutex::new(session),
        }
    }

    /// A session newer than `seen`, asking the provider through `trade` unless somebody else just did.
    /// The second value says where the new refresh token is kept.
    pub(crate) async fn newer_than<F>(
        &self,
        seen: &Session,
        trade: impl FnOnce(Zeroizing<String>) -> F,
    ) -> Result<(Arc<Session>, Kept), RefreshError>
    where
        F: Future<Output = Result<Tokens, ProviderError>>,
    {
        let mut newest = self.newest.lock().await;
        if newest.claims.issued > seen.claims.issued {
            return Ok((Arc::clone(&newest), Kept::Stored));
        }
        let _lock = lock(&self.lock).await?;
        // Read under the lock: another process may have rotated it meanwhile.
        let token = self
            .vault
            .read(&self.org, Entry::Refresh)
            .await?
            .ok_or(RefreshError::NoToken)?;
        let tokens = trade(token).await?;
        let kept = match &tokens.refresh {
            Some(token) => self.vault.write(&self.org, Entry::Refresh, token).await,
            None => Kept::Stored,
        };
        let session = Arc::new(newest.renewed(&tokens)?);
        keep_session(&self.vault, &self.org, &session).await;
        *newest = Arc::clone(&session);
        Ok((session, kept))
    }
}

/// Whoever holds it may use and replace the refresh token.
pub(crate) async fn lock(path: &Path) -> Result<File, RefreshError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|_| RefreshError::Locked)?;
    let attempt = async {
        while file.try_lock().is_err() {
            tokio::time::sleep(LOCK_STEP).await;
        }
    };
    tokio::time::timeout(LOCK_LIMIT, attempt)
        .await
        .map_err(|_| RefreshError::Locked)?;
    Ok(file)
}

/// Keeps the session for the next start. Too large for some keyrings: then the next start asks for the browser, nothing worse.
pub(crate) async fn keep_session(vault: &Vault, org: &OrgName, session: &Session) {
    if let Some(secret) = session.to_secret() {
        let _: Kept = vault.write(org, Entry::Session, &secret).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::tokens::tests::tokens;
    use super::*;
    use crate::keys::MemoryStore;
    use crate::snapshot::KeyHome;

    async fn setup() -> (Arc<Refresher>, Vault, Arc<Session>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(
            Arc::new(MemoryStore::default()),
            KeyHome::Memory,
            Duration::from_secs(5),
        );
        let org: OrgName = "acme".parse().unwrap();
        let _ = vault.write(&org, Entry::Refresh, "refresh-first").await;
        let session = Arc::new(Session::begin(&tokens("first", 1000), [1; 32], 43_200));
        let lock = dir.path().join("refresh.lock");
        let refresher = Refresher::new(vault.clone(), org, lock, Arc::clone(&session));
        (Arc::new(refresher), vault, session, dir)
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cost_one_request() {
        let (refresher, _vault, session, _dir) = setup().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (refresher, session, calls) = (
                Arc::clone(&refresher),
                Arc::clone(&session),
                Arc::clone(&calls),
            );
            tasks.spawn(async move {
                let trade = |token: Zeroizing<String>| async move {
                    assert_eq!(token.as_str(), "refresh-first");
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(tokens("second", 4000))
                };
                refresher.newer_than(&session, trade).await.unwrap().0
            });
        }

        while let Some(session) = tasks.join_next().await {
            assert_eq!(
                session.unwrap().id_token_n.as_ref().unwrap().as_str(),
                "second"
            );
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_new_refresh_token_is_stored_before_the_session_is_used() {
        let (refresher, vault, session, _dir) = setup().await;

        let (_, kept) = refresher
            .newer_than(&session, |_| async { Ok(tokens("second", 4000)) })
            .await
            .unwrap();
        assert_eq!(kept, Kept::Stored);

        let org: OrgName = "acme".parse().unwrap();
        assert_eq!(
            vault
                .read(&org, Entry::Refresh)
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            "refresh-second"
        );
        assert!(
            vault
                .read(&org, Entry::Session)
                .await
                .unwrap()
                .unwrap()
                .contains("second")
        );
    }

    #[tokio::test]
    async fn even_a_token_of_a_foreign_session_is_stored_before_it_is_refused() {
        let (refresher, vault, session, _dir) = setup().await;
        let mut foreign = tokens("second", 4000);
        foreign.claims.auth_time = tidegate_proto::time::UnixTime(1);

        let error = refresher
            .newer_than(&session, |_| async { Ok(foreign) })
            .await
            .err()
            .unwrap();

        assert_eq!(error, RefreshError::OtherSession(OtherSession));
        let org: OrgName = "acme".parse().unwrap();
        assert_eq!(
            vault
                .read(&org, Entry::Refresh)
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            "refresh-second"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_other_process_and_gives_up_in_time() {
        let (refresher, _vault, session, dir) = setup().await;
        let other = File::create(dir.path().join("refresh.lock")).unwrap();
        other.lock().unwrap();

        let error = refresher
            .newer_than(&session, |_| async { Ok(tokens("second", 4000)) })
            .await
            .err();
        assert_eq!(error, Some(RefreshError::Locked));

        // Not by closing it: a child that another test is just starting has a copy, until it becomes a program.
        other.unlock().unwrap();
        assert!(
            refresher
                .newer_than(&session, |_| async { Ok(tokens("second", 4000)) })
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_refusal_by_the_provider_is_final_and_a_bad_network_is_not() {
        let (refresher, _vault, session, _dir) = setup().await;

        let refused = refresher
            .newer_than(&session, |_| async { Err(ProviderError::SessionOver) })
            .await
            .err()
            .unwrap();
        let offline = refresher
            .newer_than(&session, |_| async { Err(ProviderError::Busy) })
            .await
            .err()
            .unwrap();

        assert!(refused.is_final());
        assert!(!offline.is_final());
    }
}
