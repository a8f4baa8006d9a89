//! The development login: a token for anybody, under any name.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Api;
use crate::error::{ErrorCode, Problem};
use crate::http::extract::JsonBody;
use crate::limits::{NAME_CHARS, is_name};
use crate::protocol::message::User;

/// How long a token of the development login is good.
const LIFETIME: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn routes() -> Router<Arc<Api>> {
    let is_offered = || async { StatusCode::NO_CONTENT };
    Router::new().route("/api/v1/dev/login", get(is_offered).post(login))
}

/// The body of a development login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DevelopmentLogin {
    name: String,
}

#[derive(Serialize)]
struct SignedIn {
    token: String,
}

async fn login(
    State(api): State<Arc<Api>>,
    JsonBody(body): JsonBody<DevelopmentLogin>,
) -> Result<Json<SignedIn>, Problem> {
    let user = user_of(&body.name)?;
    let token = api.tokens.sign(&user, api.clock.wall_ms() / 1_000, LIFETIME);
    let token = token.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?;
    Ok(Json(SignedIn { token }))
}

/// The user whose id is the name in small letters, with `-` for what an id cannot hold.
fn user_of(name: &str) -> Result<User, Problem> {
    let letter = |letter: char| {
        let lower = letter.to_ascii_lowercase();
        if lower.is_ascii_alphanumeric() || "_.@:-".contains(lower) { lower } else { '-' }
    };
    let id: String = name.chars().map(letter).collect();
    match id.parse() {
        Ok(id) if is_name(name) => Ok(User { id, name: name.to_owned() }),
        _ => {
            let message = format!("`name` has 1 to {NAME_CHARS} printable characters, no space at its ends");
            Err(Problem::new(ErrorCode::InvalidName, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_an_id() {
        assert_eq!(user_of("Ada Lovelace").unwrap().id.as_str(), "ada-lovelace");
        assert_eq!(user_of("José").unwrap().id.as_str(), "jos-");
        assert_eq!(user_of("").unwrap_err().code, ErrorCode::InvalidName);
        assert_eq!(user_of(&"x".repeat(65)).unwrap_err().code, ErrorCode::InvalidName);
    }
}
