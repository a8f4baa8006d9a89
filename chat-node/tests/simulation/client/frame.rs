//! What a client reads.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::User;
use serde::Deserialize;

/// A frame, with all that one may have.
#[derive(Debug, Deserialize)]
pub struct Frame {
    pub op: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A message, or of a refusal what it says.
    pub message: Option<serde_json::Value>,
    pub channels: Option<Vec<Listed>>,
    pub channel: Option<Listed>,
    pub channel_id: Option<ChannelId>,
    pub position: Option<Position>,
    pub nonce: Option<String>,
    pub id: Option<MessageId>,
    pub code: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub delay_ms: Option<u64>,
    pub heads: Option<BTreeMap<ChannelId, Position>>,
}

/// A message.
#[derive(Debug, Deserialize)]
pub struct Told {
    pub id: MessageId,
    pub channel_id: ChannelId,
    pub position: Position,
    pub author: User,
    pub content: String,
    pub nonce: String,
}

/// A channel that the client may follow.
#[derive(Debug, Deserialize)]
pub struct Listed {
    pub id: ChannelId,
    pub head: Position,
}

/// Frames that came together.
#[derive(Debug, Deserialize)]
pub struct Page {
    pub frames: Vec<Frame>,
    /// Of who has read them.
    pub cursors: String,
}
