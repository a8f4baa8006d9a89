//! The HTTP client for brokers and chat nodes: no redirects (they would carry credentials elsewhere), no proxy, and
//! answers of bounded size.

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, redirect};

const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// Bounds what no nearer deadline bounds.
const TOTAL_DEADLINE: Duration = Duration::from_secs(10);

/// The client.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client() -> reqwest::Result<Client> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder().build().or_else(|error| {
        tracing::warn!(error = explain(&error), "no certificate authorities: brokers with https are refused");
        builder().tls_certs_only([]).build()
    })
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("vibetalk-operator/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(TOTAL_DEADLINE)
        .redirect(redirect::Policy::none())
        .no_proxy()
}

/// The body, if it is not longer than `limit` bytes.
///
/// # Errors
/// In words, if the answer breaks off or is too long.
pub async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause without the URL: short, the same every time, and free of credentials.
pub fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
