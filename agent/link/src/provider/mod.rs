//! Fetches the identity provider's signing keys over a connection that somebody else opened; TLS ends here.
//! The relay that carries the bytes is not believed: the certificate must be the provider's, redirects are not followed.

use crate::tls::{TlsError, client_of_pem, client_of_system, server_name};
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tidegate_proto::names::HubAddress;
use tidegate_proto::statement::IdpStatement;
use tokio::io::{AsyncRead, AsyncWrite};

/// The largest answer, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// For one request, TLS included: a provider that trickles is a provider that is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the keys were not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("there is no way to the identity provider now")]
    NoWay,
    #[error("the identity provider did not answer in time")]
    Silent,
    #[error("the identity provider's certificate was not accepted")]
    NotTrusted,
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("the identity provider's answer was not HTTP, or broke off")]
    Broken,
    #[error("the identity provider answered with status {0}")]
    Status(u16),
    #[error("the identity provider's answer was larger than 256 KiB")]
    TooLarge,
    #[error("the identity provider's discovery document does not fit the signed settings")]
    Discovery,
}

/// Opens one connection to the provider's host, through a tunnel or directly.
pub trait Way {
    /// What was opened; TLS comes on top of it.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// # Errors
    /// `NoWay`.
    fn open(&self) -> impl Future<Output = Result<Self::Io, FetchError>> + Send;
}

/// The bytes of the key set that the provider publishes now.
///
/// # Errors
/// Whatever goes wrong on the way; nothing is retried here.
pub async fn key_set(way: &impl Way, idp: &IdpStatement) -> Result<Vec<u8>, FetchError> {
    let tls = Arc::new(trust(idp)?);
    let discovery = get(way, &tls, &idp.key_host, &discovery_path(idp)?).await?;
    let path = key_path(&discovery, idp)?;
    get(way, &tls, &idp.key_host, &path).await
}

fn trust(idp: &IdpStatement) -> Result<ClientConfig, FetchError> {
    let mut tls = match &idp.ca_pem {
        Some(pem) => client_of_pem(pem.as_bytes())?,
        None => client_of_system()?,
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// OpenID Connect Discovery 1.0, section 4: the issuer's path, without a slash at its end, then the well-known one.
fn discovery_path(idp: &IdpStatement) -> Result<String, FetchError> {
    let issuer = at_key_host(&idp.issuer, &idp.key_host)?;
    Ok(format!(
        "{}/.well-known/openid-configuration",
        issuer.path().trim_end_matches('/')
    ))
}

#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Where the keys are, if they are at the one host that the org root named.
fn key_path(document: &[u8], idp: &IdpStatement) -> Result<String, FetchError> {
    let found: Discovery = serde_json::from_slice(document).map_err(|_| FetchError::Discovery)?;
    if found.issuer != idp.issuer {
        return Err(FetchError::Discovery);
    }
    let uri = at_key_host(&found.jwks_uri, &idp.key_host)?;
    Ok(uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned())
}

/// Parses an `https` address that must be at `host`.
fn at_key_host(text: &str, host: &HubAddress) -> Result<Uri, FetchError> {
    let uri: Uri = text.parse().map_err(|_| FetchError::Discovery)?;
    let named = uri
        .host()
        .map(|name| name.trim_start_matches('[').trim_end_matches(']'));
    let same_host = named.is_some_and(|name| name.eq_ignore_ascii_case(host.host()));
    let same_port = uri.port_u16().unwrap_or(443) == host.port();
    let plain = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    if uri.scheme_str() == Some("https") && same_host && same_port && plain {
        Ok(uri)
    } else {
        Err(FetchError::Discovery)
    }
}

async fn get(
    way: &impl Way,
    tls: &Arc<ClientConfig>,
    host: &HubAddress,
    path: &str,
) -> Result<Vec<u8>, FetchError> {
    let exchange = async {
        let io = way.open().await?;
        let name = server_name(host.host())?;
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls))
            .connect(name, io)
            .await
            .map_err(not_trusted)?;
        ask(stream, host, path).await
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or(Err(FetchError::Silent))
}

fn not_trusted(error: std::io::Error) -> FetchError {
    let by_tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    if by_tls {
        FetchError::NotTrusted
    } else {
        FetchError::Broken
    }
}

async fn ask<S>(stream: S, host: &HubAddress, path: &str) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| FetchError::Broken)?;
    let request = Request::get(path)
        .header(header::HOST, host.to_string())
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|_| FetchError::Discovery)?;
    let answered = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| FetchError::Broken)?;
        body(response).await
    };
    // The connection is driven beside the exchange, not in a task of its own: both end together.
    let mut answered = std::pin::pin!(answered);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut answered => answer,
        _ = &mut connection => answered.await,
    }
}

async fn body(response: Response<Incoming>) -> Result<Vec<u8>, FetchError> {
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let collected = Limited::new(response.into_body(), MAX_BODY).collect().await;
    let whole = collected.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => FetchError::TooLarge,
        None => FetchError::Broken,
    })?;
    Ok(whole.to_bytes().to_vec())
}

#[cfg(test)]
mod tests;
