//! The entries of a channel's log; the message is made after Discord's message object.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attachment::{Attachment, Embed};
use super::emoji::Emoji;
use crate::ids::{AccessVersion, ChannelId, MessageId, Position, UserId};

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Shown name, 1 to 64 characters.
    pub name: String,
}

/// What an author composes; what is absent is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default)]
pub struct Composed {
    /// The text, 1 to 4,000 characters; may be empty beside attachments.
    pub content: String,
    /// Who is mentioned, at most 50.
    pub mentions: Vec<UserId>,
    /// Whether everyone who reads the channel is meant.
    pub mention_everyone: bool,
    /// The message of the same channel that this one answers.
    pub reference: Option<MessageId>,
    /// Files that lie elsewhere, at most 10.
    pub attachments: Vec<Attachment>,
    /// Boxes shown below the text, at most 10.
    pub embeds: Vec<Embed>,
    /// How clients should show the message.
    pub flags: MessageFlags,
}

/// One message of a channel, with the changes that came after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its id; in a channel ids grow with positions.
    pub id: MessageId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its place in the channel's log.
    pub position: Position,
    /// The group's version that its position was reserved under; clients do not see it.
    #[serde(skip)]
    pub access: AccessVersion,
    /// What kind of message it is.
    #[serde(rename = "type", default, skip_serializing_if = "is_default")]
    pub kind: MessageKind,
    /// Who wrote it.
    pub author: User,
    /// The text.
    pub content: String,
    /// The author's own key for it, 1 to 64 characters: a second send with the same key is the same message.
    pub nonce: String,
    /// When it was stored, from its id, in ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// When it was last edited, in ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ms: Option<u64>,
    /// Who is mentioned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// Whether everyone who reads the channel is meant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mention_everyone: bool,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<MessageId>,
    /// Files that lie elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Boxes shown below the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embeds: Vec<Embed>,
    /// Reactions by emoji; only where a message is read from history, events tell of each one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionCount>,
    /// Whether it is pinned.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pinned: bool,
    /// How clients should show it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub flags: MessageFlags,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Written by itself.
    #[default]
    Default,
    /// Answers another one.
    Reply,
}

/// How clients should show a message: Discord's bits, of which authors may set `SUPPRESS_EMBEDS` (4) and
/// `SUPPRESS_NOTIFICATIONS` (4096).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct MessageFlags(pub u32);

/// How many users reacted with one emoji.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReactionCount {
    /// With what.
    pub emoji: Emoji,
    /// How many.
    pub count: u64,
    /// Whether the reader is among them.
    pub me: bool,
}

/// Where an entry stands in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: MessageId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its position.
    pub position: Position,
    /// The group's version that the position was reserved under.
    pub access: AccessVersion,
}

impl Message {
    /// What `author` composed, at its place.
    pub fn new(place: Place, author: User, nonce: String, composed: Composed) -> Self {
        let Place { id, channel_id, position, access } = place;
        let Composed { content, mentions, mention_everyone, reference, attachments, embeds, flags } =
            composed;
        let kind = if reference.is_some() { MessageKind::Reply } else { MessageKind::Default };
        let timestamp_ms = id.timestamp_ms();
        let (edited_ms, reactions, pinned) = (None, Vec::new(), false);
        Self {
            id,
            channel_id,
            position,
            access,
            kind,
            author,
            content,
            nonce,
            timestamp_ms,
            edited_ms,
            mentions,
            mention_everyone,
            reference,
            attachments,
            embeds,
            reactions,
            pinned,
            flags,
        }
    }
}

/// What changes a channel or one of its messages, as an entry of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEntry {
    /// Its id, from the same sequence as those of messages.
    pub id: MessageId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its place in the channel's log.
    pub position: Position,
    /// The group's version that its position was reserved under; clients do not see it.
    #[serde(skip)]
    pub access: AccessVersion,
    /// Who did it.
    pub by: User,
    /// When it was stored, from its id, in ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// What changes.
    pub change: Change,
}

impl ChangeEntry {
    /// What `by` changed, at its place.
    pub fn new(place: Place, by: User, change: Change) -> Self {
        let Place { id, channel_id, position, access } = place;
        Self { id, channel_id, position, access, by, timestamp_ms: id.timestamp_ms(), change }
    }
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A message's text and what belongs to it are replaced.
    Edit {
        /// Which message.
        message_id: MessageId,
        /// The new text; empty once the message is deleted.
        content: String,
        /// Who is mentioned now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
        /// Whether everyone is meant now.
        #[serde(default, skip_serializing_if = "is_default")]
        mention_everyone: bool,
        /// The new boxes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        embeds: Vec<Embed>,
    },
    /// A message goes for good; its place holds nothing afterwards.
    Delete {
        /// Which message.
        message_id: MessageId,
    },
    /// A user puts a reaction to a message, or takes it back.
    React {
        /// Which message.
        message_id: MessageId,
        /// With what.
        emoji: Emoji,
        /// Whether it is there now.
        on: bool,
    },
    /// A message is pinned, or no more.
    Pin {
        /// Which message.
        message_id: MessageId,
        /// Whether it is now.
        pinned: bool,
    },
    /// The channel has new settings.
    Settings(ChannelSettings),
}

impl Change {
    /// The message that changes; `None`: the channel does.
    pub fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Edit { message_id, .. }
            | Self::Delete { message_id }
            | Self::React { message_id, .. }
            | Self::Pin { message_id, .. } => Some(*message_id),
            Self::Settings(_) => None,
        }
    }
}

/// What a channel shows of itself, and how fast it may be written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelSettings {
    /// Shown name, 1 to 64 characters.
    pub name: String,
    /// What it is for, up to 1,024 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Seconds between two messages of one member, 0 to 21,600; those who may manage the channel are free of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slow_mode_s: u16,
}

/// One entry of a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A message.
    Message(Message),
    /// A change of the channel or one of its messages.
    Change(ChangeEntry),
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
            Self::Change(change) => change.channel_id,
            Self::Void { channel_id, .. } => *channel_id,
        }
    }

    /// The entry's place in the channel's log.
    pub fn position(&self) -> Position {
        match self {
            Self::Message(message) => message.position,
            Self::Change(change) => change.position,
            Self::Void { position, .. } => *position,
        }
    }

    /// The same entry, stored under this version of its group: which is not in its JSON.
    #[must_use]
    pub fn under(mut self, access: AccessVersion) -> Self {
        match &mut self {
            Self::Message(message) => message.access = access,
            Self::Change(change) => change.access = access,
            Self::Void { .. } => {}
        }
        self
    }

    /// The group's version that the entry was stored under; 0 for a void, which says nothing to anybody.
    pub fn access(&self) -> AccessVersion {
        match self {
            Self::Message(message) => message.access,
            Self::Change(change) => change.access,
            Self::Void { .. } => AccessVersion(0),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
