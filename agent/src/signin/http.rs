//! How the agent talks to the identity provider: HTTPS only, no redirects, small bodies, the system's trust plus the org's own CA.
//! Never a switch to skip verification: a company that inspects TLS has its root in the system store already.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Largest answer that is read, in bytes.
const MAX_BODY: usize = 1 << 20;
const CALL_LIMIT: Duration = Duration::from_secs(15);
const CONNECT_LIMIT: Duration = Duration::from_secs(8);

/// Why the provider could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the org's ca certificate is damaged")]
    Ca,
    #[error("the tls configuration is refused")]
    Tls,
    #[error("the provider cannot be reached")]
    Unreachable,
    /// Nobody this computer trusts vouches for it: a wrong server, or one in between.
    #[error("the provider's certificate is not trusted")]
    Untrusted,
    #[error("the provider's certificate is from another time")]
    CertificateTime,
    #[error("the provider does not answer in time")]
    TimedOut,
    #[error("the answer is too large")]
    TooLarge,
}

/// An HTTPS client for one provider.
#[derive(Clone)]
pub(crate) struct Http(reqwest::Client);

impl Http {
    /// A client that trusts the system's roots and, for a provider with its own CA, that one too.
    pub(crate) fn new(ca_pem: Option<&str>) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls(ca_pem)?)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .timeout(CALL_LIMIT)
            .connect_timeout(CONNECT_LIMIT)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(5))
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| HttpError::Tls)?;
        Ok(Self(client))
    }

    /// Posts a form; only the status of the answer counts.
    pub(crate) async fn post(
        &self,
        url: &url::Url,
        form: &[(&str, &str)],
    ) -> Result<http::StatusCode, HttpError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = http::Request::post(url.as_str())
            .header(
                http::header::CONTENT_TYPE,
                "application/x-www-form-urlencoded",
            )
            .body(body.into_bytes())
            .map_err(|_| HttpError::Unreachable)?;
        Ok(self.send(request).await?.status())
    }

    /// The status of a page, and the time at the other end if it says so.
    pub(crate) async fn status_and_date(
        &self,
        url: &str,
    ) -> Result<(u16, Option<String>), HttpError> {
        let answer = self.0.get(url).send().await.map_err(meaning)?;
        let date = answer.headers().get(http::header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
        Ok((answer.status().as_u16(), date))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let sent = self
            .0
            .request(parts.method, url)
            .headers(parts.headers)
            .body(body)
            .send()
            .await;
        let mut answer = sent.map_err(meaning)?;
        let mut out = http::Response::builder().status(answer.status());
        if let Some(kind) = answer.headers().get(http::header::CONTENT_TYPE) {
            out = out.header(http::header::CONTENT_TYPE, kind);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(meaning)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        out.body(body).map_err(|_| HttpError::Unreachable)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

// By value, as `map_err` hands it over: its text may hold the URL and is not for anybody's eyes.
#[allow(clippy::needless_pass_by_value)]
fn meaning(error: reqwest::Error) -> HttpError {
    if error.is_timeout() {
        return HttpError::TimedOut;
    }
    match certificate_error(&error) {
        None => HttpError::Unreachable,
        Some(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => HttpError::CertificateTime,
        Some(_) => HttpError::Untrusted,
    }
}

/// What TLS had against the certificate, wherever in the chain of causes it is; an I/O error wraps it without naming it as its source.
fn certificate_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why);
    }
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match wrapped {
        Some(inner) => certificate_error(inner),
        None => error.source().and_then(certificate_error),
    }
}

fn tls(ca_pem: Option<&str>) -> Result<rustls::ClientConfig, HttpError> {
    let mut roots = RootCertStore::empty();
    // A store with one odd certificate in it is still a store.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes()) {
        let certificate = certificate.map_err(|_| HttpError::Ca)?;
        roots.add(certificate).map_err(|_| HttpError::Ca)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| HttpError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
