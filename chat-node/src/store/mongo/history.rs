//! Pages of messages, bucket by bucket.

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};

use super::Mongo;
use super::entry_rows::EntryRow;
use super::summary::{READ_AT_ONCE, from};
use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;
use crate::store::bucket::{Bucket, groups};
use crate::store::{Around, StoreError};

/// Which way messages are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Older,
    Newer,
}

/// Messages beyond one, in one direction.
#[derive(Clone, Copy)]
struct Walk {
    channel: ChannelId,
    beyond: MessageId,
    direction: Direction,
}

pub(super) async fn page(
    mongo: &Mongo,
    channel: ChannelId,
    around: Around,
    limit: u16,
) -> Result<Vec<Message>, StoreError> {
    let older = |beyond| Walk { channel, beyond, direction: Direction::Older };
    let newer = |beyond| Walk { channel, beyond, direction: Direction::Newer };
    let limit = usize::from(limit);
    match around {
        Around::End => walk(mongo, older(MessageId(u64::MAX)), limit).await,
        Around::Before(id) => walk(mongo, older(id), limit).await,
        Around::After(id) => newest_first(walk(mongo, newer(id), limit).await),
        Around::Middle(id) => {
            let mut page = newest_first(walk(mongo, newer(id), limit / 2).await)?;
            let rest = limit - page.len();
            page.extend(walk(mongo, older(MessageId(id.0.saturating_add(1))), rest).await?);
            Ok(page)
        }
    }
}

fn newest_first(found: Result<Vec<Message>, StoreError>) -> Result<Vec<Message>, StoreError> {
    found.map(|found| found.into_iter().rev().collect())
}

/// The next messages, nearest first. Buckets whose messages were deleted, or that hold only changes, are noted all the same:
/// only the store's deadline bounds how many of them are passed by.
async fn walk(mongo: &Mongo, walk: Walk, limit: usize) -> Result<Vec<Message>, StoreError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let mut first = Bucket::of(walk.beyond, mongo.bucket);
    loop {
        let buckets = from(mongo, walk.channel, (first, walk.direction)).await?;
        for group in groups(&buckets) {
            found.extend(read(mongo, walk, group, limit - found.len()).await?);
            if found.len() == limit {
                return Ok(found);
            }
        }
        match buckets.last().and_then(|last| walk.direction.next(*last)) {
            Some(next) if buckets.len() == READ_AT_ONCE => first = next,
            _ => return Ok(found),
        }
    }
}

async fn read(
    mongo: &Mongo,
    walk: Walk,
    buckets: &[Bucket],
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let order = doc! { "_id": walk.direction.order() };
    let input = (mongo.entries(), filter(walk, buckets), order, limit as i64);
    let read = mongo.calls.run(input, async |(entries, filter, order, limit)| {
        entries.find(filter).sort(order).limit(limit).await?.try_collect::<Vec<_>>().await
    });
    read.await?.into_iter().map(EntryRow::message).collect()
}

fn filter(walk: Walk, buckets: &[Bucket]) -> Document {
    let buckets = match buckets {
        [bucket] => Bson::from(*bucket),
        several => doc! { "$in": several.to_vec() }.into(),
    };
    let beyond = doc! { walk.direction.beyond(): walk.beyond };
    doc! { "channel": walk.channel, "kind": "message", "bucket": buckets, "_id": beyond }
}

impl Direction {
    pub fn order(self) -> i32 {
        match self {
            Self::Older => -1,
            Self::Newer => 1,
        }
    }

    pub fn or_equal(self) -> &'static str {
        match self {
            Self::Older => "$lte",
            Self::Newer => "$gte",
        }
    }

    fn beyond(self) -> &'static str {
        match self {
            Self::Older => "$lt",
            Self::Newer => "$gt",
        }
    }

    fn next(self, bucket: Bucket) -> Option<Bucket> {
        match self {
            Self::Older => bucket.0.checked_sub(1).map(Bucket),
            Self::Newer => bucket.0.checked_add(1).map(Bucket),
        }
    }
}
