//! Messages of a channel.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use crate::channels::history::PageSize;
use crate::error::{ErrorCode, Problem};
use crate::http::extract::{InPath, InQuery};
use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;
use crate::store::Around;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/api/v1/channels/{id}/messages", get(list))
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

async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel): InPath<ChannelId>,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Messages>, Problem> {
    let size = match page.limit {
        Some(limit) => limit
            .parse::<PageSize>()
            .map_err(|error| Problem::new(ErrorCode::Malformed, error.to_string()))?,
        None => PageSize::default(),
    };
    let around = page.before.map_or(Around::End, Around::Before);
    let messages = api.channels.history(&user.id, channel, (around, size)).await?;
    Ok(Json(Messages { messages }))
}
