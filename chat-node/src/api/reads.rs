//! How far a user has read a channel.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::refusals::InChannel;
use crate::channels::reads::ReadState;
use crate::error::Problem;
use crate::http::extract::{InPath, JsonBody};
use crate::ids::{ChannelId, Position};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(read, put))
}

/// How far you have read a channel.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/read", tag = "read state",
    params(("channel" = ChannelId, Path)), responses((status = 200, body = ReadState), InChannel))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
) -> Result<Json<ReadState>, Problem> {
    api.channels.read_state(&user.id, channel).await.map(Json)
}

/// The body that says how far a channel is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct ReadUpTo {
    position: Position,
}

/// Notes how far you have read a channel. The position never falls, and one beyond the end counts as the end.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/read", tag = "read state",
    params(("channel" = ChannelId, Path)), request_body = ReadUpTo,
    responses((status = 200, body = ReadState), InChannel))]
async fn put(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
    JsonBody(body): JsonBody<ReadUpTo>,
) -> Result<Json<ReadState>, Problem> {
    api.channels.mark_read(&user.id, channel, body.position).await.map(Json)
}
