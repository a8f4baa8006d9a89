//! The message, after Discord's message object.

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, MessageId, Position, UserId};

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Shown name, 1 to 64 characters.
    pub name: String,
}

/// One message of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; in a channel ids grow with positions.
    pub id: MessageId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its place in the channel's log.
    pub position: Position,
    /// Who wrote it.
    pub author: User,
    /// The text, 1 to 4,000 characters.
    pub content: String,
    /// The author's own key for it, 1 to 64 characters: a second send with the same key is the same message.
    pub nonce: String,
    /// When it was stored, from its id, in ms since the Unix epoch.
    pub timestamp_ms: u64,
}

/// One entry of a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A message.
    Message(Message),
    /// A position that holds nothing and never will.
    Void {
        /// Its channel.
        channel_id: ChannelId,
        /// Its place in the channel's log.
        position: Position,
    },
}

impl Entry {
    /// The entry's channel.
    pub fn channel(&self) -> ChannelId {
        match self {
            Self::Message(message) => message.channel_id,
            Self::Void { channel_id, .. } => *channel_id,
        }
    }

    /// The entry's place in the channel's log.
    pub fn position(&self) -> Position {
        match self {
            Self::Message(message) => message.position,
            Self::Void { position, .. } => *position,
        }
    }
}
