//! Forgetting whole buckets of a channel.

use async_trait::async_trait;

use super::StoreError;
use super::bucket::Bucket;
use crate::ids::{ChannelId, Position};

/// Removes old entries.
#[async_trait]
pub trait RetentionStore {
    /// At most `limit` pairs (1..=500) of a channel and a bucket before `bucket` that holds messages or changes of it.
    async fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
    ) -> Result<Vec<(ChannelId, Bucket)>, StoreError>;

    /// Removes the channel's entries up to and with the last one stored in that bucket, their reactions too, and raises
    /// the channel's floor; the head stays. Gives the floor. May break off and be repeated.
    async fn drop_bucket(&self, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError>;
}
