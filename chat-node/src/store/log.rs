//! The logs of channels, entry by entry.

use async_trait::async_trait;

use super::StoreError;
use crate::ids::{AccessVersion, ChannelId, MessageId, Position, UserId};
use crate::protocol::message::{Entry, Message};

/// Which positions an append wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// How many, 1 to 64.
    pub count: u16,
    /// The how-manieth of them is for the last message; 0: none is.
    pub last_message: u16,
}

/// Positions given to one append, and what goes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// First position; the others follow without holes.
    pub first: Position,
    /// Time of the first position in ms since the Unix epoch; the position after it has one more, and so on.
    /// Later reservations of the channel have later times, whatever the clocks say.
    pub first_ms: u64,
    /// The channel's access version at that moment.
    pub access: AccessVersion,
}

/// What became of one entry of an insert.
#[allow(clippy::large_enum_variant, reason = "at most some hundred live, and only for a moment")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    New,
    /// Its position already holds another entry (someone sealed it).
    PositionTaken,
    /// Its id already belongs to another entry; its position is still open.
    IdTaken,
    /// Its author already has a message with its nonce in the channel: this one.
    Known(Message),
}

/// Which messages a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// The last ones.
    End,
    /// The last ones before this.
    Before(MessageId),
    /// The first ones after this.
    After(MessageId),
    /// This one in the middle, if it is there.
    Middle(MessageId),
}

/// The entries of channels.
#[async_trait]
pub trait LogStore {
    /// Reserves positions of a channel in one atomic step: `head += count`,
    /// `time = max(now_ms, time + 1) + count - 1`, and the position of the last message. Who reserves must fill.
    async fn reserve(
        &self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError>;

    /// Stores entries (at most 500) of one channel at their reserved positions; the outcomes are in the order of
    /// the entries. An entry that is stored already, id and all, counts as new: so the call can be repeated.
    /// Unique are `(channel, position)`, an entry's id and a message's `(channel, author, nonce)`.
    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError>;

    /// The message that `author` sent to `channel` under `nonce`.
    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError>;

    /// At most `limit` entries (1..=500) with positions after `after`, in order; those up to the channel's floor are
    /// gone. A message comes as it is now; a deleted one comes as a void.
    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError>;

    /// At most `limit` messages (1..=100), newest first, without deleted ones and without reactions. Read bucket by
    /// bucket.
    async fn history(
        &self,
        channel: ChannelId,
        around: Around,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError>;
}
