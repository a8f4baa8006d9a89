//! Channels: those of a group, those of a user, and what one shows of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::created::Created;
use super::page::Page;
use super::refusals::{ChannelChange, ChannelRule, DirectOpening, InChannel, InGroup, NewChannel};
use crate::channels::groups::{ChannelPatch, ChannelPlan};
use crate::error::Problem;
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::ids::{ChannelId, GroupId, UserId};
use crate::protocol::frame::ChannelView;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_own, open_direct))
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

/// A page of channels, in order of id.
#[derive(Serialize, ToSchema)]
pub(super) struct ChannelPage {
    channels: Vec<ChannelView>,
    /// What to give as `after` for the next page; `null` on the last one.
    next: Option<ChannelId>,
}

/// The channels that you may read: official ones, those of your groups, direct ones; at most 500 in all.
#[utoipa::path(get, path = "/api/v1/users/@me/channels", tag = "channels", params(Page<ChannelId>),
    responses((status = 200, body = ChannelPage)))]
async fn list_own(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InQuery(page): InQuery<Page<ChannelId>>,
) -> Result<Json<ChannelPage>, Problem> {
    let channels = api.channels.own_channels(&user.id).await?;
    let (channels, next) = page.of(channels, |channel| channel.id);
    let channels = api.channels.with_unread(&user.id, channels).await?;
    Ok(Json(ChannelPage { channels, next }))
}

/// The body that opens a direct channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct OpenDirect {
    recipient_id: UserId,
}

/// The channel of you and another user, made if there was none.
#[utoipa::path(post, path = "/api/v1/users/@me/channels", tag = "channels", request_body = OpenDirect,
    responses((status = 200, body = ChannelView), DirectOpening))]
async fn open_direct(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    JsonBody(body): JsonBody<OpenDirect>,
) -> Result<Json<ChannelView>, Problem> {
    api.channels.open_direct(&user, &body.recipient_id).await.map(Json)
}

/// The channels of a group that you may read, without how far you have read them.
#[utoipa::path(get, path = "/api/v1/groups/{group}/channels", tag = "channels",
    params(("group" = GroupId, Path), Page<ChannelId>), responses((status = 200, body = ChannelPage), InGroup))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
    InQuery(page): InQuery<Page<ChannelId>>,
) -> Result<Json<ChannelPage>, Problem> {
    let channels = api.channels.channels_of(&user.id, group).await?;
    let (channels, next) = page.of(channels, |channel| channel.id);
    Ok(Json(ChannelPage { channels, next }))
}

/// Makes a channel of a group. Owner and admins do.
#[utoipa::path(post, path = "/api/v1/groups/{group}/channels", tag = "channels",
    params(("group" = GroupId, Path)), request_body = ChannelPlan,
    responses((status = 201, body = ChannelView, description = "The channel, at `location`."), NewChannel))]
async fn create(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
    JsonBody(plan): JsonBody<ChannelPlan>,
) -> Result<Created<ChannelView>, Problem> {
    let made = api.channels.create_channel(&user.id, group, plan).await?;
    Ok(Created { at: format!("../../channels/{}", made.id), made })
}

/// A channel that you may read.
#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "channels", params(("channel" = ChannelId, Path)),
    responses((status = 200, body = ChannelView), InChannel))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
) -> Result<Json<ChannelView>, Problem> {
    api.channels.channel(&user.id, channel).await.map(Json)
}

/// Changes name, topic or slow mode; what is absent stays. Needs `manage`.
#[utoipa::path(patch, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = ChannelId, Path)), request_body = ChannelPatch,
    responses((status = 200, body = ChannelView), ChannelChange))]
async fn update(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
    JsonBody(patch): JsonBody<ChannelPatch>,
) -> Result<Json<ChannelView>, Problem> {
    api.channels.set_channel_settings(&user, channel, patch).await.map(Json)
}

/// Deletes a channel with its messages for good. Owner and admins of its group do; the official channel stays.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = ChannelId, Path)), responses((status = 204), ChannelRule))]
async fn delete(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
) -> Result<StatusCode, Problem> {
    api.channels.delete_channel(&user.id, channel).await?;
    Ok(StatusCode::NO_CONTENT)
}
