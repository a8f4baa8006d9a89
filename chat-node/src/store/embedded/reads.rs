//! How far users have read, and how much lies beyond.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::Embedded;
use super::tables::{READS, TIMELINE};
use crate::ids::{ChannelId, Position, UserId};
use crate::store::{ReadStore, StoreError};

#[async_trait]
impl ReadStore for Embedded {
    async fn set_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<Position, StoreError> {
        let user = user.clone();
        // A crash can cost the last seconds of it: then what was read counts as unread, or as read what was said since
        // somebody came for the first time.
        self.write_lazily(move |tx| set(tx, &user, channel, position)).await
    }

    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        self.read(|tx| get(tx, user, channels))
    }

    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError> {
        self.read(|tx| count(tx, channel, after, up_to))
    }
}

fn set(
    tx: &WriteTransaction,
    user: &UserId,
    channel: ChannelId,
    position: Position,
) -> Result<Position, StoreError> {
    let (mut table, key) = (tx.open_table(READS)?, (user.as_str(), channel.0));
    let before = table.get(key)?.map_or(0, |row| row.value());
    let position = position.0.max(before);
    table.insert(key, position)?;
    Ok(Position(position))
}

fn get(
    tx: &ReadTransaction,
    user: &UserId,
    channels: &[ChannelId],
) -> Result<Vec<(ChannelId, Position)>, StoreError> {
    let table = tx.open_table(READS)?;
    let mut found = Vec::new();
    for channel in channels {
        let row = table.get((user.as_str(), channel.0))?;
        found.extend(row.map(|row| (*channel, Position(row.value()))));
    }
    Ok(found)
}

/// Backwards from the last message: in a channel, ids grow with positions.
fn count(tx: &ReadTransaction, channel: ChannelId, after: Position, up_to: u16) -> Result<u16, StoreError> {
    let timeline = tx.open_table(TIMELINE)?;
    let mut count = 0;
    for row in timeline.range((channel.0, 0, 0)..(channel.0, u64::MAX, 0))?.rev().take(up_to.into()) {
        if row?.1.value() <= after.0 {
            break;
        }
        count += 1;
    }
    Ok(count)
}
