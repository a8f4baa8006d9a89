//! Users.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use crate::channels::problem_of;
use crate::error::Problem;
use crate::http::extract::JsonBody;
use crate::ids::UserId;
use crate::protocol::frame::ChannelView;
use crate::protocol::message::User;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/api/v1/users/@me", get(me)).route("/api/v1/users/@me/channels", post(open_direct))
}

async fn me(State(api): State<Arc<Api>>, Caller(user): Caller) -> Result<Json<User>, Problem> {
    api.store.put_user(&user).await.map_err(|error| problem_of(&error))?;
    Ok(Json(user))
}

/// The body that opens a direct channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OpenDirect {
    recipient_id: UserId,
}

async fn open_direct(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    JsonBody(body): JsonBody<OpenDirect>,
) -> Result<Json<ChannelView>, Problem> {
    api.channels.open_direct(&user, &body.recipient_id).await.map(Json)
}
