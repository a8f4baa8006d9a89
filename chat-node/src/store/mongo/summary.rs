//! Which buckets of a channel hold messages or changes. A bucket is noted before its first entry is stored, so none
//! is ever missing; one without does no harm.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use futures::TryStreamExt;
use mongodb::bson::doc;

use super::Mongo;
use super::history::Direction;
use super::rows::{signed, unsigned};
use crate::ids::ChannelId;
use crate::protocol::message::Entry;
use crate::store::StoreError;
use crate::store::bucket::{Bucket, BucketLength};

/// How many buckets a node remembers to have noted; then it forgets all, and notes them once more.
const REMEMBERED: usize = 100_000;
/// How many buckets are read at once.
pub(super) const READ_AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Summary {
    noted: Mutex<HashSet<(ChannelId, Bucket)>>,
}

impl Summary {
    fn contains(&self, key: (ChannelId, Bucket)) -> bool {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }

    fn remember(&self, key: (ChannelId, Bucket)) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(key);
    }
}

/// Notes the buckets that `entries` will be in.
pub(super) async fn note(mongo: &Mongo, entries: &[Entry]) -> Result<(), StoreError> {
    let mut last = None;
    for key in entries.iter().filter_map(|entry| key(entry, mongo.bucket)) {
        if last == Some(key) || mongo.summary.contains(key) {
            continue;
        }
        last = Some(key);
        let row = doc! { "_id": format!("{} {}", key.0, key.1.0), "channel": key.0, "bucket": key.1 };
        let input = (mongo.buckets(), row);
        match mongo.calls.run(input, async |(buckets, row)| buckets.insert_one(row).await).await {
            Err(failure) if !failure.is_duplicate() => return Err(failure.into()),
            Ok(_) | Err(_) => mongo.summary.remember(key),
        }
    }
    Ok(())
}

/// The noted buckets from `first` on, in the order in which they are walked; at most [`READ_AT_ONCE`].
pub(super) async fn from(
    mongo: &Mongo,
    channel: ChannelId,
    (first, direction): (Bucket, Direction),
) -> Result<Vec<Bucket>, StoreError> {
    let filter = doc! { "channel": channel, "bucket": { direction.or_equal(): first } };
    let input = (mongo.buckets(), filter, doc! { "bucket": direction.order() });
    let read = mongo.calls.run(input, async |(buckets, filter, order)| {
        let found = buckets.find(filter).sort(order).limit(signed(READ_AT_ONCE as u64));
        found.await?.try_collect::<Vec<_>>().await
    });
    let bucket = |row: mongodb::bson::Document| {
        let number =
            row.get_i64("bucket").map_err(|error| StoreError::Corrupt(format!("a bucket: {error}")))?;
        unsigned(number).map(Bucket)
    };
    read.await?.into_iter().map(bucket).collect()
}

fn key(entry: &Entry, length: BucketLength) -> Option<(ChannelId, Bucket)> {
    match entry {
        Entry::Message(message) => Some((message.channel_id, Bucket::of(message.id, length))),
        Entry::Change(change) => Some((change.channel_id, Bucket::of(change.id, length))),
        Entry::Void { .. } => None,
    }
}
