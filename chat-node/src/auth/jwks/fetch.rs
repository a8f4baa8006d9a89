//! One fetch of keys: no redirects, bounded in time and size.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, Response, StatusCode, redirect};

use super::{FETCH_WITHIN, JwksUrl};
use crate::auth::keys::{KeyError, Keys, Secrecy};

/// Longest key set, in bytes.
const BODY_BYTES: usize = 256 * 1024;
/// How long keys are good if the issuer does not say.
const LIFETIME: Duration = Duration::from_secs(600);
/// However short the issuer says.
const LIFETIME_MIN: Duration = Duration::from_secs(60);
/// However long the issuer says: a key that was withdrawn must not be good for ever.
const LIFETIME_MAX: Duration = Duration::from_secs(86_400);

/// A key set, and how long it is good.
#[derive(Debug)]
pub(super) struct Fetched {
    pub keys: Keys,
    pub lifetime: Duration,
}

/// Why keys could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The answer did not come, or broke off.
    #[error("{0}")]
    Unreachable(String),
    /// The answer is another than the keys.
    #[error("the answer has status {0}, not 200")]
    Status(u16),
    /// The answer is longer than a key set may be.
    #[error("the answer is longer than {BODY_BYTES} bytes")]
    TooLong,
    /// The answer holds no keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

pub(super) fn client(url: &JwksUrl) -> Result<Client, FetchError> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("vibetalk-chat-node/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(FETCH_WITHIN / 2)
        .timeout(FETCH_WITHIN)
        .redirect(redirect::Policy::none());
    // This machine itself is reached without certificate authorities and without a proxy.
    let builder = if url.is_plain() { builder.no_proxy().tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| explain(&error))
}

pub(super) async fn get(client: &Client, url: &JwksUrl) -> Result<Fetched, FetchError> {
    let request =
        client.get(url.as_url().clone()).header(ACCEPT, "application/jwk-set+json, application/json");
    let response = request.send().await.map_err(|error| explain(&error))?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let lifetime = lifetime(response.headers());
    let keys = Keys::of_set(&body(response).await?, Secrecy::Public)?;
    Ok(Fetched { keys, lifetime })
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// By `Cache-Control: max-age` less `Age` (RFC 9111), within bounds.
fn lifetime(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let control = text(CACHE_CONTROL).unwrap_or_default().to_ascii_lowercase();
    let mut directives = control.split(',').map(str::trim);
    let max_age = directives.clone().find_map(|directive| directive.strip_prefix("max-age="));
    let max_age = max_age.and_then(|seconds| seconds.trim_matches('"').parse().ok());
    let age = text(AGE).and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0);
    let said = match max_age {
        _ if directives.any(|directive| directive == "no-store" || directive == "no-cache") => LIFETIME_MIN,
        Some(seconds) => Duration::from_secs(seconds).saturating_sub(Duration::from_secs(age)),
        None => LIFETIME,
    };
    said.clamp(LIFETIME_MIN, LIFETIME_MAX)
}

/// The innermost cause without the URL: short, the same every time, and free of secrets.
fn explain(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::Unreachable("no answer in time".to_owned());
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    FetchError::Unreachable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &[(reqwest::header::HeaderName, &str)]) -> u64 {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        lifetime(&headers).as_secs()
    }

    #[test]
    fn the_issuer_says_how_long_keys_are_good_within_bounds() {
        assert_eq!(said(&[]), 600);
        assert_eq!(said(&[(CACHE_CONTROL, "public, max-age=3600")]), 3_600);
        assert_eq!(said(&[(CACHE_CONTROL, "Public, Max-Age=3600"), (AGE, "600")]), 3_000);
        assert_eq!(said(&[(CACHE_CONTROL, "max-age=1")]), 60);
        assert_eq!(said(&[(CACHE_CONTROL, "max-age=99999999999")]), 86_400);
        assert_eq!(said(&[(CACHE_CONTROL, "max-age=3600, no-cache")]), 60);
        assert_eq!(said(&[(CACHE_CONTROL, "max-age=soon")]), 600);
        assert_eq!(said(&[(CACHE_CONTROL, "max-age=100"), (AGE, "900")]), 60);
    }
}
