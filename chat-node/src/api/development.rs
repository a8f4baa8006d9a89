//! The development login: a token for anybody, under any name.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::refusals::NewLogin;
use crate::error::{ErrorCode, Problem};
use crate::http::extract::JsonBody;
use crate::limits::{NAME_CHARS, is_name};
use crate::protocol::message::User;

/// How long a token of the development login is good.
const LIFETIME: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(is_offered, login))
}

/// Whether there is a development login: 404 if not.
#[utoipa::path(get, path = "/api/v1/dev/login", tag = "development", security(()), responses((status = 204)))]
async fn is_offered() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The body of a development login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct DevelopmentLogin {
    /// Shown name, 1 to 64 characters; the id is made of it.
    name: String,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    token: String,
}

/// A token for anybody, under any name.
#[utoipa::path(post, path = "/api/v1/dev/login", tag = "development", security(()),
    request_body = DevelopmentLogin, responses((status = 200, body = SignedIn), NewLogin))]
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
