//! Documents as stored, and what they mean. Whole numbers are signed there.

use mongodb::bson::{Bson, doc};
use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::message::{Entry, Message, User};
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{Channel, ChannelKind, StoreError};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum EntryRow {
    Message(MessageRow),
    Void(VoidRow),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MessageRow {
    #[serde(rename = "_id")]
    pub id: i64,
    channel: i64,
    position: i64,
    bucket: i64,
    author: String,
    author_name: String,
    nonce: String,
    content: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct VoidRow {
    channel: i64,
    position: i64,
    /// Always `true`: tells it from a message that lacks a field.
    void: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChannelRow {
    #[serde(rename = "_id")]
    id: i64,
    #[serde(flatten)]
    kind: KindRow,
    name: String,
    head: i64,
    /// The last position's time, in ms since the Unix epoch.
    time: i64,
}

/// Of a channel, only how far it is.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HeadRow {
    #[serde(rename = "_id")]
    id: i64,
    head: i64,
}

impl HeadRow {
    pub fn head(self) -> Result<(ChannelId, Position), StoreError> {
        Ok((ChannelId(unsigned(self.id)?), Position(unsigned(self.head)?)))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum KindRow {
    Official,
    Direct {
        users: [UserId; 2],
        /// Both, with a space between: unique.
        pair: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserRow {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub name: String,
}

/// A number as the store holds it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as the store held it.
pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("a number is {number}")))
}

/// The unique key of two users.
pub(super) fn pair(users: &[UserId; 2]) -> String {
    format!("{} {}", users[0], users[1])
}

impl EntryRow {
    pub fn new(entry: &Entry, bucket: BucketLength) -> Self {
        let (channel, position) = (signed(entry.channel().0), signed(entry.position().0));
        match entry {
            Entry::Message(message) => Self::Message(MessageRow {
                id: signed(message.id.0),
                channel,
                position,
                bucket: signed(Bucket::of(message.id, bucket).0),
                author: message.author.id.to_string(),
                author_name: message.author.name.clone(),
                nonce: message.nonce.clone(),
                content: message.content.clone(),
            }),
            Entry::Void { .. } => Self::Void(VoidRow { channel, position, void: true }),
        }
    }

    pub fn entry(self) -> Result<Entry, StoreError> {
        match self {
            Self::Message(row) => row.message().map(Entry::Message),
            Self::Void(VoidRow { channel, position, .. }) => Ok(Entry::Void {
                channel_id: ChannelId(unsigned(channel)?),
                position: Position(unsigned(position)?),
            }),
        }
    }

    pub fn message(self) -> Result<Message, StoreError> {
        match self {
            Self::Message(row) => row.message(),
            Self::Void(_) => Err(StoreError::Corrupt("a void where a message must be".to_owned())),
        }
    }
}

impl MessageRow {
    fn message(self) -> Result<Message, StoreError> {
        let id = MessageId(unsigned(self.id)?);
        let author =
            self.author.parse().map_err(|error| StoreError::Corrupt(format!("a message: {error}")))?;
        Ok(Message {
            id,
            channel_id: ChannelId(unsigned(self.channel)?),
            position: Position(unsigned(self.position)?),
            author: User { id: author, name: self.author_name },
            content: self.content,
            nonce: self.nonce,
            timestamp_ms: id.timestamp_ms(),
        })
    }
}

impl ChannelRow {
    pub fn direct(id: ChannelId, users: &[UserId; 2]) -> Self {
        let kind = KindRow::Direct { users: users.clone(), pair: pair(users) };
        Self { id: signed(id.0), kind, name: String::new(), head: 0, time: 0 }
    }

    pub fn channel(self) -> Result<Channel, StoreError> {
        let kind = match self.kind {
            KindRow::Official => ChannelKind::Official,
            KindRow::Direct { users, .. } => ChannelKind::Direct(users),
        };
        let (id, head) = (ChannelId(unsigned(self.id)?), Position(unsigned(self.head)?));
        Ok(Channel { id, kind, name: self.name, head })
    }

    pub fn head(&self) -> Result<(u64, u64), StoreError> {
        Ok((unsigned(self.head)?, unsigned(self.time)?))
    }
}

impl From<ChannelId> for Bson {
    fn from(id: ChannelId) -> Self {
        Self::Int64(signed(id.0))
    }
}

impl From<MessageId> for Bson {
    fn from(id: MessageId) -> Self {
        Self::Int64(signed(id.0))
    }
}

impl From<Position> for Bson {
    fn from(position: Position) -> Self {
        Self::Int64(signed(position.0))
    }
}

impl From<Bucket> for Bson {
    fn from(bucket: Bucket) -> Self {
        Self::Int64(signed(bucket.0))
    }
}

/// All keys under which an entry must be alone, as one filter.
pub(super) fn rivals(message: &Message) -> mongodb::bson::Document {
    let channel = message.channel_id;
    doc! { "$or": [
        { "channel": channel, "author": message.author.id.as_str(), "nonce": &message.nonce },
        { "_id": message.id },
        { "channel": channel, "position": message.position },
    ] }
}
