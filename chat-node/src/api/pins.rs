//! Pinned messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::refusals::{InChannel, Pinning};
use crate::error::Problem;
use crate::http::extract::InPath;
use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, take_out))
}

/// All pinned messages of a channel, newest first, at most 50.
#[derive(Serialize, ToSchema)]
pub(super) struct Pins {
    messages: Vec<Message>,
}

/// The pinned messages of a channel.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/pins", tag = "pins", params(("channel" = ChannelId, Path)),
    responses((status = 200, body = Pins), InChannel))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
) -> Result<Json<Pins>, Problem> {
    let messages = api.channels.pins(&user.id, channel).await?;
    Ok(Json(Pins { messages }))
}

/// Pins a message; once more is the same. Needs `manage`; in a direct channel both users may.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/pins/{message}", tag = "pins",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path)), responses((status = 204), Pinning))]
async fn put(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(at): InPath<(ChannelId, MessageId)>,
) -> Result<StatusCode, Problem> {
    api.channels.pin(&user, at, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a pin out; once more is the same. Who may pin may.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/pins/{message}", tag = "pins",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path)), responses((status = 204), Pinning))]
async fn take_out(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(at): InPath<(ChannelId, MessageId)>,
) -> Result<StatusCode, Problem> {
    api.channels.pin(&user, at, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
