//! How far users have read, and how much lies beyond.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::doc;
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::Mongo;
use super::call::call;
use super::rows::unsigned;
use crate::ids::{ChannelId, Position, UserId};
use crate::store::{ReadStore, StoreError};

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadRow {
    channel: i64,
    position: i64,
}

#[async_trait]
impl ReadStore for Mongo {
    async fn set_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<Position, StoreError> {
        let raise = doc! {
            "$max": { "position": position },
            "$setOnInsert": { "user": user.as_str(), "channel": channel },
        };
        let (reads, id) = (self.reads(), doc! { "_id": key(user, channel) });
        let set = || async {
            let update = reads.find_one_and_update(id.clone(), raise.clone()).upsert(true);
            update.return_document(ReturnDocument::After).await
        };
        let row = match call(set).await {
            // Two nodes made the row at once: the loser's change is an update now.
            Err(failure) if failure.is_duplicate() => call(set).await?,
            done => done?,
        };
        row.map_or(Ok(position), |row| unsigned(row.position).map(Position))
    }

    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        let ids: Vec<_> = channels.iter().map(|channel| key(user, *channel)).collect();
        let (reads, filter) = (self.reads(), doc! { "_id": { "$in": ids } });
        let read = || async { reads.find(filter.clone()).await?.try_collect::<Vec<_>>().await };
        let pair = |row: ReadRow| Ok((ChannelId(unsigned(row.channel)?), Position(unsigned(row.position)?)));
        call(read).await?.into_iter().map(pair).collect()
    }

    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError> {
        let later = doc! { "channel": channel, "kind": "message", "position": { "$gt": after } };
        let entries = self.entries();
        let count = || async { entries.count_documents(later.clone()).limit(up_to.into()).await };
        Ok(u16::try_from(call(count).await?).unwrap_or(up_to))
    }
}

/// A row's key, unique.
fn key(user: &UserId, channel: ChannelId) -> String {
    format!("{user} {channel}")
}
