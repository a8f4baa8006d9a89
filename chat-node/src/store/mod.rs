//! Durable state. [`Store`] is what a backend must do; the algorithm of a channel's log stands above it in
//! `channels::log`, so that every backend has the same one.

use async_trait::async_trait;

use crate::ids::{ChannelId, MessageId, Position, ServerId, UserId};
use crate::protocol::message::{Entry, Message, User};

pub mod bucket;
pub mod embedded;
#[cfg(test)]
pub(crate) mod faulty;
pub mod layout;
pub mod mongo;

/// Why the store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, or not in time. A write may have happened: repeat it with the same key.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It refused, and will refuse again.
    #[error("the store refused: {0}")]
    Refused(String),
    /// It holds something that this version cannot read.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    fn no_channel(channel: ChannelId) -> Self {
        Self::Refused(format!("there is no channel {channel}"))
    }

    fn none_free() -> Self {
        let count = ServerId::COUNT;
        Self::Refused(format!(
            "all {count} server ids are leased; stop some nodes, or wait for their leases to end"
        ))
    }
}

/// The most channels that [`Store::direct_channels`] returns.
pub const DIRECT_CHANNELS_LIMIT: usize = 100;

/// A channel as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Who may read and write.
    pub kind: ChannelKind,
    /// Shown name.
    pub name: String,
    /// Last position given out; [`Position`] 0 if none.
    pub head: Position,
}

/// Who may read and write a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everyone.
    Official,
    /// These two, in order of their ids.
    Direct([UserId; 2]),
}

/// Positions given to one append, and the time that goes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// First position; the others follow without holes.
    pub first: Position,
    /// Time of the first position in ms since the Unix epoch; the position after it has one more, and so on.
    /// Later reservations of the channel have later times, whatever the clocks say.
    pub first_ms: u64,
}

/// What became of one entry of an insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    New,
    /// Its position already holds another entry (someone sealed it).
    PositionTaken,
    /// Its id already belongs to another message; its position is still open.
    IdTaken,
    /// Its author already has a message with its nonce in the channel: this one.
    Known(Message),
}

/// A lease on a server id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The leased number.
    pub server_id: ServerId,
    /// Grows with every new holder of the number; a holder with a smaller one has lost it.
    pub fence: u64,
    /// Ids of this number at or before this time (ms since the Unix epoch) may have been used by an earlier holder.
    pub used_until_ms: u64,
}

/// What a backend must do. Every call ends within a few seconds, with [`StoreError::Unavailable`] if need be.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Makes collections, indexes and the official channel where they are absent. May run many times, from many
    /// nodes at once. Writes down the length of a bucket, and refuses another one than was written down.
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError>;

    /// The store's clock, in ms since the Unix epoch.
    async fn now_ms(&self) -> Result<u64, StoreError>;

    /// Leases a free or expired server id to `holder` for `ttl_ms` by the store's clock: the lowest one whose
    /// used ids all lie before that clock, so that the holder can issue at once. `holder` is for people to read.
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError>;

    /// Prolongs a lease, and writes down that ids up to `use_until_ms` may be used (that time never falls).
    /// `false`: it is lost. A lease that expired and that nobody took is prolonged.
    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError>;

    /// Gives a lease back; ids up to `used_until_ms` were used. Nothing happens if it is lost.
    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError>;

    /// Writes down a user's name, and makes the user on first sight.
    async fn put_user(&self, user: &User) -> Result<(), StoreError>;

    /// A user.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// A channel.
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;

    /// The heads of those of `ids` (at most 500) that exist, in any order.
    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Position)>, StoreError>;

    /// The channels that `user` takes part in beside the official one, at most 100, newest first.
    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError>;

    /// The channel of two users, made with `id` if they have none yet. One result however many call at once.
    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError>;

    /// Reserves `count` positions of a channel (1..=64) in one atomic step: `head += count`,
    /// `time = max(now_ms, time + 1) + count - 1`. Who reserves must fill.
    async fn reserve(&self, channel: ChannelId, count: u16, now_ms: u64) -> Result<Reservation, StoreError>;

    /// Stores entries (at most 500) of one channel at their reserved positions; the outcomes are in the order of
    /// the entries. An entry that is stored already, id and all, counts as new: so the call can be repeated.
    /// Unique are `(channel, position)`, a message's id and `(channel, author, nonce)`.
    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError>;

    /// The message that `author` sent to `channel` under `nonce`.
    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError>;

    /// At most `limit` entries (1..=500) with positions after `after`, in order.
    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError>;

    /// At most `limit` messages (1..=100) before `before`, or the last ones, newest first. Read bucket by bucket.
    async fn history(
        &self,
        channel: ChannelId,
        before: Option<MessageId>,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError>;
}
