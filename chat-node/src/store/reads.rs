//! How far users have read.

use async_trait::async_trait;

use super::StoreError;
use crate::ids::{ChannelId, Position, UserId};

/// Read positions.
#[async_trait]
pub trait ReadStore {
    /// Notes that `user` has read a channel up to a position; that position never falls. Gives the one that holds.
    async fn set_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<Position, StoreError>;

    /// How far `user` has read those of `channels` (at most 500) in which there is something noted, in any order.
    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError>;

    /// How many messages a channel has after a position, counted up to `up_to` (1..=100); deleted ones do not count.
    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError>;
}
