//! What a client reads.

use std::collections::BTreeMap;
use std::fmt;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::User;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A frame, with all that one may have.
#[derive(Debug, Deserialize)]
pub struct Frame {
    pub op: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub message: Option<Said>,
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

/// A message, or what a refusal says.
#[derive(Debug)]
pub enum Said {
    Message(Box<Told>),
    Words,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Said;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message or words")
            }

            fn visit_str<E>(self, _: &str) -> Result<Said, E> {
                Ok(Said::Words)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Said, A::Error> {
                Told::deserialize(MapAccessDeserializer::new(map)).map(|told| Said::Message(Box::new(told)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
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
