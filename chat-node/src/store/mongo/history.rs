//! Pages of messages, bucket by bucket from the newest.

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};

use super::Mongo;
use super::call::call;
use super::rows::EntryRow;
use super::summary::{READ_AT_ONCE, up_to};
use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;
use crate::store::StoreError;
use crate::store::bucket::{Bucket, groups};

/// Every message of a page may stand alone in its bucket, and a few buckets may be empty.
const ROUNDS: usize = 8;

pub(super) async fn page(
    mongo: &Mongo,
    channel: ChannelId,
    before: Option<MessageId>,
    limit: u16,
) -> Result<Vec<Message>, StoreError> {
    let (mut page, limit) = (Vec::new(), usize::from(limit));
    let mut newest = before.map_or(Bucket(u64::MAX), |id| Bucket::of(id, mongo.bucket));
    for _ in 0..ROUNDS {
        let buckets = up_to(mongo, channel, newest).await?;
        for group in groups(&buckets) {
            page.extend(read(mongo, filter(channel, group, before), limit - page.len()).await?);
            if page.len() == limit {
                return Ok(page);
            }
        }
        match buckets.last() {
            Some(Bucket(oldest @ 1..)) if buckets.len() == READ_AT_ONCE => newest = Bucket(oldest - 1),
            _ => return Ok(page),
        }
    }
    Ok(page)
}

fn filter(channel: ChannelId, buckets: &[Bucket], before: Option<MessageId>) -> Document {
    let buckets = match buckets {
        [bucket] => Bson::from(*bucket),
        several => doc! { "$in": several.to_vec() }.into(),
    };
    let mut filter = doc! { "channel": channel, "bucket": buckets };
    if let Some(before) = before {
        filter.insert("_id", doc! { "$lt": before });
    }
    filter
}

async fn read(mongo: &Mongo, filter: Document, limit: usize) -> Result<Vec<Message>, StoreError> {
    let messages = mongo.messages();
    let read = || async {
        let found = messages.find(filter.clone()).sort(doc! { "_id": -1 }).limit(limit as i64);
        found.await?.try_collect::<Vec<_>>().await
    };
    call(read).await?.into_iter().map(EntryRow::message).collect()
}
