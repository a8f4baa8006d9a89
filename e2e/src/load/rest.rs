//! The REST side of a service, as a patient client uses it: over connections that stay, again when it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::generator::Way;

const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// How long a request may be put off by the service.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a service.
#[derive(Debug)]
pub struct Rest {
    http: reqwest::Client,
    way: Way,
    turn: AtomicUsize,
}

#[derive(Deserialize)]
struct Problem {
    retry_after_ms: Option<u64>,
}

impl Rest {
    /// Asks the service at the end of this way.
    pub fn new(way: Way) -> Result<Self> {
        let mut http = reqwest::Client::builder().timeout(ANSWERED_WITHIN).no_proxy();
        if let Some(tls) = &way.tls {
            // The URL names the service, as its certificate does; the addresses are known.
            http = http.tls_backend_preconfigured(tls.config()).resolve_to_addrs(&tls.name(), &way.addresses);
        }
        Ok(Self { http: http.build()?, way, turn: AtomicUsize::new(0) })
    }

    /// Asks for something below `/api/v1/`, with a body if there is one; again when the service says when.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        (token, body): (&str, Option<&Value>),
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = format!("{}/api/v1/{path}", self.base());
            let request = self.http.request(method.clone(), &url).header("host", &self.way.host);
            let request = request.bearer_auth(token);
            let request = if let Some(body) = body { request.json(body) } else { request };
            let answer = request.send().await.with_context(|| format!("{url} does not answer"))?;
            let (status, text) = (answer.status(), answer.text().await?);
            if status.is_success() {
                return serde_json::from_str(&text).with_context(|| format!("{url} answered something else"));
            }
            let Some(wait) = retry_after(status, &text) else { bail!("{url} answered {status}: {text}") };
            if Instant::now() + wait > deadline {
                bail!("{url} puts off for more than {} s: {status}: {text}", PATIENCE.as_secs());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Each request goes to the next address, unless a name stands for them.
    fn base(&self) -> String {
        if self.way.tls.is_some() {
            return format!("https://{}", self.way.host);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        format!("http://{}", self.way.addresses[turn % self.way.addresses.len()])
    }
}

fn retry_after(status: StatusCode, text: &str) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    // A proxy that has no server to ask says so without a problem document.
    let said = serde_json::from_str::<Problem>(text).ok().and_then(|problem| problem.retry_after_ms);
    Some(Duration::from_millis(said.unwrap_or(1_000).clamp(10, 60_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_put_off_is_asked_again() {
        let said = r#"{"title":"t","status":429,"code":"rate_limited","retry_after_ms":1500}"#;
        assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, said), Some(Duration::from_millis(1_500)));
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE, "<html>"), Some(Duration::from_secs(1)));
        assert_eq!(retry_after(StatusCode::FORBIDDEN, said), None);
    }
}
