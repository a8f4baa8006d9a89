//! Changes as they show on their messages. Each field of a message has its own guard, so that changes may come in
//! any order and more than once.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::calls::within;
use super::entry_rows::EntryRow;
use super::rows::{bson, signed};
use super::{Mongo, reactions};
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{Change, ChangeEntry, Entry, Message, ReactionCount};
use crate::store::{ChangeStore, PINNED_LIMIT, StoreError};

#[async_trait]
impl ChangeStore for Mongo {
    async fn fold(&self, change: &ChangeEntry) -> Result<(), StoreError> {
        within(fold(self, change)).await
    }

    async fn changes_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let later = doc! { "channel": channel, "kind": "change", "position": { "$gt": after } };
        let found = find(self, later, (doc! { "position": 1 }, limit.into())).await?;
        let change = |row: EntryRow| match row.entry()? {
            Entry::Change(change) => Ok(change),
            other => Err(StoreError::Corrupt(format!("{} is no change", other.position()))),
        };
        found.into_iter().map(change).collect()
    }

    async fn set_folded(&self, channel: ChannelId, position: Position) -> Result<(), StoreError> {
        let (id, raise) = (doc! { "_id": channel }, doc! { "$max": { "folded": position } });
        let raise = self.calls.run((self.channels(), id, raise), async |(channels, id, raise)| {
            channels.update_one(id, raise).await
        });
        raise.await?;
        Ok(())
    }

    async fn message(&self, channel: ChannelId, id: MessageId) -> Result<Option<Message>, StoreError> {
        let input = (self.entries(), standing(channel, id));
        let row = self.calls.run(input, async |(entries, standing)| entries.find_one(standing).await).await?;
        row.map(EntryRow::message).transpose()
    }

    async fn pinned(&self, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
        let pinned = doc! { "channel": channel, "pinned": true };
        let found = find(self, pinned, (doc! { "_id": -1 }, PINNED_LIMIT)).await?;
        found.into_iter().map(EntryRow::message).collect()
    }

    async fn reactions(
        &self,
        messages: &[MessageId],
        viewer: &UserId,
    ) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
        reactions::counts(self, messages, viewer).await
    }

    async fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        page: (Option<&UserId>, u16),
    ) -> Result<Vec<UserId>, StoreError> {
        reactions::reactors(self, message, emoji, page).await
    }
}

async fn fold(mongo: &Mongo, entry: &ChangeEntry) -> Result<(), StoreError> {
    let (channel, position) = (entry.channel_id, entry.position);
    match &entry.change {
        Change::Edit { message_id, .. } => fold_edit(mongo, entry, *message_id).await,
        Change::Delete { message_id } => fold_delete(mongo, channel, *message_id).await,
        Change::React { message_id, emoji, on } => {
            reactions::fold(mongo, entry, (*message_id, emoji, *on)).await
        }
        Change::Pin { message_id, pinned } => {
            let mut guard = standing(channel, *message_id);
            guard.insert("pinned_at", doc! { "$lt": position });
            // Absent where it is not pinned, so that the index holds only pinned messages.
            let change = match pinned {
                true => doc! { "$set": { "pinned": true, "pinned_at": position } },
                false => doc! { "$set": { "pinned_at": position }, "$unset": { "pinned": "" } },
            };
            update(mongo, guard, change).await.map(drop)
        }
        Change::Settings(settings) => {
            let guard = doc! { "_id": channel, "settings_at": { "$lt": position } };
            let settings = bson(settings)?;
            let change = doc! { "$set": { "settings": settings, "settings_at": position } };
            let set =
                mongo.calls.run((mongo.channels(), guard, change), async |(channels, guard, change)| {
                    channels.update_one(guard, change).await
                });
            set.await?;
            Ok(())
        }
    }
}

async fn fold_edit(mongo: &Mongo, entry: &ChangeEntry, id: MessageId) -> Result<(), StoreError> {
    let Change::Edit { content, mentions, mention_everyone, embeds, .. } = &entry.change else {
        return Ok(());
    };
    let mut guard = standing(entry.channel_id, id);
    guard.insert("edited_at", doc! { "$lt": entry.position });
    let change = doc! { "$set": {
        "content": content,
        "mentions": bson(mentions)?,
        "mention_everyone": *mention_everyone,
        "embeds": bson(embeds)?,
        "edited_ms": signed(entry.timestamp_ms),
        "edited_at": entry.position,
    } };
    if update(mongo, guard, change).await? == 0 && !is_standing(mongo, entry.channel_id, id).await? {
        // The edit came after the deletion: its text goes as well.
        scrub(mongo, doc! { "_id": entry.id }).await?;
    }
    Ok(())
}

/// First the message, so that an edit that is folded from now on finds it deleted; then what belongs to it.
async fn fold_delete(mongo: &Mongo, channel: ChannelId, id: MessageId) -> Result<(), StoreError> {
    let empty = doc! {
        "$set": { "kind": "deleted", "content": "" },
        "$unset": {
            "mentions": "", "mention_everyone": "", "reference": "", "attachments": "", "embeds": "", "flags": "",
            "edited_ms": "", "pinned": "",
        },
    };
    update(mongo, standing(channel, id), empty).await?;
    scrub(mongo, doc! { "edits": id, "channel": channel }).await?;
    reactions::remove(mongo, doc! { "channel": channel, "message": id }).await
}

/// Takes the text out of edits.
async fn scrub(mongo: &Mongo, edits: Document) -> Result<(), StoreError> {
    let empty = doc! {
        "$set": { "change.content": "" },
        "$unset": { "change.mentions": "", "change.mention_everyone": "", "change.embeds": "" },
    };
    let scrub = mongo.calls.run((mongo.entries(), edits, empty), async |(entries, edits, empty)| {
        entries.update_many(edits, empty).await
    });
    scrub.await?;
    Ok(())
}

/// Whether a message is there and not deleted.
pub(super) async fn is_standing(
    mongo: &Mongo,
    channel: ChannelId,
    id: MessageId,
) -> Result<bool, StoreError> {
    let entries = mongo.entries().clone_with_type::<Document>();
    let found = mongo.calls.run((entries, standing(channel, id)), async |(entries, standing)| {
        entries.find_one(standing).projection(doc! { "_id": 1 }).await
    });
    Ok(found.await?.is_some())
}

/// The filter for a message that is not deleted.
fn standing(channel: ChannelId, id: MessageId) -> Document {
    doc! { "_id": id, "channel": channel, "kind": "message" }
}

async fn update(mongo: &Mongo, guard: Document, change: Document) -> Result<u64, StoreError> {
    let update = mongo.calls.run((mongo.entries(), guard, change), async |(entries, guard, change)| {
        entries.update_one(guard, change).await
    });
    Ok(update.await?.matched_count)
}

async fn find(
    mongo: &Mongo,
    filter: Document,
    (order, limit): (Document, usize),
) -> Result<Vec<EntryRow>, StoreError> {
    let input = (mongo.entries(), filter, order, limit as i64);
    let read = mongo.calls.run(input, async |(entries, filter, order, limit)| {
        entries.find(filter).sort(order).limit(limit).await?.try_collect::<Vec<_>>().await
    });
    Ok(read.await?)
}
