//! Reactions to messages.

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
use super::page::{Page, after_full};
use super::refusals::{OfMessage, Reacting};
use crate::error::Problem;
use crate::http::extract::{InPath, InQuery};
use crate::ids::{ChannelId, MessageId, UserId};
use crate::protocol::emoji::Emoji;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, take_back))
}

/// A page of users who reacted, in order of id.
#[derive(Serialize, ToSchema)]
pub(super) struct ReactorPage {
    user_ids: Vec<UserId>,
    /// What to give as `after` for the next page; `null` on the last one.
    next: Option<UserId>,
}

/// Who reacted to a message with an emoji.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/messages/{message}/reactions/{emoji}", tag = "reactions",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path), ("emoji" = Emoji, Path), Page<UserId>),
    responses((status = 200, body = ReactorPage), OfMessage))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((channel, message, emoji)): InPath<(ChannelId, MessageId, Emoji)>,
    InQuery(page): InQuery<Page<UserId>>,
) -> Result<Json<ReactorPage>, Problem> {
    let wanted = (&emoji, page.after.as_ref(), page.limit);
    let user_ids = api.channels.reactors(&user.id, (channel, message), wanted).await?;
    let next = after_full(&user_ids, page.limit, UserId::clone);
    Ok(Json(ReactorPage { user_ids, next }))
}

/// Reacts to a message; once more is the same. Needs `send`.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/messages/{message}/reactions/{emoji}/@me", tag = "reactions",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path), ("emoji" = Emoji, Path)),
    responses((status = 204), Reacting))]
async fn put(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((channel, message, emoji)): InPath<(ChannelId, MessageId, Emoji)>,
) -> Result<StatusCode, Problem> {
    api.channels.react(&user, (channel, message), (emoji, true)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes your reaction back; once more is the same.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/messages/{message}/reactions/{emoji}/@me",
    tag = "reactions",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path), ("emoji" = Emoji, Path)),
    responses((status = 204), OfMessage))]
async fn take_back(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((channel, message, emoji)): InPath<(ChannelId, MessageId, Emoji)>,
) -> Result<StatusCode, Problem> {
    api.channels.react(&user, (channel, message), (emoji, false)).await?;
    Ok(StatusCode::NO_CONTENT)
}
