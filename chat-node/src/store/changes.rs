//! Changes as they show on their messages.

use async_trait::async_trait;

use super::StoreError;
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{ChangeEntry, Message, ReactionCount};

/// The most messages that [`ChangeStore::pinned`] returns.
pub const PINNED_LIMIT: usize = 50;

/// Messages with what has changed since they were written.
#[async_trait]
pub trait ChangeStore {
    /// Makes a stored change show on its message, its reaction or its channel. May be repeated, and come in any order: for
    /// text, pin, settings and each user's reaction the change with the highest position holds; deleting is for good
    /// and also takes the text out of earlier edits.
    async fn fold(&self, change: &ChangeEntry) -> Result<(), StoreError>;

    /// At most `limit` changes (1..=500) of a channel with positions after `after`, in order.
    async fn changes_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<ChangeEntry>, StoreError>;

    /// Writes down that all changes up to `position` are folded; that position never falls. Only for a position
    /// that has no open one before it: a change that is stored there later would not be found.
    async fn set_folded(&self, channel: ChannelId, position: Position) -> Result<(), StoreError>;

    /// A message of a channel, unless it is deleted; without reactions.
    async fn message(&self, channel: ChannelId, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// The pinned messages of a channel, at most 50, newest first, without reactions.
    async fn pinned(&self, channel: ChannelId) -> Result<Vec<Message>, StoreError>;

    /// The reactions to messages (at most 100), as `viewer` sees them; emojis in order, messages without any left out.
    async fn reactions(
        &self,
        messages: &[MessageId],
        viewer: &UserId,
    ) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError>;

    /// Who reacted to a message with an emoji, at most `limit` (1..=100) with ids after `after`, in order.
    async fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        page: (Option<&UserId>, u16),
    ) -> Result<Vec<UserId>, StoreError>;
}
