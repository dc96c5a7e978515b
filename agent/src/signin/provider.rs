//! The identity provider as OpenID Connect describes it: discovery, authorisation URL, code exchange, refresh, ID-token checks.
//! The library believes a token from the future and several audiences unless told otherwise: every verifier here is told.

pub(crate) mod device;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
    CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreIdToken,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthorizationCode, ClientId, CsrfToken, DeviceAuthorizationUrl,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, LoginHint, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardErrorResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tidegate_proto::statement::{Algorithm, IdpStatement};
use tidegate_proto::time::{SKEW, UnixTime};
use zeroize::Zeroizing;

use super::http::{Http, HttpError};
use super::tokens::{Claims, Tokens};

/// Why the provider did not do its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("the provider's description does not fit its settings")]
    Discovery,
    #[error("the provider does not support pkce with s256")]
    NoPkce,
    /// `invalid_grant`: the session is over at the provider.
    #[error("the provider ended the session")]
    SessionOver,
    #[error("the provider asks to slow down")]
    Busy,
    #[error("the provider refused the request")]
    Refused,
    #[error("the provider has no way to end a session")]
    NoRevocation,
    #[error("the provider does not offer device codes")]
    NoDeviceCode,
    #[error("the code was not used in time")]
    CodeExpired,
    #[error("the sign-in was declined")]
    Declined,
    #[error("the answer holds no id token")]
    NoIdToken,
    /// Not yet valid or already over although fresh: somebody's clock is wrong.
    #[error("the id token is from another time")]
    WrongTime,
    #[error("the id token does not hold")]
    BadIdToken,
}

/// What `openidconnect` leaves out of the provider's description.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Extra {
    /// RFC 8414; some providers support PKCE without saying so.
    code_challenge_methods_supported: Option<Vec<String>>,
    /// RFC 7009.
    revocation_endpoint: Option<url::Url>,
    /// RFC 8628.
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
}

impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider that was discovered just now, with its current keys.
pub(crate) struct Provider {
    idp: IdpStatement,
    client: Client,
    http: Http,
    revocation: Option<url::Url>,
    device: Option<DeviceAuthorizationUrl>,
    /// Whether the scope `groups` is asked for: not where the provider lists its scopes and this one is not among them.
    has_groups: bool,
}

/// Beside `openid`: the person's name, and a refresh token.
const SCOPES: [&str; 2] = ["email", "offline_access"];
/// What policies look at. Okta's own server wants it asked for; a custom one that does not know it refuses the whole sign-in.
const GROUPS: &str = "groups";

/// What the provider is asked about the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Who signed in here last.
    pub(crate) login_hint: Option<String>,
    /// The browser's own session belongs to somebody else: let the person type.
    pub(crate) another_account: bool,
    /// The session that stands is to be replaced by one that begins now, so that it lasts its full time.
    pub(crate) anew: bool,
}

/// A sign-in about to happen. Its state and PKCE verifier are secrets: no `Debug`.
pub(crate) struct Authorization {
    pub(crate) url: url::Url,
    pub(crate) state: Zeroizing<String>,
    pub(crate) verifier: PkceCodeVerifier,
}

impl Provider {
    /// Asks the issuer of `tg-idp` how it works. Done anew for each sign-in and refresh: keys rotate.
    pub(crate) async fn discover(idp: &IdpStatement) -> Result<Self, ProviderError> {
        let http = Http::new(idp.ca_pem.as_deref())?;
        let issuer = IssuerUrl::new(idp.issuer.clone()).map_err(|_| ProviderError::Discovery)?;
        let metadata = Metadata::discover_async(issuer, &http)
            .await
            .map_err(discovery_error)?;
        check(&metadata)?;
        let extra = metadata.additional_metadata().clone();
        let client_id = ClientId::new(idp.client_id.clone());
        let is_groups = |scope: &Scope| scope.as_str() == GROUPS;
        let has_groups = metadata
            .scopes_supported()
            .is_none_or(|scopes| scopes.iter().any(is_groups));
        let client = CoreClient::from_provider_metadata(metadata, client_id, None);
        Ok(Self {
            idp: idp.clone(),
            client,
            http,
            revocation: extra.revocation_endpoint,
            device: extra.device_authorization_endpoint,
            has_groups,
        })
    }

    /// What a sign-in asks for, beside `openid`.
    fn scopes(&self) -> impl Iterator<Item = Scope> {
        let groups = self.has_groups.then_some(GROUPS);
        groups
            .into_iter()
            .chain(SCOPES)
            .map(|scope| Scope::new(scope.into()))
    }

    /// The page to open. `nonce` is the commitment to the identity key.
    pub(crate) fn authorize(
        &self,
        redirect_uri: &str,
        nonce: String,
        asked: &Wishes,
    ) -> Result<Authorization, ProviderError> {
        let redirect =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| ProviderError::Discovery)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = self
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                move || Nonce::new(nonce),
            )
            .add_scopes(self.scopes())
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .set_pkce_challenge(challenge)
            .set_max_age(Duration::from_secs(self.idp.max_session));
        if let Some(hint) = &asked.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.clone()));
        }
        if asked.another_account || asked.anew {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        let (url, state, _) = request.url();
        Ok(Authorization {
            url,
            state: Zeroizing::new(state.into_secret()),
            verifier,
        })
    }

    /// Turns the code into tokens and checks the ID token: nonce, issuer, the one audience, times, signature.
    pub(crate) async fn exchange(
        &self,
        code: &str,
        verifier: PkceCodeVerifier,
        redirect_uri: &str,
        nonce: &str,
        now: UnixTime,
    ) -> Result<Tokens, ProviderError> {
        let redirect =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| ProviderError::Discovery)?;
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| ProviderError::Discovery)?
            .set_pkce_verifier(verifier)
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .request_async(&self.http)
            .await
            .map_err(token_error)?;
        self.tokens(&answer, |got| got == Some(nonce), now)
    }

    /// Trades the refresh token. The scope is left out: a narrower one silently loses the groups.
    pub(crate) async fn refresh(
        &self,
        refresh_token: &str,
        first_nonce: &str,
        now: UnixTime,
    ) -> Result<Tokens, ProviderError> {
        let token = RefreshToken::new(refresh_token.to_owned());
        let answer = self
            .client
            .exchange_refresh_token(&token)
            .map_err(|_| ProviderError::Discovery)?
            .request_async(&self.http)
            .await
            .map_err(token_error)?;
        self.tokens(
            &answer,
            |got| got.is_none_or(|nonce| nonce == first_nonce),
            now,
        )
    }

    /// Makes the refresh token worthless, and with it whatever it was traded for (RFC 7009). A token that is unknown there is no error.
    pub(crate) async fn revoke(&self, refresh_token: &str) -> Result<(), ProviderError> {
        let endpoint = self
            .revocation
            .as_ref()
            .ok_or(ProviderError::NoRevocation)?;
        let form = [
            ("token", refresh_token),
            ("token_type_hint", "refresh_token"),
            ("client_id", &self.idp.client_id),
        ];
        match self.http.post(endpoint, &form).await?.as_u16() {
            200..=299 => Ok(()),
            429 | 500.. => Err(ProviderError::Busy),
            _ => Err(ProviderError::Refused),
        }
    }

    fn tokens(
        &self,
        answer: &CoreTokenResponse,
        nonce: impl Fn(Option<&str>) -> bool,
        now: UnixTime,
    ) -> Result<Tokens, ProviderError> {
        let token = answer.id_token().ok_or(ProviderError::NoIdToken)?;
        let claims = self.verify(token, nonce, now)?;
        Ok(Tokens {
            id_token: Zeroizing::new(token.to_string()),
            refresh: answer
                .refresh_token()
                .map(|token| Zeroizing::new(token.secret().clone())),
            claims: read_claims(claims)?,
        })
    }

    fn verify<'t>(
        &self,
        token: &'t CoreIdToken,
        nonce: impl Fn(Option<&str>) -> bool,
        now: UnixTime,
    ) -> Result<&'t CoreIdTokenClaims, ProviderError> {
        let verifier = self.verifier(now);
        let check = |got: Option<&Nonce>| {
            let got = got.map(|nonce| nonce.secret().as_str());
            if nonce(got) {
                Ok(())
            } else {
                Err("the nonce is another".to_owned())
            }
        };
        token
            .claims(&verifier, check)
            .map_err(|error| verification_error(&error))
    }

    fn verifier(&self, now: UnixTime) -> CoreIdTokenVerifier<'_> {
        let algorithms = self.idp.algorithms.iter().map(|algorithm| match algorithm {
            Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        });
        let longest = self.idp.max_session;
        self.client
            .id_token_verifier()
            .set_allowed_algs(algorithms)
            .set_other_audience_verifier_fn(|_| false)
            .set_time_fn(move || moment(now))
            .set_issue_time_verifier_fn(move |issued| {
                if issued <= moment(now.plus(SKEW)) {
                    Ok(())
                } else {
                    Err(FUTURE.into())
                }
            })
            .set_auth_time_verifier_fn(move |at| match at {
                Some(at) if at > moment(now.plus(SKEW)) => Err(FUTURE.into()),
                Some(at) if at >= moment(now.minus(longest + SKEW)) => Ok(()),
                _ => Err("the sign-in is too long ago".into()),
            })
    }
}

/// How our own verifiers say that a token is from the future: the library only passes text on.
const FUTURE: &str = "issued in the future";

fn check(metadata: &Metadata) -> Result<(), ProviderError> {
    if metadata.authorization_endpoint().url().scheme() != "https" {
        return Err(ProviderError::Discovery);
    }
    let pkce = &metadata
        .additional_metadata()
        .code_challenge_methods_supported;
    if pkce
        .as_ref()
        .is_some_and(|methods| !methods.iter().any(|method| method == "S256"))
    {
        return Err(ProviderError::NoPkce);
    }
    Ok(())
}

fn moment(time: UnixTime) -> chrono::DateTime<chrono::Utc> {
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX);
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)
}

fn discovery_error(error: DiscoveryError<HttpError>) -> ProviderError {
    match error {
        DiscoveryError::Request(http) => ProviderError::Http(http),
        _ => ProviderError::Discovery,
    }
}

type TokenError = RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>;

fn token_error(error: TokenError) -> ProviderError {
    match error {
        RequestTokenError::Request(http) => ProviderError::Http(http),
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            CoreErrorResponseType::InvalidGrant => ProviderError::SessionOver,
            CoreErrorResponseType::Extension(name) if name == "temporarily_unavailable" => {
                ProviderError::Busy
            }
            _ => ProviderError::Refused,
        },
        // 429 and 5xx pages are no JSON.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => ProviderError::Busy,
    }
}

fn verification_error(error: &openidconnect::ClaimsVerificationError) -> ProviderError {
    use openidconnect::ClaimsVerificationError as E;
    match error {
        E::Expired(_) => ProviderError::WrongTime,
        E::InvalidAuthTime(text) | E::Other(text) if text.contains(FUTURE) => {
            ProviderError::WrongTime
        }
        _ => ProviderError::BadIdToken,
    }
}

fn read_claims(claims: &CoreIdTokenClaims) -> Result<Claims, ProviderError> {
    let seconds = |at: chrono::DateTime<chrono::Utc>| {
        u64::try_from(at.timestamp())
            .map(UnixTime)
            .map_err(|_| ProviderError::BadIdToken)
    };
    let subject = claims
        .subject()
        .as_str()
        .parse()
        .map_err(|_| ProviderError::BadIdToken)?;
    let shown = claims
        .email()
        .map(|email| email.as_str())
        .filter(|email| is_plain(email));
    Ok(Claims {
        name: shown.unwrap_or(claims.subject().as_str()).to_owned(),
        subject,
        issued: seconds(claims.issue_time())?,
        expires: seconds(claims.expiration())?,
        auth_time: seconds(claims.auth_time().ok_or(ProviderError::BadIdToken)?)?,
    })
}

/// An address that cannot look like something else in a menu.
fn is_plain(email: &str) -> bool {
    email.len() <= 254 && email.chars().all(|c| c.is_ascii_graphic())
}
