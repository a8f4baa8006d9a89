//! The frames between client and server: one JSON object each, told apart by `op`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attachment::Embed;
use super::emoji::Emoji;
use super::message::{ChannelSettings, Composed, Message, User};
use crate::error::ErrorCode;
use crate::groups::Permissions;
use crate::ids::{ChannelId, GroupId, MessageId, Position, ServerId, UserId};

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Who I am, and what I have seen.
    Identify(Identify),
    /// Store and deliver this message.
    Send(Draft),
    /// I am still here.
    Heartbeat,
    /// Give me these entries of a channel.
    Fetch(Fetch),
    /// I am writing something.
    Typing {
        /// Where.
        channel_id: ChannelId,
    },
    /// I have read a channel up to here.
    Read {
        /// Which.
        channel_id: ChannelId,
        /// The last position that was read.
        position: Position,
    },
    /// Tell me whether these users are here, and no others any more.
    Watch {
        /// Whom.
        user_ids: BTreeSet<UserId>,
    },
}

impl ClientFrame {
    /// Every `op` of a client.
    pub const OPS: [&str; 7] = ["identify", "send", "heartbeat", "fetch", "typing", "read", "watch"];
}

/// Who a client is, and what it has seen.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Identify {
    /// The user's token.
    pub token: String,
    /// Last seen position per channel; a channel that is not named starts at its head.
    #[serde(default)]
    pub cursors: BTreeMap<ChannelId, Position>,
}

/// Written by hand, so that a token never reaches a log.
impl std::fmt::Debug for Identify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identify").field("cursors", &self.cursors).finish_non_exhaustive()
    }
}

/// A message that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Draft {
    /// Where to.
    pub channel_id: ChannelId,
    /// The author's key for it.
    pub nonce: String,
    /// What it says.
    #[serde(flatten)]
    pub composed: Composed,
}

/// Entries that a client has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Fetch {
    /// Whose.
    pub channel_id: ChannelId,
    /// The position before the first one.
    pub after: Position,
    /// At most so many.
    #[serde(default = "Fetch::limit_max")]
    pub limit: u16,
}

impl Fetch {
    /// Most entries of one answer.
    pub const LIMIT_MAX: u16 = 100;

    fn limit_max() -> u16 {
        Self::LIMIT_MAX
    }
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// First frame of a connection.
    Hello {
        /// How often the client must say something, in ms.
        heartbeat_ms: u64,
        /// The node's leased number.
        server_id: ServerId,
    },
    /// The client is signed in.
    Ready {
        /// The node's leased number.
        server_id: ServerId,
        /// Who the client is.
        user: &'a User,
        /// The user's channels.
        channels: &'a [ChannelView],
    },
    /// A message is stored.
    Ack {
        /// The author's key for it.
        nonce: &'a str,
        /// Its id.
        id: MessageId,
        /// Its place in the channel's log.
        position: Position,
    },
    /// Something happened.
    Event(Event<'a>),
    /// Answer to a heartbeat.
    HeartbeatAck {
        /// Last position per channel that this connection has been sent, this frame being behind it.
        heads: &'a BTreeMap<ChannelId, Position>,
    },
    /// Close after the delay, and connect again with the cursors.
    Reconnect {
        /// How long to wait, in ms.
        delay_ms: u64,
    },
    /// A command was refused.
    Error(Refusal<'a>),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A message.
    MessageCreate {
        /// The message.
        message: &'a Message,
    },
    /// A message's text and what belongs to it are others now.
    MessageUpdate {
        /// The edit's channel and position, and who did it.
        #[serde(flatten)]
        change: Changed<'a>,
        /// Which message.
        message_id: MessageId,
        /// The new text; empty where the message has been deleted since.
        content: &'a str,
        /// When, in ms since the Unix epoch.
        edited_ms: u64,
        /// Who is mentioned now.
        #[serde(skip_serializing_if = "<[UserId]>::is_empty")]
        mentions: &'a [UserId],
        /// Whether everyone is meant now.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        mention_everyone: bool,
        /// The new boxes.
        #[serde(skip_serializing_if = "<[Embed]>::is_empty")]
        embeds: &'a [Embed],
    },
    /// A message is gone.
    MessageDelete {
        /// The deletion's channel and position, and who did it.
        #[serde(flatten)]
        change: Changed<'a>,
        /// Which message.
        message_id: MessageId,
    },
    /// A user has put a reaction to a message, or taken it back.
    Reaction {
        /// The reaction's channel and position, and whose it is.
        #[serde(flatten)]
        change: Changed<'a>,
        /// Which message.
        message_id: MessageId,
        /// With what.
        emoji: &'a Emoji,
        /// Whether it is there now.
        on: bool,
    },
    /// A message is pinned, or no more.
    Pin {
        /// The change's channel and position, and who did it.
        #[serde(flatten)]
        change: Changed<'a>,
        /// Which message.
        message_id: MessageId,
        /// Whether it is now.
        pinned: bool,
    },
    /// A channel has new settings.
    ChannelUpdate {
        /// The change's channel and position, and who did it.
        #[serde(flatten)]
        change: Changed<'a>,
        /// The settings.
        #[serde(flatten)]
        settings: &'a ChannelSettings,
    },
    /// A position that holds nothing.
    Void {
        /// Its channel.
        channel_id: ChannelId,
        /// The position.
        position: Position,
    },
    /// The user has a channel that this connection did not know; what comes after its `head` follows.
    ChannelCreate {
        /// The channel.
        channel: &'a ChannelView,
    },
    /// The user has a channel no more.
    ChannelDelete {
        /// The channel.
        channel_id: ChannelId,
    },
    /// The user has read a channel, on this connection or another one.
    Read {
        /// The channel.
        channel_id: ChannelId,
        /// Up to here.
        position: Position,
    },
    /// Somebody is writing.
    Typing {
        /// Where.
        channel_id: ChannelId,
        /// Who.
        user_id: &'a UserId,
    },
    /// Whether users are here.
    Presence {
        /// Some of those that the connection watches.
        users: &'a [UserPresence],
    },
}

impl Event<'_> {
    /// Whether nothing is lost for good if a client misses it.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Typing { .. } | Self::Presence { .. })
    }
}

/// Whether a user is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserPresence {
    /// Who.
    pub id: UserId,
    /// Whether they have a connection to some node.
    pub online: bool,
}

/// What every event of a change says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Changed<'a> {
    /// In which channel.
    pub channel_id: ChannelId,
    /// The change's place in the channel's log.
    pub position: Position,
    /// Who did it.
    pub by: &'a User,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal<'a> {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: &'a str,
    /// The nonce of the refused message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// When to try again, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A channel as one of its users sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its id.
    pub id: ChannelId,
    /// Who may read and write.
    pub kind: ChannelKindView,
    /// The group that it belongs to; absent for direct channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// Shown name; of a direct channel the other user's id.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Seconds between two messages of one member.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow_mode_s: u16,
    /// What the user may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// The other user of a direct channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<UserId>,
    /// Last position that can be read.
    pub head: Position,
    /// Entries up to here are gone; a cursor before it counts as this.
    #[serde(default = "beginning", skip_serializing_if = "is_beginning")]
    pub floor: Position,
    /// Position of the last message; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Position>,
    /// The user has read up to here; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Position>,
    /// Messages after `read`, at most [`UNREAD_MAX`]; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u8>,
}

/// The highest number of unread messages that is shown: it means this many or more.
pub const UNREAD_MAX: u8 = 100;

fn is_zero(number: &u16) -> bool {
    *number == 0
}

fn beginning() -> Position {
    Position(0)
}

fn is_beginning(position: &Position) -> bool {
    *position == beginning()
}

/// Who may read and write a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKindView {
    /// Everyone.
    Official,
    /// Members of a group.
    Group,
    /// Two users.
    Direct,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: &str = include_str!("../../PROTOCOL.md");

    /// A channel of which everything is known.
    fn channel() -> ChannelView {
        ChannelView {
            id: ChannelId(9),
            kind: ChannelKindView::Group,
            group_id: Some(GroupId(7)),
            name: "General".to_owned(),
            topic: "all else".to_owned(),
            slow_mode_s: 5,
            permissions: Permissions::TALK,
            recipient_id: "bob".parse().ok(),
            head: Position(4),
            floor: Position(1),
            last_message: Some(Position(3)),
            read: Some(Position(2)),
            unread: Some(1),
        }
    }

    #[test]
    fn the_protocol_lists_every_field_and_kind_of_a_channel() {
        let (_, section) = PROTOCOL.split_once("## The channel\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let shown = serde_json::to_value(channel()).unwrap();
        let fields = shown.as_object().unwrap();
        for field in fields.keys() {
            assert!(section.contains(&format!("\n| `{field}` |")), "PROTOCOL.md lacks {field}");
        }
        assert_eq!(section.matches("\n| `").count(), fields.len(), "PROTOCOL.md has a field too many");
        for kind in [ChannelKindView::Official, ChannelKindView::Group, ChannelKindView::Direct] {
            let kind = serde_json::to_value(kind).unwrap();
            assert!(section.contains(&format!("`{}`", kind.as_str().unwrap())), "PROTOCOL.md lacks {kind}");
        }
    }
}
