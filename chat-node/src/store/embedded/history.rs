//! Pages of messages. One B-tree holds the buckets one after the other, so that empty ones cost nothing.

use redb::{ReadOnlyTable, ReadTransaction, StorageError};

use super::fault::missing;
use super::rows::EntryRow;
use super::tables::{ENTRIES, TIMELINE};
use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{Around, StoreError};

/// One channel's messages.
pub(super) struct History {
    entries: ReadOnlyTable<(u64, u64), &'static [u8]>,
    timeline: ReadOnlyTable<(u64, u64, u64), u64>,
    channel: ChannelId,
    bucket: BucketLength,
}

impl History {
    pub fn open(tx: &ReadTransaction, channel: ChannelId, bucket: BucketLength) -> Result<Self, StoreError> {
        let (entries, timeline) = (tx.open_table(ENTRIES)?, tx.open_table(TIMELINE)?);
        Ok(Self { entries, timeline, channel, bucket })
    }

    /// At most `limit` messages, newest first.
    pub fn page(&self, around: Around, limit: usize) -> Result<Vec<Message>, StoreError> {
        match around {
            Around::End => self.older((self.channel.0, u64::MAX, 0), limit),
            Around::Before(id) => self.older(self.key(id), limit),
            Around::After(id) => self.newer(id, limit),
            Around::Middle(id) => {
                let mut page = self.newer(id, limit / 2)?;
                let rest = limit - page.len();
                page.extend(self.older(self.key(MessageId(id.0.saturating_add(1))), rest)?);
                Ok(page)
            }
        }
    }

    fn older(&self, before: (u64, u64, u64), limit: usize) -> Result<Vec<Message>, StoreError> {
        let range = self.timeline.range((self.channel.0, 0, 0)..before)?;
        range.rev().take(limit).map(|row| self.message(row.map(|(_, position)| position.value()))).collect()
    }

    fn newer(&self, after: MessageId, limit: usize) -> Result<Vec<Message>, StoreError> {
        let first = self.key(MessageId(after.0.saturating_add(1)));
        let range = self.timeline.range(first..(self.channel.0, u64::MAX, 0))?;
        let oldest_first = range.take(limit);
        let found: Result<Vec<_>, _> =
            oldest_first.map(|row| self.message(row.map(|(_, position)| position.value()))).collect();
        found.map(|found| found.into_iter().rev().collect())
    }

    fn message(&self, position: Result<u64, StorageError>) -> Result<Message, StoreError> {
        let row = self.entries.get((self.channel.0, position?))?.ok_or_else(|| missing("a message"))?;
        Ok(EntryRow::parse(row.value())?.message()?.message)
    }

    fn key(&self, id: MessageId) -> (u64, u64, u64) {
        (self.channel.0, Bucket::of(id, self.bucket).0, id.0)
    }
}
