//! Entries of the channels' logs.

use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::fault::{missing, unreadable};
use super::tables::{ENTRIES, MESSAGES, NONCES, TIMELINE};
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::message::{Entry, Message};
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{Inserted, StoreError};

/// The tables that an insert touches.
struct Log<'tx> {
    entries: Table<'tx, (u64, u64), &'static [u8]>,
    messages: Table<'tx, u64, (u64, u64)>,
    timeline: Table<'tx, (u64, u64, u64), u64>,
    nonces: Table<'tx, (u64, &'static str, &'static str), u64>,
    bucket: BucketLength,
}

pub(super) fn insert(
    tx: &WriteTransaction,
    entries: &[Entry],
    bucket: BucketLength,
) -> Result<Vec<Inserted>, StoreError> {
    let mut log = Log {
        entries: tx.open_table(ENTRIES)?,
        messages: tx.open_table(MESSAGES)?,
        timeline: tx.open_table(TIMELINE)?,
        nonces: tx.open_table(NONCES)?,
        bucket,
    };
    let one = |entry: &Entry| match entry {
        Entry::Message(message) => log.insert_message(message),
        Entry::Void { channel_id, position } => log.insert_void(*channel_id, *position),
    };
    entries.iter().map(one).collect()
}

impl Log<'_> {
    fn insert_message(&mut self, message: &Message) -> Result<Inserted, StoreError> {
        let (channel, position, id) = (message.channel_id.0, message.position.0, message.id.0);
        let nonce = (channel, message.author.id.as_str(), message.nonce.as_str());
        let known = self.nonces.get(nonce)?.map(|row| row.value());
        if let Some(known) = known {
            let first = self.message_at(channel, known)?;
            return Ok(if first.id == message.id { Inserted::New } else { Inserted::Known(first) });
        }
        if self.entries.get((channel, position))?.is_some() {
            return Ok(Inserted::PositionTaken);
        }
        if self.messages.get(id)?.is_some() {
            return Ok(Inserted::IdTaken);
        }
        let row = serde_json::to_vec(message).map_err(|error| unreadable("a message", &error))?;
        self.entries.insert((channel, position), row.as_slice())?;
        self.messages.insert(id, (channel, position))?;
        self.timeline.insert((channel, Bucket::of(message.id, self.bucket).0, id), position)?;
        self.nonces.insert(nonce, position)?;
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

    fn message_at(&self, channel: u64, position: u64) -> Result<Message, StoreError> {
        let row = self.entries.get((channel, position))?.ok_or_else(|| missing("a nonce's message"))?;
        parse_message(row.value())
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
    parse_message(row.ok_or_else(|| missing("a nonce's message"))?.value()).map(Some)
}

pub(super) fn after(
    tx: &ReadTransaction,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<Entry>, StoreError> {
    let entries = tx.open_table(ENTRIES)?;
    let mut found = Vec::new();
    for row in
        entries.range((channel.0, after.0.saturating_add(1))..=(channel.0, u64::MAX))?.take(limit.into())
    {
        let (key, row) = row?;
        found.push(match row.value() {
            [] => Entry::Void { channel_id: channel, position: Position(key.value().1) },
            row => Entry::Message(parse_message(row)?),
        });
    }
    Ok(found)
}

/// Where a page of history ends, and how long it is.
pub(super) struct Page {
    pub before: Option<MessageId>,
    pub limit: u16,
    pub bucket: BucketLength,
}

/// One B-tree holds the buckets one after the other, so that empty ones cost nothing.
pub(super) fn history(
    tx: &ReadTransaction,
    channel: ChannelId,
    page: &Page,
) -> Result<Vec<Message>, StoreError> {
    let (entries, timeline) = (tx.open_table(ENTRIES)?, tx.open_table(TIMELINE)?);
    let end = match page.before {
        Some(id) => (channel.0, Bucket::of(id, page.bucket).0, id.0),
        None => (channel.0, u64::MAX, 0),
    };
    let mut found = Vec::new();
    for row in timeline.range((channel.0, 0, 0)..end)?.rev().take(page.limit.into()) {
        let (_, position) = row?;
        let row = entries.get((channel.0, position.value()))?.ok_or_else(|| missing("a message"))?;
        found.push(parse_message(row.value())?);
    }
    Ok(found)
}

fn parse_message(row: &[u8]) -> Result<Message, StoreError> {
    serde_json::from_slice(row).map_err(|error| unreadable("a message", &error))
}
