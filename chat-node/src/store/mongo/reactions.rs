//! Reactions: one document for each message, emoji and user, counted when read.

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, deserialize_from_document, doc};
use serde::Deserialize;

use super::Mongo;
use super::changes::is_standing;
use super::rows::unsigned;
use crate::ids::{MessageId, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{ChangeEntry, ReactionCount};
use crate::store::StoreError;

#[derive(Deserialize)]
struct CountRow {
    #[serde(rename = "_id")]
    key: CountKey,
    count: i64,
    me: i64,
}

#[derive(Deserialize)]
struct CountKey {
    message: i64,
    emoji: Emoji,
}

/// Notes whose reaction is there or not, unless a later change is noted.
pub(super) async fn fold(
    mongo: &Mongo,
    entry: &ChangeEntry,
    (message, emoji, on): (MessageId, &Emoji, bool),
) -> Result<(), StoreError> {
    let (user, position) = (entry.by.id.as_str(), Bson::from(entry.position));
    // No part of it has a space.
    let id = doc! { "_id": format!("{message} {emoji} {user}") };
    let is_later = doc! { "$gt": [position.clone(), { "$ifNull": ["$position", 0_i64] }] };
    let step = [doc! { "$set": {
        "channel": entry.channel_id,
        "message": message,
        "emoji": { "$literal": emoji.as_str() },
        "user": { "$literal": user },
        "on": { "$cond": [is_later, on, "$on"] },
        "position": { "$max": ["$position", position] },
    } }];
    let put = mongo.calls.upsert((mongo.reactions(), id.clone(), step), async |(reactions, id, step)| {
        reactions.update_one(id, step.to_vec()).upsert(true).await
    });
    put.await?;
    // Looked at afterwards: who deletes the message marks it before its reactions are removed.
    if !is_standing(mongo, entry.channel_id, message).await? {
        remove(mongo, id).await?;
    }
    Ok(())
}

/// Removes those that the filter finds.
pub(super) async fn remove(mongo: &Mongo, filter: Document) -> Result<(), StoreError> {
    let input = (mongo.reactions(), filter);
    mongo.calls.run(input, async |(reactions, filter)| reactions.delete_many(filter).await).await?;
    Ok(())
}

pub(super) async fn counts(
    mongo: &Mongo,
    messages: &[MessageId],
    viewer: &UserId,
) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
    let mine = doc! { "$eq": ["$user", { "$literal": viewer.as_str() }] };
    let pipeline = [
        doc! { "$match": { "message": { "$in": messages.to_vec() }, "on": true } },
        doc! { "$group": {
            "_id": { "message": "$message", "emoji": "$emoji" },
            "count": { "$sum": 1_i64 },
            "me": { "$max": { "$cond": [mine, 1_i64, 0_i64] } },
        } },
    ];
    let read = mongo.calls.run((mongo.reactions(), pipeline), async |(reactions, pipeline)| {
        reactions.aggregate(pipeline).await?.try_collect::<Vec<Document>>().await
    });
    let mut rows = Vec::new();
    for row in read.await? {
        let row = deserialize_from_document::<CountRow>(row);
        rows.push(row.map_err(|error| StoreError::Corrupt(format!("a reaction: {error}")))?);
    }
    rows.sort_by(|one, other| (one.key.message, &one.key.emoji).cmp(&(other.key.message, &other.key.emoji)));
    let mut found: Vec<(MessageId, Vec<ReactionCount>)> = Vec::new();
    for CountRow { key, count, me } in rows {
        let (message, count) = (MessageId(unsigned(key.message)?), unsigned(count)?);
        let one = ReactionCount { emoji: key.emoji, count, me: me > 0 };
        match found.last_mut() {
            Some((last, counts)) if *last == message => counts.push(one),
            _ => found.push((message, vec![one])),
        }
    }
    Ok(found)
}

pub(super) async fn reactors(
    mongo: &Mongo,
    message: MessageId,
    emoji: &Emoji,
    (after, limit): (Option<&UserId>, u16),
) -> Result<Vec<UserId>, StoreError> {
    let after = after.map_or("", UserId::as_str);
    let filter = doc! { "message": message, "emoji": emoji.as_str(), "user": { "$gt": after }, "on": true };
    let read = mongo.calls.run((mongo.reactions(), filter, limit), async |(reactions, filter, limit)| {
        let found = reactions.find(filter).sort(doc! { "user": 1 }).limit(limit.into());
        found.projection(doc! { "user": 1 }).await?.try_collect::<Vec<_>>().await
    });
    let user = |row: Document| {
        let user = row.get_str("user").ok().and_then(|user| user.parse().ok());
        user.ok_or_else(|| StoreError::Corrupt("a reaction without user".to_owned()))
    };
    read.await?.into_iter().map(user).collect()
}
