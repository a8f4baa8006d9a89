//! Channels: what they are, and how far their logs have come.

use async_trait::async_trait;

use super::StoreError;
use crate::groups::Override;
use crate::ids::{AccessVersion, ChannelId, GroupId, Position, Revision, UserId};
use crate::protocol::message::ChannelSettings;

/// The most channels that [`ChannelStore::direct_channels`] returns.
pub const DIRECT_CHANNELS_LIMIT: usize = 100;

/// A channel as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub kind: ChannelKind,
    /// What it shows of itself.
    pub settings: ChannelSettings,
    /// What its group's members may do here beyond or below their roles.
    pub overrides: Vec<Override>,
    /// How often these were replaced.
    pub revision: Revision,
    /// The group's version of the last change that concerned who may use it.
    pub access: AccessVersion,
    /// Last position given out; [`Position`] 0 if none.
    pub head: Position,
    /// Position of the last message; 0 if there is none.
    pub last_message: Position,
    /// All changes up to here are folded into their messages.
    pub folded: Position,
    /// Entries up to here are gone by retention; 0 if none are.
    pub floor: Position,
}

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// As [`Channel::head`].
    pub position: Position,
    /// As [`Channel::access`].
    pub access: AccessVersion,
    /// As [`Channel::floor`].
    pub floor: Position,
}

/// Whose a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// A group's.
    Group(GroupId),
    /// These two users', in order of their ids.
    Direct([UserId; 2]),
}

/// A channel that a group gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its group.
    pub group: GroupId,
    /// What it shows of itself.
    pub settings: ChannelSettings,
    /// What members may do here beyond or below their roles.
    pub overrides: Vec<Override>,
}

/// The channels there are.
#[async_trait]
pub trait ChannelStore {
    /// A channel.
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;

    /// The heads of those of `ids` (at most 500) that exist, in any order.
    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError>;

    /// The direct channels of `user`, at most 100, newest first.
    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError>;

    /// The channel of two users, made with `id` if they have none yet. One result however many call at once.
    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError>;
}
