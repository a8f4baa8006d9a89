//! Durable state. [`Store`] is what a backend must do, one trait for each concern; the algorithm of a channel's log
//! stands above it in `channels::log`, so that every backend has the same one.
//!
//! Every call ends within a few seconds, with [`StoreError::Unavailable`] if need be. There are no transactions across
//! documents: what takes several steps is ordered so that it can break off anywhere and be repeated.

pub mod bucket;
pub mod changes;
pub mod channels;
pub mod embedded;
#[cfg(test)]
pub(crate) mod faulty;
pub mod groups;
pub mod layout;
pub mod leases;
pub mod log;
pub mod mongo;
pub mod reads;
pub mod retention;
pub mod users;

use std::fmt::Debug;

use async_trait::async_trait;

pub use self::changes::{ChangeStore, PINNED_LIMIT};
pub use self::channels::{Channel, ChannelKind, ChannelStore, DIRECT_CHANNELS_LIMIT, Head, NewChannel};
pub use self::groups::{GroupStore, REMEMBERED, RoleWrite, Seat, Written};
pub use self::leases::{Lease, LeaseStore};
pub use self::log::{Around, Inserted, LogStore, Reservation, Reserve};
pub use self::reads::ReadStore;
pub use self::retention::RetentionStore;
pub use self::users::UserStore;
use crate::ids::{ChannelId, ServerId};

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

/// A backend.
#[async_trait]
pub trait Store:
    LeaseStore
    + UserStore
    + ChannelStore
    + LogStore
    + ChangeStore
    + GroupStore
    + ReadStore
    + RetentionStore
    + Send
    + Sync
    + Debug
{
    /// Makes collections, indexes, the official group and its first channel where they are absent. May run many times,
    /// from many nodes at once. Both take the official name, the channel until its settings are changed. Writes down
    /// the length of a bucket, and refuses another one than was written down.
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError>;

    /// The store's clock, in ms since the Unix epoch.
    async fn now_ms(&self) -> Result<u64, StoreError>;
}
