//! Documents of a log's entries as stored, and what they mean.

use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::rows::{signed, unsigned};
use crate::ids::{AccessVersion, ChannelId, MessageId, Position, UserId};
use crate::protocol::attachment::{Attachment, Embed};
use crate::protocol::message::{Change, ChangeEntry, Composed, Entry, Message, MessageFlags, Place, User};
use crate::store::StoreError;
use crate::store::bucket::{Bucket, BucketLength};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum EntryRow {
    Message(MessageRow),
    /// A message without its content; its keys stay taken.
    Deleted(MessageRow),
    Change(ChangeRow),
    Void {
        channel: i64,
        position: i64,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlaceRow {
    #[serde(rename = "_id")]
    id: i64,
    channel: i64,
    position: i64,
    bucket: i64,
    access: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MessageRow {
    #[serde(flatten)]
    place: PlaceRow,
    author: UserId,
    author_name: String,
    nonce: String,
    content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<UserId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mention_everyone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    embeds: Vec<Embed>,
    #[serde(default)]
    flags: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_ms: Option<i64>,
    /// Position of the last edit that is folded in.
    edited_at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pinned: bool,
    /// Position of the last change of its pin that is folded in.
    pinned_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChangeRow {
    #[serde(flatten)]
    place: PlaceRow,
    by: UserId,
    by_name: String,
    /// Of an edit, the message: so that the text is found when the message is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edits: Option<i64>,
    change: Change,
}

/// What of a stored entry can stand in another one's way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rival {
    pub channel: ChannelId,
    pub position: Position,
    /// None: a void.
    pub id: Option<MessageId>,
    /// The message, deleted or not.
    pub message: Option<Message>,
}

impl EntryRow {
    pub fn new(entry: &Entry, bucket: BucketLength) -> Self {
        match entry {
            Entry::Message(message) => Self::Message(MessageRow::new(message, bucket)),
            Entry::Change(change) => Self::Change(ChangeRow::new(change, bucket)),
            Entry::Void { channel_id, position } => {
                Self::Void { channel: signed(channel_id.0), position: signed(position.0) }
            }
        }
    }

    /// The entry as readers of the log see it.
    pub fn entry(self) -> Result<Entry, StoreError> {
        let void = |channel, position| {
            let (channel_id, position) = (ChannelId(unsigned(channel)?), Position(unsigned(position)?));
            Ok(Entry::Void { channel_id, position })
        };
        match self {
            Self::Message(row) => row.message().map(Entry::Message),
            Self::Change(row) => row.change().map(Entry::Change),
            Self::Deleted(row) => void(row.place.channel, row.place.position),
            Self::Void { channel, position } => void(channel, position),
        }
    }

    /// The message, deleted or not.
    pub fn message(self) -> Result<Message, StoreError> {
        match self {
            Self::Message(row) | Self::Deleted(row) => row.message(),
            Self::Change(_) | Self::Void { .. } => {
                Err(StoreError::Corrupt("another entry where a message must be".to_owned()))
            }
        }
    }

    pub fn rival(self) -> Result<Rival, StoreError> {
        let (place, message) = match self {
            Self::Message(row) | Self::Deleted(row) => (row.place.clone(), Some(row.message()?)),
            Self::Change(row) => (row.place, None),
            Self::Void { channel, position } => {
                let (channel, position) = (ChannelId(unsigned(channel)?), Position(unsigned(position)?));
                return Ok(Rival { channel, position, id: None, message: None });
            }
        };
        let Place { id, channel_id: channel, position, .. } = place.place()?;
        Ok(Rival { channel, position, id: Some(id), message })
    }
}

impl PlaceRow {
    fn new(place: Place, bucket: BucketLength) -> Self {
        Self {
            id: signed(place.id.0),
            channel: signed(place.channel_id.0),
            position: signed(place.position.0),
            bucket: signed(Bucket::of(place.id, bucket).0),
            access: signed(place.access.0),
        }
    }

    fn place(&self) -> Result<Place, StoreError> {
        Ok(Place {
            id: MessageId(unsigned(self.id)?),
            channel_id: ChannelId(unsigned(self.channel)?),
            position: Position(unsigned(self.position)?),
            access: AccessVersion(unsigned(self.access)?),
        })
    }
}

impl MessageRow {
    fn new(message: &Message, bucket: BucketLength) -> Self {
        let Message { id, channel_id, position, access, .. } = *message;
        let message = message.clone();
        Self {
            place: PlaceRow::new(Place { id, channel_id, position, access }, bucket),
            author: message.author.id,
            author_name: message.author.name,
            nonce: message.nonce,
            content: message.content,
            mentions: message.mentions,
            mention_everyone: message.mention_everyone,
            reference: message.reference.map(|id| signed(id.0)),
            attachments: message.attachments,
            embeds: message.embeds,
            flags: message.flags.0.into(),
            edited_ms: message.edited_ms.map(signed),
            edited_at: 0,
            pinned: message.pinned,
            pinned_at: 0,
        }
    }

    fn message(self) -> Result<Message, StoreError> {
        let place = self.place.place()?;
        let flags = u32::try_from(self.flags)
            .map_err(|_| StoreError::Corrupt(format!("a message's flags are {}", self.flags)))?;
        let composed = Composed {
            content: self.content,
            mentions: self.mentions,
            mention_everyone: self.mention_everyone,
            reference: self.reference.map(unsigned).transpose()?.map(MessageId),
            attachments: self.attachments,
            embeds: self.embeds,
            flags: MessageFlags(flags),
        };
        let author = User { id: self.author, name: self.author_name };
        let edited_ms = self.edited_ms.map(unsigned).transpose()?;
        Ok(Message { edited_ms, pinned: self.pinned, ..Message::new(place, author, self.nonce, composed) })
    }
}

impl ChangeRow {
    fn new(change: &ChangeEntry, bucket: BucketLength) -> Self {
        let ChangeEntry { id, channel_id, position, access, .. } = *change;
        let edits = match change.change {
            Change::Edit { message_id, .. } => Some(signed(message_id.0)),
            _ => None,
        };
        Self {
            place: PlaceRow::new(Place { id, channel_id, position, access }, bucket),
            by: change.by.id.clone(),
            by_name: change.by.name.clone(),
            edits,
            change: change.change.clone(),
        }
    }

    fn change(self) -> Result<ChangeEntry, StoreError> {
        let Place { id, channel_id, position, access } = self.place.place()?;
        let (by, timestamp_ms) = (User { id: self.by, name: self.by_name }, id.timestamp_ms());
        Ok(ChangeEntry { id, channel_id, position, access, by, timestamp_ms, change: self.change })
    }
}

/// All keys under which an entry must be alone, as one filter.
pub(super) fn rivals(entry: &Entry) -> Document {
    let mut keys = vec![doc! { "channel": entry.channel(), "position": entry.position() }];
    match entry {
        Entry::Message(message) => {
            let (author, nonce) = (message.author.id.as_str(), &message.nonce);
            keys.push(doc! { "channel": message.channel_id, "author": author, "nonce": nonce });
            keys.push(doc! { "_id": message.id });
        }
        Entry::Change(change) => keys.push(doc! { "_id": change.id }),
        Entry::Void { .. } => {}
    }
    doc! { "$or": keys }
}
