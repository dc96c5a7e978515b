//! Whether the identity provider answers, with a certificate that this computer trusts.
//! Its answer carries the time: that is the clock which signing in is measured by.

use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::IdpStatement;

use super::Check;
use crate::problems;
use crate::signin::http::Http;
use crate::signin::provider::ProviderError;

const NAME: &str = "provider";

/// The finding, and the `Date` of the answer.
pub(super) async fn look(idp: &IdpStatement) -> (Check, Option<String>) {
    let issuer = idp.issuer.trim_end_matches('/');
    let page = format!("{issuer}/.well-known/openid-configuration");
    let http = match Http::new(idp.ca_pem.as_deref()) {
        Ok(http) => http,
        Err(error) => return (of(ProviderError::Http(error), issuer), None),
    };
    match http.status_and_date(&page).await {
        Ok((200, date)) => (Check::ok(NAME, &format!("{issuer} answers.")), date),
        Ok((_, date)) => {
            let problem = Problem::new(Code::ProviderAnswerWrong).host(issuer);
            (Check::problem(NAME, &problem), date)
        }
        Err(error) => (of(ProviderError::Http(error), issuer), None),
    }
}

fn of(error: ProviderError, issuer: &str) -> Check {
    Check::problem(NAME, &problems::of_provider(error, issuer))
}
