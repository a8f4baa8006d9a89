//! Entries by position and by nonce.

use futures::TryStreamExt;
use mongodb::bson::doc;

use super::entry_rows::EntryRow;
use super::{Mongo, channels};
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::message::{Entry, Message};
use crate::store::StoreError;

pub(super) async fn find_nonce(
    mongo: &Mongo,
    channel: ChannelId,
    author: &UserId,
    nonce: &str,
) -> Result<Option<Message>, StoreError> {
    let key = doc! { "channel": channel, "author": author.as_str(), "nonce": nonce };
    let input = (mongo.entries(), key);
    let row = mongo.calls.run(input, async |(entries, key)| entries.find_one(key).await).await?;
    row.map(EntryRow::message).transpose()
}

/// The channel's floor is asked for only where something is missing at the beginning.
pub(super) async fn after(
    mongo: &Mongo,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<Entry>, StoreError> {
    let found = beyond(mongo, channel, after, limit).await?;
    if found.first().is_none_or(|first| first.position() == after.next()) {
        return Ok(found);
    }
    match channels::get(mongo, channel).await? {
        Some(channel) if channel.floor > after => beyond(mongo, channel.id, channel.floor, limit).await,
        _ => Ok(found),
    }
}

async fn beyond(
    mongo: &Mongo,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<Entry>, StoreError> {
    let later = doc! { "channel": channel, "position": { "$gt": after } };
    let read = mongo.calls.run((mongo.entries(), later, limit), async |(entries, later, limit)| {
        let found = entries.find(later).sort(doc! { "position": 1 }).limit(limit.into());
        found.await?.try_collect::<Vec<_>>().await
    });
    read.await?.into_iter().map(EntryRow::entry).collect()
}
