//! Sign-in without a browser on this computer (RFC 8628): a code and an address for any other one.
//! Nothing binds such a sign-in to this device, so its assurance is low, and policies refuse it unless they name it.

use std::time::Duration;

use openidconnect::core::CoreDeviceAuthorizationResponse;
use openidconnect::{DeviceCodeErrorResponse, DeviceCodeErrorResponseType, RequestTokenError};
use tidegate_proto::time::UnixTime;
use tokio::time::sleep;

use super::{Provider, ProviderError, token_error};
use crate::signin::http::HttpError;
use crate::signin::tokens::Tokens;

/// Never faster, whatever the provider says.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest time a code may be waited for.
const LONGEST: Duration = Duration::from_secs(900);
/// A code that a person can type.
const MAX_CODE: usize = 32;
const MAX_ADDRESS: usize = 1_024;

/// A code that waits for somebody. What it is traded for is a secret: no `Debug`.
pub(crate) struct Waiting {
    answer: CoreDeviceAuthorizationResponse,
    limit: Duration,
}

impl Provider {
    /// Asks for a code.
    pub(crate) async fn ask_for_code(&self) -> Result<Waiting, ProviderError> {
        let endpoint = self.device.clone().ok_or(ProviderError::NoDeviceCode)?;
        let client = self.client.clone().set_device_authorization_url(endpoint);
        let answer: CoreDeviceAuthorizationResponse = client
            .exchange_device_code()
            .add_scopes(self.scopes())
            .request_async(&self.http)
            .await
            .map_err(token_error)?;
        let waiting = Waiting {
            limit: answer.expires_in().min(LONGEST),
            answer,
        };
        if is_shown_well(&waiting) {
            Ok(waiting)
        } else {
            Err(ProviderError::Discovery)
        }
    }

    /// Asks again and again, as often as the provider likes, until somebody has typed the code.
    pub(crate) async fn wait_for_code(
        &self,
        waiting: &Waiting,
        now: impl Fn() -> UnixTime,
    ) -> Result<Tokens, ProviderError> {
        let answer = self
            .client
            .exchange_device_access_token(&waiting.answer)
            .map_err(|_| ProviderError::Discovery)?
            .request_async(
                &self.http,
                |wait| sleep(wait.max(SHORTEST)),
                Some(waiting.limit),
            )
            .await
            .map_err(poll_error)?;
        self.tokens(&answer, |nonce| nonce.is_none(), now())
    }
}

impl Waiting {
    /// What to type.
    pub(crate) fn code(&self) -> &str {
        self.answer.user_code().secret()
    }

    /// Where.
    pub(crate) fn address(&self) -> &str {
        self.answer.verification_uri().as_str()
    }

    /// The same with the code in it.
    pub(crate) fn whole_address(&self) -> Option<&str> {
        let whole = self.answer.verification_uri_complete()?;
        Some(whole.secret().as_str()).filter(|whole| is_address(whole))
    }

    /// How long it holds.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }
}

/// A person is to read and type these: nothing in them may look like something else.
fn is_shown_well(waiting: &Waiting) -> bool {
    let code = waiting.code();
    (1..=MAX_CODE).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && is_address(waiting.address())
}

fn is_address(address: &str) -> bool {
    address.starts_with("https://")
        && address.len() <= MAX_ADDRESS
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

fn poll_error(error: RequestTokenError<HttpError, DeviceCodeErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::Request(http) => ProviderError::Http(http),
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            DeviceCodeErrorResponseType::ExpiredToken => ProviderError::CodeExpired,
            DeviceCodeErrorResponseType::AccessDenied => ProviderError::Declined,
            _ => ProviderError::Refused,
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => ProviderError::Busy,
    }
}
