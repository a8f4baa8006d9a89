//! What a request for events says: who asks, from where, what they have seen, how long they want to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Gateway;
use crate::auth::Identity;
use crate::error::{ErrorCode, Problem};
use crate::http::address::ClientAddress;
use crate::http::extract::InQuery;
use crate::http::refusals::refusals;
use crate::protocol::cursors::Cursors;

/// The header in which an `EventSource` gives back the id of the last event that it has seen.
const LAST_EVENT_ID: &str = "last-event-id";
/// How long a poll waits if it does not say.
const WAIT: Duration = Duration::from_secs(25);

/// A request for events.
#[derive(Debug)]
pub(super) struct Asked {
    pub identity: Identity,
    pub address: Option<IpAddr>,
    pub cursors: Cursors,
    /// For polls.
    pub wait: Duration,
}

/// The address that a connection is counted under; `None`: it did not come over TCP.
pub(super) struct From(pub Option<IpAddr>);

/// Where to go on.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it is a description")]
pub(super) struct CursorParameter {
    /// `channel:position`, with commas between them; nothing has been seen of what is not named.
    #[param(example = "1:17,9:3")]
    cursors: Option<String>,
}

/// How long to wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it is a description")]
pub(super) struct WaitParameter {
    /// Seconds, 25 if absent.
    #[param(minimum = 0, maximum = 50)]
    wait: Option<u64>,
}

refusals! {
    Events: TooManyConnections NodeFull;
}

#[derive(Deserialize)]
struct Parameters {
    cursors: Option<String>,
    wait: Option<String>,
}

impl FromRequestParts<Arc<Gateway>> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let identity = identity(parts, gateway).await?;
        gateway.rates.admit_user(&identity.user.id)?;
        let From(address) = From::from_request_parts(parts, gateway).await?;
        let InQuery(parameters) = InQuery::<Parameters>::from_request_parts(parts, gateway).await?;
        let resumed = parts.headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?").to_owned());
        let cursors = resumed.or(parameters.cursors).unwrap_or_default();
        if cursors.len() > gateway.limits.frame_bytes {
            return Err(malformed(format!(
                "the cursors are longer than {} bytes",
                gateway.limits.frame_bytes
            )));
        }
        let cursors = cursors.parse().map_err(|error| malformed(format!("the cursors: {error}")))?;
        let wait = wait(parameters.wait.as_deref(), gateway.limits.poll_wait)?;
        Ok(Self { identity, address, cursors, wait })
    }
}

impl FromRequestParts<Arc<Gateway>> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Gateway>) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.get::<ClientAddress>().copied().and_then(ClientAddress::known)))
    }
}

/// Only by the header: an address with a token in it stays in the logs of everything that it passes.
async fn identity(parts: &Parts, gateway: &Gateway) -> Result<Identity, Problem> {
    let refused = |message: String| Problem::new(ErrorCode::Unauthorized, message);
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| refused("the header `Authorization: Bearer <token>` is missing".to_owned()))?;
    let identity = gateway.tokens.identify(token.trim()).await;
    identity.map_err(|error| refused(format!("the token is refused: {error}")))
}

fn wait(asked: Option<&str>, longest: Duration) -> Result<Duration, Problem> {
    let Some(asked) = asked else { return Ok(WAIT.min(longest)) };
    let seconds = asked.parse().ok().map(Duration::from_secs).filter(|wait| *wait <= longest);
    seconds
        .ok_or_else(|| malformed(format!("`wait` is a whole number of seconds up to {}", longest.as_secs())))
}

fn malformed(message: String) -> Problem {
    Problem::new(ErrorCode::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_waits_as_long_as_it_says_up_to_a_limit() {
        let longest = Duration::from_secs(50);
        assert_eq!(wait(None, longest), Ok(WAIT));
        assert_eq!(wait(Some("0"), longest), Ok(Duration::ZERO));
        assert_eq!(wait(Some("50"), longest), Ok(longest));
        for text in ["51", "-1", "1.5", "", "long"] {
            assert_eq!(wait(Some(text), longest).unwrap_err().code, ErrorCode::Malformed, "{text}");
        }
    }
}
