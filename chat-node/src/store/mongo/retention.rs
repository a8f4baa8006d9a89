//! Removing whole buckets, some thousand entries in one call.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::call::{call, within};
use super::rows::unsigned;
use super::{Mongo, reactions};
use crate::ids::{ChannelId, MessageId, Position};
use crate::store::bucket::Bucket;
use crate::store::{RetentionStore, StoreError};

const POSITIONS_AT_ONCE: u64 = 2_000;

#[async_trait]
impl RetentionStore for Mongo {
    async fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
    ) -> Result<Vec<(ChannelId, Bucket)>, StoreError> {
        let (buckets, older) = (self.buckets(), doc! { "bucket": { "$lt": bucket } });
        let read = || async {
            let found = buckets.find(older.clone()).sort(doc! { "bucket": 1 }).limit(limit.into());
            found.await?.try_collect::<Vec<_>>().await
        };
        let pair = |row: Document| Ok((ChannelId(number(&row, "channel")?), Bucket(number(&row, "bucket")?)));
        call(read).await?.into_iter().map(pair).collect()
    }

    async fn drop_bucket(&self, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
        within(drop_bucket(self, channel, bucket)).await
    }
}

/// First the floor, below which nobody looks; last the notes of the buckets, so that what breaks off is found again.
async fn drop_bucket(mongo: &Mongo, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
    let (id, last) = last_in(mongo, channel, bucket).await?;
    let floor = raise_floor(mongo, channel, last).await?;
    reactions::remove(mongo, doc! { "channel": channel, "message": { "$lte": id } }).await?;
    let entries = mongo.entries();
    while let Some(lowest) = lowest(mongo, channel).await?.filter(|lowest| *lowest <= floor) {
        let end = Position(floor.0.min(lowest.0 + POSITIONS_AT_ONCE));
        let some = doc! { "channel": channel, "position": { "$lte": end } };
        call(|| async { entries.delete_many(some.clone()).await }).await?;
    }
    let (buckets, done) = (mongo.buckets(), doc! { "channel": channel, "bucket": { "$lte": bucket } });
    call(|| async { buckets.delete_many(done.clone()).await }).await?;
    Ok(floor)
}

/// Id and position of the last entry that the bucket or an earlier one has; 0 if none has any. Nothing in flight can be
/// before it and belong to a later bucket: ids grow with positions.
async fn last_in(
    mongo: &Mongo,
    channel: ChannelId,
    bucket: Bucket,
) -> Result<(MessageId, Position), StoreError> {
    let entries = mongo.entries().clone_with_type::<Document>();
    let mut last = (MessageId(0), Position(0));
    for kind in ["message", "deleted", "change"] {
        let up_to = doc! { "channel": channel, "kind": kind, "bucket": { "$lte": bucket } };
        let read = || async {
            let found = entries.find_one(up_to.clone()).sort(doc! { "bucket": -1, "_id": -1 });
            found.projection(doc! { "position": 1 }).await
        };
        if let Some(row) = call(read).await? {
            last = last.max((MessageId(number(&row, "_id")?), Position(number(&row, "position")?)));
        }
    }
    Ok(last)
}

async fn raise_floor(mongo: &Mongo, channel: ChannelId, to: Position) -> Result<Position, StoreError> {
    let channels = mongo.channels().clone_with_type::<Document>();
    let raise = doc! { "$max": { "floor": to } };
    let update = || async {
        let update = channels.find_one_and_update(doc! { "_id": channel }, raise.clone());
        update.projection(doc! { "floor": 1 }).return_document(ReturnDocument::After).await
    };
    // The channel itself may be gone.
    call(update).await?.map_or(Ok(to), |row| number(&row, "floor").map(Position))
}

async fn lowest(mongo: &Mongo, channel: ChannelId) -> Result<Option<Position>, StoreError> {
    let entries = mongo.entries().clone_with_type::<Document>();
    let read = || async {
        let found = entries.find_one(doc! { "channel": channel }).sort(doc! { "position": 1 });
        found.projection(doc! { "position": 1 }).await
    };
    call(read).await?.map(|row| number(&row, "position").map(Position)).transpose()
}

fn number(row: &Document, field: &str) -> Result<u64, StoreError> {
    row.get_i64(field).map_err(|error| StoreError::Corrupt(format!("`{field}`: {error}"))).and_then(unsigned)
}
