//! Messages of a channel.

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
use super::page::after_full;
use super::refusals::{InChannel, MessageChange, MessageRule, OfMessage, Sending};
use crate::channels::change::Edit;
use crate::channels::history::PageSize;
use crate::error::{ErrorCode, Problem};
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::ids::{ChannelId, MessageId};
use crate::protocol::frame::Draft;
use crate::protocol::message::{Composed, Message};
use crate::store::Around;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list, send)).routes(routes!(read, edit, delete))
}

/// Which page of a channel; at most one of the ids.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Where {
    /// Messages before this one.
    before: Option<MessageId>,
    /// Messages after this one.
    after: Option<MessageId>,
    /// This message, and as many before as after it.
    around: Option<MessageId>,
    /// How many, 50 if absent.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    limit: PageSize,
}

impl Where {
    fn around(&self) -> Result<Around, Problem> {
        match (self.before, self.after, self.around) {
            (None, None, None) => Ok(Around::End),
            (Some(id), None, None) => Ok(Around::Before(id)),
            (None, Some(id), None) => Ok(Around::After(id)),
            (None, None, Some(id)) => Ok(Around::Middle(id)),
            _ => {
                let message = "a page is `before`, `after` or `around` a message: name one of them";
                Err(Problem::new(ErrorCode::Malformed, message))
            }
        }
    }
}

/// A page of messages, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct MessagePage {
    messages: Vec<Message>,
    /// The message to name for the next page in the same direction: as `before`, or as `after` where that was given.
    /// `null` if there is none, and for a page `around` a message, which has a next one on either side.
    next: Option<MessageId>,
}

impl MessagePage {
    fn of(messages: Vec<Message>, around: Around, size: PageSize) -> Self {
        let next = match around {
            Around::End | Around::Before(_) => after_full(&messages, size, |message| message.id),
            Around::After(_) => {
                let newest = messages.first().map(|message| message.id);
                newest.filter(|_| after_full(&messages, size, |_| ()).is_some())
            }
            Around::Middle(_) => None,
        };
        Self { messages, next }
    }
}

/// A page of a channel's messages, newest first; the last ones if no message is named.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/messages", tag = "messages",
    params(("channel" = ChannelId, Path), Where), responses((status = 200, body = MessagePage), InChannel))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
    InQuery(page): InQuery<Where>,
) -> Result<Json<MessagePage>, Problem> {
    let around = page.around()?;
    let messages = api.channels.history(&user.id, channel, (around, page.limit)).await?;
    Ok(Json(MessagePage::of(messages, around, page.limit)))
}

/// The body that sends a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct NewMessage {
    /// Your own key for it, 1 to 64 characters: whatever is sent twice under one nonce in one channel is one message.
    nonce: String,
    #[serde(flatten)]
    composed: Composed,
}

/// Sends a message; with a nonce that was used before it gives the first message again. Needs `send`.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/messages", tag = "messages",
    params(("channel" = ChannelId, Path)), request_body = NewMessage,
    responses((status = 201, body = Message, description = "The stored message, at `location`."), Sending))]
async fn send(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel_id): InPath<ChannelId>,
    JsonBody(NewMessage { nonce, composed }): JsonBody<NewMessage>,
) -> Result<Created<Message>, Problem> {
    let made = api.channels.send(&user, Draft { channel_id, nonce, composed }).await?;
    Ok(Created { at: format!("messages/{}", made.id), made })
}

/// One message.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/messages/{message}", tag = "messages",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path)),
    responses((status = 200, body = Message), OfMessage))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(at): InPath<(ChannelId, MessageId)>,
) -> Result<Json<Message>, Problem> {
    api.channels.message(&user.id, at).await.map(Json)
}

/// Changes a message of yours; what is absent stays. The answer is without reactions. Needs `send`.
#[utoipa::path(patch, path = "/api/v1/channels/{channel}/messages/{message}", tag = "messages",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path)), request_body = Edit,
    responses((status = 200, body = Message), MessageChange))]
async fn edit(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(at): InPath<(ChannelId, MessageId)>,
    JsonBody(edit): JsonBody<Edit>,
) -> Result<Json<Message>, Problem> {
    api.channels.edit(&user, at, edit).await.map(Json)
}

/// Deletes a message for good: one of yours, or with `manage` any.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/messages/{message}", tag = "messages",
    params(("channel" = ChannelId, Path), ("message" = MessageId, Path)), responses((status = 204), MessageRule))]
async fn delete(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(at): InPath<(ChannelId, MessageId)>,
) -> Result<StatusCode, Problem> {
    api.channels.delete(&user, at).await?;
    Ok(StatusCode::NO_CONTENT)
}
