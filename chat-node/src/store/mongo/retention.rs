//! Removing whole buckets, some thousand entries in one call.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::calls::within;
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
        let older = doc! { "bucket": { "$lt": bucket } };
        let read = self.calls.run((self.buckets(), older, limit), async |(buckets, older, limit)| {
            let found = buckets.find(older).sort(doc! { "bucket": 1 }).limit(limit.into());
            found.await?.try_collect::<Vec<_>>().await
        });
        let pair = |row: Document| Ok((ChannelId(number(&row, "channel")?), Bucket(number(&row, "bucket")?)));
        read.await?.into_iter().map(pair).collect()
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
    while let Some(lowest) = lowest(mongo, channel).await?.filter(|lowest| *lowest <= floor) {
        let end = Position(floor.0.min(lowest.0 + POSITIONS_AT_ONCE));
        let some = doc! { "channel": channel, "position": { "$lte": end } };
        let input = (mongo.entries(), some);
        mongo.calls.run(input, async |(entries, some)| entries.delete_many(some).await).await?;
    }
    let input = (mongo.buckets(), doc! { "channel": channel, "bucket": { "$lte": bucket } });
    mongo.calls.run(input, async |(buckets, done)| buckets.delete_many(done).await).await?;
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
        let read = mongo.calls.run((entries.clone(), up_to), async |(entries, up_to)| {
            let found = entries.find_one(up_to).sort(doc! { "bucket": -1, "_id": -1 });
            found.projection(doc! { "position": 1 }).await
        });
        if let Some(row) = read.await? {
            last = last.max((MessageId(number(&row, "_id")?), Position(number(&row, "position")?)));
        }
    }
    Ok(last)
}

async fn raise_floor(mongo: &Mongo, channel: ChannelId, to: Position) -> Result<Position, StoreError> {
    let channels = mongo.channels().clone_with_type::<Document>();
    let (id, raise) = (doc! { "_id": channel }, doc! { "$max": { "floor": to } });
    let update = mongo.calls.run((channels, id, raise), async |(channels, id, raise)| {
        let update = channels.find_one_and_update(id, raise).projection(doc! { "floor": 1 });
        update.return_document(ReturnDocument::After).await
    });
    // The channel itself may be gone.
    update.await?.map_or(Ok(to), |row| number(&row, "floor").map(Position))
}

async fn lowest(mongo: &Mongo, channel: ChannelId) -> Result<Option<Position>, StoreError> {
    let entries = mongo.entries().clone_with_type::<Document>();
    let read = mongo.calls.run((entries, doc! { "channel": channel }), async |(entries, of_channel)| {
        let found = entries.find_one(of_channel).sort(doc! { "position": 1 });
        found.projection(doc! { "position": 1 }).await
    });
    read.await?.map(|row| number(&row, "position").map(Position)).transpose()
}

fn number(row: &Document, field: &str) -> Result<u64, StoreError> {
    row.get_i64(field).map_err(|error| StoreError::Corrupt(format!("`{field}`: {error}"))).and_then(unsigned)
}
