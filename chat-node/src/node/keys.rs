//! The keys that users' tokens are verified with, and waiting for an issuer that does not answer yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::StartError;
use crate::admin::status::Status;
use crate::auth::jwks::{Jwks, JwksUrl};
use crate::auth::{SigningKey, Tokens};
use crate::config::{AuthChoice, Config};
use crate::metrics::Metrics;

/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Who checks tokens; `tasks` keeps fetched keys fresh.
pub(super) async fn tokens(
    config: &Config,
    (status, metrics): (&Status, &Arc<Metrics>),
    tasks: &mut JoinSet<()>,
) -> Result<Arc<Tokens>, StartError> {
    let auth = &config.settings.auth;
    let tokens = match &config.auth {
        AuthChoice::Tokens(keys) => Tokens::new(keys.clone(), auth),
        AuthChoice::Issuer(url) => {
            let jwks = patiently(url, (status, metrics)).await;
            tasks.spawn(jwks.clone().keep_fresh());
            Tokens::fetched(jwks, auth)
        }
        AuthChoice::Development => Tokens::new(SigningKey::random()?, auth),
    };
    Ok(Arc::new(tokens))
}

/// Without keys every user would be refused as if the token were wrong, so a node is not ready before it has them.
async fn patiently(url: &JwksUrl, (status, metrics): (&Status, &Arc<Metrics>)) -> Jwks {
    let mut backoff = Duration::from_millis(500);
    loop {
        match Jwks::fetch(url, metrics).await {
            Ok(jwks) => {
                status.set_waiting(None);
                return jwks;
            }
            Err(error) => {
                tracing::warn!(%url, %error, "the keys of tokens cannot be fetched; trying again");
                status.set_waiting(Some(format!("the keys of tokens at {url}: {error}")));
            }
        }
        tokio::time::sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}
