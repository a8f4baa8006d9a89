//! How far users have read, and how much lies beyond.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::doc;
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::Mongo;
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
        let id = doc! { "_id": key(user, channel) };
        let set = self.calls.upsert((self.reads(), id, raise), async |(reads, id, raise)| {
            let update = reads.find_one_and_update(id, raise).upsert(true);
            update.return_document(ReturnDocument::After).await
        });
        set.await?.map_or(Ok(position), |row| unsigned(row.position).map(Position))
    }

    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        let ids: Vec<_> = channels.iter().map(|channel| key(user, *channel)).collect();
        let read = self.calls.run((self.reads(), doc! { "_id": { "$in": ids } }), async |(reads, ids)| {
            reads.find(ids).await?.try_collect::<Vec<_>>().await
        });
        let pair = |row: ReadRow| Ok((ChannelId(unsigned(row.channel)?), Position(unsigned(row.position)?)));
        read.await?.into_iter().map(pair).collect()
    }

    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError> {
        let later = doc! { "channel": channel, "kind": "message", "position": { "$gt": after } };
        let count = self.calls.run((self.entries(), later, up_to), async |(entries, later, up_to)| {
            entries.count_documents(later).limit(up_to.into()).await
        });
        Ok(u16::try_from(count.await?).unwrap_or(up_to))
    }
}

/// A row's key, unique.
fn key(user: &UserId, channel: ChannelId) -> String {
    format!("{user} {channel}")
}
