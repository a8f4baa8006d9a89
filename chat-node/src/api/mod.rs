//! The REST API below `/api/v1`.

mod caller;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use self::caller::Caller;
use self::problem::JsonBody;
use crate::auth::Tokens;
use crate::channels::history::PageSize;
use crate::channels::{Channels, problem_of};
use crate::clock::Clock;
use crate::error::{ErrorCode, Problem};
use crate::ids::{MessageId, UserId};
use crate::limits::{Limits, NAME_CHARS, is_name};
use crate::protocol::frame::ChannelView;
use crate::protocol::message::{Message, User};
use crate::store::Store;

/// How long a token of the development login is good.
const DEVELOPMENT_TOKEN: Duration = Duration::from_secs(7 * 86_400);

/// What the API works with.
#[derive(Debug)]
pub struct Api {
    /// Who a token belongs to.
    pub tokens: Arc<Tokens>,
    /// What a user can do.
    pub channels: Arc<Channels>,
    /// Where users are written down.
    pub store: Arc<dyn Store>,
    /// The calendar that tokens are signed by.
    pub clock: Arc<dyn Clock>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// Whether anybody may sign in under any name.
    pub development_login: bool,
}

/// Every route of the API.
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/api/v1/users/@me", get(me))
        .route("/api/v1/users/@me/channels", post(open_direct))
        .route("/api/v1/channels/{id}/messages", get(messages));
    if api.development_login {
        let login = get(|| async { StatusCode::NO_CONTENT }).post(development_login);
        router = router.route("/api/v1/dev/login", login);
    }
    router.layer(DefaultBodyLimit::max(api.limits.frame_bytes)).with_state(api)
}

/// The answer to a path that is none.
pub async fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is nothing at this address; PROTOCOL.md lists what there is")
}

async fn me(State(api): State<Arc<Api>>, Caller(user): Caller) -> Result<Json<User>, Problem> {
    api.store.put_user(&user).await.map_err(|error| problem_of(&error))?;
    Ok(Json(user))
}

#[derive(Deserialize)]
struct OpenDirect {
    recipient_id: UserId,
}

async fn open_direct(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    JsonBody(body): JsonBody<OpenDirect>,
) -> Result<Json<ChannelView>, Problem> {
    api.channels.open_direct(&user, &body.recipient_id).await.map(Json)
}

#[derive(Deserialize)]
struct Page {
    before: Option<MessageId>,
    limit: Option<String>,
}

#[derive(Serialize)]
struct Messages {
    messages: Vec<Message>,
}

async fn messages(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    Path(channel): Path<String>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Messages>, Problem> {
    let malformed = |message: String| Problem::new(ErrorCode::Malformed, message);
    let channel = channel.parse().map_err(|error| malformed(format!("the path: {error}")))?;
    let Query(page) = page.map_err(|error| malformed(error.body_text()))?;
    let size = match page.limit {
        Some(limit) => limit.parse::<PageSize>().map_err(|error| malformed(error.to_string()))?,
        None => PageSize::default(),
    };
    let messages = api.channels.history(&user.id, channel, (page.before, size)).await?;
    Ok(Json(Messages { messages }))
}

#[derive(Deserialize)]
struct DevelopmentLogin {
    name: String,
}

#[derive(Serialize)]
struct SignedIn {
    token: String,
}

async fn development_login(
    State(api): State<Arc<Api>>,
    JsonBody(body): JsonBody<DevelopmentLogin>,
) -> Result<Json<SignedIn>, Problem> {
    let user = user_of(&body.name)?;
    let token = api.tokens.sign(&user, api.clock.wall_ms() / 1_000, DEVELOPMENT_TOKEN);
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
