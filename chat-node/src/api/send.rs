//! Sending a message by request, for clients whose transport they cannot speak on.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use crate::error::Problem;
use crate::http::extract::{InPath, JsonBody};
use crate::ids::{ChannelId, MessageId, Position};
use crate::protocol::frame::Draft;
use crate::protocol::message::{Composed, Message};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/api/v1/channels/{id}/messages", post(send))
}

#[derive(Deserialize)]
struct NewMessage {
    nonce: String,
    #[serde(flatten)]
    composed: Composed,
}

/// As an ack over a connection.
#[derive(Serialize)]
struct Acknowledged {
    nonce: String,
    id: MessageId,
    position: Position,
}

async fn send(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(channel_id): InPath<ChannelId>,
    JsonBody(message): JsonBody<NewMessage>,
) -> Result<Json<Acknowledged>, Problem> {
    let NewMessage { nonce, composed } = message;
    let draft = Draft { channel_id, nonce: nonce.clone(), composed };
    let Message { id, position, .. } = api.channels.send(&user, draft).await?;
    Ok(Json(Acknowledged { nonce, id, position }))
}
