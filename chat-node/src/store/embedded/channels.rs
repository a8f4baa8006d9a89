//! Channels and their heads.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::{missing, unreadable};
use super::tables::{CHANNELS, HEADS, MEMBERSHIPS, PAIRS};
use crate::ids::{ChannelId, Position, UserId};
use crate::store::{Channel, ChannelKind, DIRECT_CHANNELS_LIMIT, Reservation, StoreError};

#[derive(Serialize, Deserialize)]
struct Row {
    kind: Kind,
    name: String,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Official,
    Direct([UserId; 2]),
}

pub(super) fn put_official(tx: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    put(tx, ChannelId::OFFICIAL, &Row { kind: Kind::Official, name: name.to_owned() })
}

pub(super) fn open_direct(
    tx: &WriteTransaction,
    id: ChannelId,
    users: &[UserId; 2],
) -> Result<Channel, StoreError> {
    let mut pairs = tx.open_table(PAIRS)?;
    let pair = (users[0].as_str(), users[1].as_str());
    let known = pairs.get(pair)?.map(|id| ChannelId(id.value()));
    if let Some(known) = known {
        let head = tx.open_table(HEADS)?.get(known.0)?.map_or(0, |head| head.value().0);
        return Ok(direct(known, users.clone(), Position(head)));
    }
    if tx.open_table(CHANNELS)?.get(id.0)?.is_some() {
        return Err(StoreError::Refused(format!("channel id {id} is taken")));
    }
    pairs.insert(pair, id.0)?;
    let mut memberships = tx.open_table(MEMBERSHIPS)?;
    for user in users {
        memberships.insert((user.as_str(), id.0), ())?;
    }
    put(tx, id, &Row { kind: Kind::Direct(users.clone()), name: String::new() })?;
    Ok(direct(id, users.clone(), Position(0)))
}

pub(super) fn reserve(
    tx: &WriteTransaction,
    channel: ChannelId,
    count: u16,
    now_ms: u64,
) -> Result<Reservation, StoreError> {
    let mut heads = tx.open_table(HEADS)?;
    let Some((head, time_ms)) = heads.get(channel.0)?.map(|row| row.value()) else {
        return Err(StoreError::no_channel(channel));
    };
    let (first, first_ms, count) = (head + 1, now_ms.max(time_ms + 1), u64::from(count));
    heads.insert(channel.0, (head + count, first_ms + count - 1))?;
    Ok(Reservation { first: Position(first), first_ms })
}

pub(super) fn get(tx: &ReadTransaction, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    let Some(row) = tx.open_table(CHANNELS)?.get(id.0)? else { return Ok(None) };
    let row: Row = serde_json::from_slice(row.value()).map_err(|error| unreadable("a channel", &error))?;
    let head = tx.open_table(HEADS)?.get(id.0)?.ok_or_else(|| missing("a channel's head"))?.value().0;
    let kind = match row.kind {
        Kind::Official => ChannelKind::Official,
        Kind::Direct(users) => ChannelKind::Direct(users),
    };
    Ok(Some(Channel { id, kind, name: row.name, head: Position(head) }))
}

pub(super) fn heads(
    tx: &ReadTransaction,
    ids: &[ChannelId],
) -> Result<Vec<(ChannelId, Position)>, StoreError> {
    let table = tx.open_table(HEADS)?;
    let mut heads = Vec::with_capacity(ids.len());
    for id in ids {
        heads.extend(table.get(id.0)?.map(|row| (*id, Position(row.value().0))));
    }
    Ok(heads)
}

pub(super) fn of_user(tx: &ReadTransaction, user: &UserId) -> Result<Vec<Channel>, StoreError> {
    let memberships = tx.open_table(MEMBERSHIPS)?;
    let of_user = memberships.range((user.as_str(), 0)..=(user.as_str(), u64::MAX))?;
    let newest = of_user.rev().take(DIRECT_CHANNELS_LIMIT);
    let channel = |id| get(tx, ChannelId(id))?.ok_or_else(|| missing("a user's channel"));
    newest.map(|row| channel(row?.0.value().1)).collect()
}

/// Writes a channel's row; its head stays if it has one.
fn put(tx: &WriteTransaction, id: ChannelId, row: &Row) -> Result<(), StoreError> {
    let row = serde_json::to_vec(row).map_err(|error| unreadable("a channel", &error))?;
    tx.open_table(CHANNELS)?.insert(id.0, row.as_slice())?;
    let mut heads = tx.open_table(HEADS)?;
    if heads.get(id.0)?.is_none() {
        heads.insert(id.0, (0, 0))?;
    }
    Ok(())
}

fn direct(id: ChannelId, users: [UserId; 2], head: Position) -> Channel {
    Channel { id, kind: ChannelKind::Direct(users), name: String::new(), head }
}
