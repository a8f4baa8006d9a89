//! What members may do in a channel beyond or below their roles.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::refusals::{ChannelRule, OverridesChange};
use crate::error::Problem;
use crate::groups::Override;
use crate::http::extract::{InPath, JsonBody};
use crate::ids::ChannelId;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(read, put))
}

/// All overrides of a channel, at most 50.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overrides {
    overrides: Vec<Override>,
}

/// The overrides of a channel. Owner and admins of its group see them.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/overrides", tag = "overrides",
    params(("channel" = ChannelId, Path)), responses((status = 200, body = Overrides), ChannelRule))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
) -> Result<Json<Overrides>, Problem> {
    let overrides = api.channels.overrides(&user.id, channel).await?;
    Ok(Json(Overrides { overrides }))
}

/// Replaces them.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/overrides", tag = "overrides",
    params(("channel" = ChannelId, Path)), request_body = Overrides,
    responses((status = 200, body = Overrides), OverridesChange))]
async fn put(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
    JsonBody(body): JsonBody<Overrides>,
) -> Result<Json<Overrides>, Problem> {
    let overrides = api.channels.set_overrides(&user.id, channel, body.overrides).await?;
    Ok(Json(Overrides { overrides }))
}
