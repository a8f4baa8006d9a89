//! Entries of the channels' logs.

use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::fault::missing;
use super::rows::EntryRow;
use super::tables::{BUCKETS, CHANGES, EDITS, ENTRIES, IDS, NONCES, TIMELINE};
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::message::{Change, ChangeEntry, Entry, Message};
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{Inserted, StoreError};

/// The tables that an insert touches.
struct Log<'tx> {
    entries: Table<'tx, (u64, u64), &'static [u8]>,
    ids: Table<'tx, u64, (u64, u64)>,
    changes: Table<'tx, (u64, u64), ()>,
    edits: Table<'tx, (u64, u64), ()>,
    buckets: Table<'tx, (u64, u64), u64>,
    timeline: Table<'tx, (u64, u64, u64), u64>,
    nonces: Table<'tx, (u64, &'static str, &'static str), u64>,
    bucket: BucketLength,
}

/// An entry's keys: channel, position, id.
type Keys = (u64, u64, MessageId);

pub(super) fn insert(
    tx: &WriteTransaction,
    entries: &[Entry],
    bucket: BucketLength,
) -> Result<Vec<Inserted>, StoreError> {
    let mut log = Log {
        entries: tx.open_table(ENTRIES)?,
        ids: tx.open_table(IDS)?,
        changes: tx.open_table(CHANGES)?,
        edits: tx.open_table(EDITS)?,
        buckets: tx.open_table(BUCKETS)?,
        timeline: tx.open_table(TIMELINE)?,
        nonces: tx.open_table(NONCES)?,
        bucket,
    };
    let one = |entry: &Entry| match entry {
        Entry::Message(message) => log.insert_message(message),
        Entry::Change(change) => log.insert_change(change),
        Entry::Void { channel_id, position } => log.insert_void(*channel_id, *position),
    };
    entries.iter().map(one).collect()
}

impl Log<'_> {
    fn insert_message(&mut self, message: &Message) -> Result<Inserted, StoreError> {
        let (channel, position, id) = (message.channel_id.0, message.position.0, message.id);
        let nonce = (channel, message.author.id.as_str(), message.nonce.as_str());
        let known = self.nonces.get(nonce)?.map(|row| row.value());
        if let Some(known) = known {
            let row = self.entries.get((channel, known))?.ok_or_else(|| missing("a nonce's message"))?;
            let first = EntryRow::parse(row.value())?.message()?.message;
            return Ok(if first.id == id { Inserted::New } else { Inserted::Known(first) });
        }
        if let Some(taken) = self.taken((channel, position, id))? {
            return Ok(taken);
        }
        self.put((channel, position, id), &EntryRow::new_message(message))?;
        self.timeline.insert((channel, Bucket::of(id, self.bucket).0, id.0), position)?;
        self.nonces.insert(nonce, position)?;
        Ok(Inserted::New)
    }

    fn insert_change(&mut self, change: &ChangeEntry) -> Result<Inserted, StoreError> {
        let keys = (change.channel_id.0, change.position.0, change.id);
        let same = self.ids.get(change.id.0)?.is_some_and(|place| place.value() == (keys.0, keys.1));
        if same {
            return Ok(Inserted::New);
        }
        if let Some(taken) = self.taken(keys)? {
            return Ok(taken);
        }
        self.put(keys, &EntryRow::new_change(change))?;
        self.changes.insert((keys.0, keys.1), ())?;
        if let Change::Edit { message_id, .. } = &change.change {
            self.edits.insert((message_id.0, keys.1), ())?;
        }
        Ok(Inserted::New)
    }

    fn insert_void(&mut self, channel: ChannelId, position: Position) -> Result<Inserted, StoreError> {
        let key = (channel.0, position.0);
        if self.entries.get(key)?.is_some() {
            return Ok(Inserted::PositionTaken);
        }
        self.entries.insert(key, [].as_slice())?;
        Ok(Inserted::New)
    }

    /// Which of its keys another entry has.
    fn taken(&self, (channel, position, id): Keys) -> Result<Option<Inserted>, StoreError> {
        if self.entries.get((channel, position))?.is_some() {
            return Ok(Some(Inserted::PositionTaken));
        }
        Ok(self.ids.get(id.0)?.map(|_| Inserted::IdTaken))
    }

    fn put(&mut self, (channel, position, id): Keys, row: &EntryRow) -> Result<(), StoreError> {
        self.entries.insert((channel, position), row.to_bytes()?.as_slice())?;
        self.ids.insert(id.0, (channel, position))?;
        let bucket = (channel, Bucket::of(id, self.bucket).0);
        let last = self.buckets.get(bucket)?.map_or(0, |last| last.value());
        self.buckets.insert(bucket, last.max(position))?;
        Ok(())
    }
}

pub(super) fn find_nonce(
    tx: &ReadTransaction,
    channel: ChannelId,
    author: &UserId,
    nonce: &str,
) -> Result<Option<Message>, StoreError> {
    let Some(position) = tx.open_table(NONCES)?.get((channel.0, author.as_str(), nonce))? else {
        return Ok(None);
    };
    let row = tx.open_table(ENTRIES)?.get((channel.0, position.value()))?;
    let row = EntryRow::parse(row.ok_or_else(|| missing("a nonce's message"))?.value())?;
    Ok(Some(row.message()?.message))
}

pub(super) fn after(
    tx: &ReadTransaction,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<Entry>, StoreError> {
    let entries = tx.open_table(ENTRIES)?;
    let later = (channel.0, after.0.saturating_add(1))..=(channel.0, u64::MAX);
    let entry = |row| {
        let (key, row): (redb::AccessGuard<'_, (u64, u64)>, redb::AccessGuard<'_, &[u8]>) = row?;
        Ok(match row.value() {
            [] => Entry::Void { channel_id: channel, position: Position(key.value().1) },
            row => EntryRow::parse(row)?.entry(),
        })
    };
    entries.range(later)?.take(limit.into()).map(entry).collect()
}
