//! Channels and their heads.

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::Mongo;
use super::rows::{ChannelRow, HeadRow, ReservedRow, at, bson, pair, revision, signed, unsigned};
use crate::groups::Override;
use crate::ids::{AccessVersion, ChannelId, Position, Revision, UserId};
use crate::store::{Channel, DIRECT_CHANNELS_LIMIT, Head, Reservation, Reserve, StoreError, Written};

pub(super) async fn get(mongo: &Mongo, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    find(mongo, doc! { "_id": id }).await
}

pub(super) async fn heads(mongo: &Mongo, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
    let channels = mongo.channels().clone_with_type::<HeadRow>();
    let ids = doc! { "_id": { "$in": ids.to_vec() } };
    let read = mongo.calls.run((channels, ids), async |(channels, ids)| {
        let found = channels.find(ids).projection(doc! { "head": 1, "access": 1, "floor": 1 });
        found.await?.try_collect::<Vec<_>>().await
    });
    read.await?.into_iter().map(HeadRow::head).collect()
}

pub(super) async fn of_user(mongo: &Mongo, user: &UserId) -> Result<Vec<Channel>, StoreError> {
    let of_user = doc! { "users": user.as_str() };
    let read = mongo.calls.run((mongo.channels(), of_user), async |(channels, of_user)| {
        let found = channels.find(of_user).sort(doc! { "_id": -1 }).limit(DIRECT_CHANNELS_LIMIT as i64);
        found.await?.try_collect::<Vec<_>>().await
    });
    read.await?.into_iter().map(ChannelRow::channel).collect()
}

pub(super) async fn open_direct(
    mongo: &Mongo,
    id: ChannelId,
    users: &[UserId; 2],
) -> Result<Channel, StoreError> {
    let pair = doc! { "pair": pair(users) };
    if let Some(known) = find(mongo, pair.clone()).await? {
        return Ok(known);
    }
    let new = ChannelRow::direct(id, users);
    let input = (mongo.channels(), new.clone());
    match mongo.calls.run(input, async |(channels, new)| channels.insert_one(new).await).await {
        Ok(_) => new.channel(),
        Err(failure) if failure.is_duplicate() => {
            // Somebody else has just made it, or the id is another channel's.
            let taken = || StoreError::Unavailable(format!("channel id {id} is taken; try again"));
            find(mongo, pair).await?.ok_or_else(taken)
        }
        Err(failure) => Err(failure.into()),
    }
}

pub(super) async fn set_overrides(
    mongo: &Mongo,
    id: ChannelId,
    (overrides, over): (&[Override], Revision),
) -> Result<Written, StoreError> {
    let known = doc! { "_id": id, "revision": at(over) };
    let change = doc! { "$set": { "overrides": bson(overrides)?, "revision": revision(over.next()) } };
    let update = mongo.calls.run((mongo.channels(), known, change), async |(channels, known, change)| {
        channels.update_one(known, change).await
    });
    if update.await?.matched_count > 0 {
        return Ok(Written::Yes);
    }
    let found = get(mongo, id).await?;
    let is_there = |channel: Channel| channel.revision == over.next() && channel.overrides == overrides;
    Ok(Written::already(found.is_some_and(is_there)))
}

pub(super) async fn reserve(
    mongo: &Mongo,
    channel: ChannelId,
    wanted: Reserve,
    now_ms: u64,
) -> Result<Reservation, StoreError> {
    let count = i64::from(wanted.count);
    let mut fields = doc! {
        "head": { "$add": ["$head", count] },
        "time": { "$add": [{ "$max": [signed(now_ms), { "$add": ["$time", 1_i64] }] }, count - 1] },
    };
    if wanted.last_message > 0 {
        fields.insert("last_message", doc! { "$add": ["$head", i64::from(wanted.last_message)] });
    }
    let step = [doc! { "$set": fields }];
    let channels = mongo.channels().clone_with_type::<ReservedRow>();
    let reserve = mongo.calls.run((channels, doc! { "_id": channel }, step), async |(channels, id, step)| {
        let update = channels.find_one_and_update(id, step.to_vec());
        let shown = doc! { "head": 1, "time": 1, "access": 1 };
        update.projection(shown).return_document(ReturnDocument::After).await
    });
    let row = reserve.await?.ok_or_else(|| StoreError::no_channel(channel))?;
    let (head, time_ms, count) = (unsigned(row.head)?, unsigned(row.time)?, count.unsigned_abs());
    Ok(Reservation {
        first: Position(head + 1 - count),
        first_ms: time_ms + 1 - count,
        access: AccessVersion(unsigned(row.access)?),
    })
}

async fn find(mongo: &Mongo, filter: Document) -> Result<Option<Channel>, StoreError> {
    let input = (mongo.channels(), filter);
    let row = mongo.calls.run(input, async |(channels, filter)| channels.find_one(filter).await).await?;
    row.map(ChannelRow::channel).transpose()
}
