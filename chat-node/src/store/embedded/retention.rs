//! Removing whole buckets, some thousand entries in a transaction.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::Embedded;
use super::channels;
use super::reactions;
use super::rows::EntryRow;
use super::tables::{BUCKETS, CHANGES, EDITS, ENTRIES, IDS, NONCES, PINS, TIMELINE};
use crate::ids::{ChannelId, Position};
use crate::protocol::message::{Change, Message};
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{RetentionStore, StoreError};

const ENTRIES_AT_ONCE: usize = 2_000;

#[async_trait]
impl RetentionStore for Embedded {
    async fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
    ) -> Result<Vec<(ChannelId, Bucket)>, StoreError> {
        self.read(|tx| before(tx, bucket, limit))
    }

    async fn drop_bucket(&self, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
        let last = self.read(|tx| last_in(tx, channel, bucket))?;
        let floor = self.write(move |tx| channels::raise_marks(tx, channel, (Position(0), last))).await?;
        let length = self.bucket;
        while self.write(move |tx| remove_some(tx, channel, floor, length)).await? == ENTRIES_AT_ONCE {}
        self.write(move |tx| forget(tx, channel, bucket)).await?;
        Ok(floor)
    }
}

fn before(tx: &ReadTransaction, bucket: Bucket, limit: u16) -> Result<Vec<(ChannelId, Bucket)>, StoreError> {
    let table = tx.open_table(BUCKETS)?;
    let mut found = Vec::new();
    for row in table.iter()? {
        let (channel, number) = row?.0.value();
        if number < bucket.0 {
            found.push((ChannelId(channel), Bucket(number)));
        }
        if found.len() == usize::from(limit) {
            break;
        }
    }
    Ok(found)
}

/// The last position that the bucket or an earlier one has; 0 if none has any.
fn last_in(tx: &ReadTransaction, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
    let table = tx.open_table(BUCKETS)?;
    let mut last = 0;
    for row in table.range((channel.0, 0)..=(channel.0, bucket.0))? {
        last = last.max(row?.1.value());
    }
    Ok(Position(last))
}

/// Removes entries up to the floor; gives how many.
fn remove_some(
    tx: &WriteTransaction,
    channel: ChannelId,
    floor: Position,
    length: BucketLength,
) -> Result<usize, StoreError> {
    let mut rows = Vec::new();
    {
        let mut entries = tx.open_table(ENTRIES)?;
        let below = (channel.0, 0)..=(channel.0, floor.0);
        for row in entries.extract_from_if(below, |_, _| true)?.take(ENTRIES_AT_ONCE) {
            let (key, row) = row?;
            rows.push((key.value().1, row.value().to_vec()));
        }
    }
    for (position, row) in &rows {
        match row.as_slice() {
            [] => {}
            row => remove_keys(tx, (channel, *position), EntryRow::parse(row)?, length)?,
        }
    }
    Ok(rows.len())
}

/// Removes what the other tables hold of an entry.
fn remove_keys(
    tx: &WriteTransaction,
    (channel, position): (ChannelId, u64),
    row: EntryRow,
    length: BucketLength,
) -> Result<(), StoreError> {
    match row {
        EntryRow::Message(row) => {
            let Message { id, author, nonce, .. } = row.message;
            tx.open_table(IDS)?.remove(id.0)?;
            tx.open_table(TIMELINE)?.remove((channel.0, Bucket::of(id, length).0, id.0))?;
            tx.open_table(NONCES)?.remove((channel.0, author.id.as_str(), nonce.as_str()))?;
            tx.open_table(PINS)?.remove((channel.0, id.0))?;
            reactions::remove(tx, id)
        }
        EntryRow::Change(row) => {
            tx.open_table(IDS)?.remove(row.change.id.0)?;
            tx.open_table(CHANGES)?.remove((channel.0, position))?;
            if let Change::Edit { message_id, .. } = row.change.change {
                tx.open_table(EDITS)?.remove((message_id.0, position))?;
            }
            Ok(())
        }
    }
}

fn forget(tx: &WriteTransaction, channel: ChannelId, bucket: Bucket) -> Result<(), StoreError> {
    let mut table = tx.open_table(BUCKETS)?;
    table.retain_in((channel.0, 0)..=(channel.0, bucket.0), |_, _| false)?;
    Ok(())
}
