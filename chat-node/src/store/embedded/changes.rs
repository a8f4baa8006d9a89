//! Changes as they show on their messages. Each is folded in one transaction.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::Embedded;
use super::channels;
use super::fault::missing;
use super::reactions;
use super::rows::{EntryRow, MessageRow};
use super::tables::{CHANGES, CHANNELS, EDITS, ENTRIES, IDS, PINS, TIMELINE};
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{Change, ChangeEntry, ChannelSettings, Entry, Message, ReactionCount};
use crate::store::bucket::{Bucket, BucketLength};
use crate::store::{ChangeStore, PINNED_LIMIT, StoreError};

#[async_trait]
impl ChangeStore for Embedded {
    async fn fold(&self, change: &ChangeEntry) -> Result<(), StoreError> {
        let (change, bucket) = (change.clone(), self.bucket);
        self.write(move |tx| fold(tx, &change, bucket)).await
    }

    async fn changes_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.read(|tx| changes_after(tx, channel, after, limit))
    }

    async fn set_folded(&self, channel: ChannelId, position: Position) -> Result<(), StoreError> {
        self.write(move |tx| channels::raise_marks(tx, channel, (position, Position(0)))).await.map(drop)
    }

    async fn message(&self, channel: ChannelId, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.read(|tx| {
            let row = find(&tx.open_table(IDS)?, &tx.open_table(ENTRIES)?, (channel, id))?;
            Ok(row.filter(|row| !row.deleted).map(|row| row.message))
        })
    }

    async fn pinned(&self, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
        self.read(|tx| pinned(tx, channel))
    }

    async fn reactions(
        &self,
        messages: &[MessageId],
        viewer: &UserId,
    ) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
        self.read(|tx| reactions::counts(tx, messages, viewer))
    }

    async fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        page: (Option<&UserId>, u16),
    ) -> Result<Vec<UserId>, StoreError> {
        self.read(|tx| reactions::reactors(tx, message, emoji, page))
    }
}

fn fold(tx: &WriteTransaction, entry: &ChangeEntry, bucket: BucketLength) -> Result<(), StoreError> {
    let at = (entry.channel_id, entry.position);
    if let Change::Settings(settings) = &entry.change {
        return fold_settings(tx, at, settings);
    }
    let Some(id) = entry.change.message_id() else { return Ok(()) };
    let Some(mut row) = find(&tx.open_table(IDS)?, &tx.open_table(ENTRIES)?, (at.0, id))? else {
        return Ok(());
    };
    match &entry.change {
        Change::Delete { .. } => delete(tx, row, bucket),
        Change::Edit { .. } if row.deleted => scrub(tx, at),
        _ if row.deleted => Ok(()),
        Change::Edit { content, mentions, mention_everyone, embeds, .. } if row.edited_at < at.1 => {
            row.edited_at = at.1;
            row.message.edited_ms = Some(entry.timestamp_ms);
            row.message.content.clone_from(content);
            row.message.mentions.clone_from(mentions);
            row.message.mention_everyone = *mention_everyone;
            row.message.embeds.clone_from(embeds);
            put(tx, row)
        }
        Change::Pin { pinned, .. } if row.pinned_at < at.1 => {
            row.pinned_at = at.1;
            row.message.pinned = *pinned;
            set_pin(tx, at.0, (id, *pinned))?;
            put(tx, row)
        }
        Change::React { emoji, on, .. } => reactions::fold(tx, (id, emoji, &entry.by.id), (at.1, *on)),
        Change::Edit { .. } | Change::Pin { .. } | Change::Settings(_) => Ok(()),
    }
}

fn fold_settings(
    tx: &WriteTransaction,
    (channel, position): (ChannelId, Position),
    settings: &ChannelSettings,
) -> Result<(), StoreError> {
    let row = channels::row(&tx.open_table(CHANNELS)?, channel)?;
    let Some(row) = row.filter(|row| row.settings_at < position) else { return Ok(()) };
    let settings = settings.clone();
    channels::put(tx, channel, &channels::Row { settings, settings_at: position, ..row })
}

/// Leaves only the keys of a message, and takes its text out of its edits too.
fn delete(tx: &WriteTransaction, row: MessageRow, bucket: BucketLength) -> Result<(), StoreError> {
    let Message { id, channel_id: channel, .. } = row.message;
    let edits: Result<Vec<_>, StoreError> = {
        let table = tx.open_table(EDITS)?;
        let of_message = table.range((id.0, 0)..=(id.0, u64::MAX))?;
        of_message.map(|row| Ok(Position(row?.0.value().1))).collect()
    };
    for position in edits? {
        scrub(tx, (channel, position))?;
    }
    tx.open_table(TIMELINE)?.remove((channel.0, Bucket::of(id, bucket).0, id.0))?;
    set_pin(tx, channel, (id, false))?;
    reactions::remove(tx, id)?;
    put(tx, row.without_content())
}

fn set_pin(
    tx: &WriteTransaction,
    channel: ChannelId,
    (id, pinned): (MessageId, bool),
) -> Result<(), StoreError> {
    let mut pins = tx.open_table(PINS)?;
    match pinned {
        true => pins.insert((channel.0, id.0), ())?,
        false => pins.remove((channel.0, id.0))?,
    };
    Ok(())
}

/// Takes the text out of an edit.
fn scrub(tx: &WriteTransaction, (channel, position): (ChannelId, Position)) -> Result<(), StoreError> {
    let mut entries = tx.open_table(ENTRIES)?;
    let row = entries.get((channel.0, position.0))?.map(|row| EntryRow::parse(row.value())).transpose()?;
    let Some(EntryRow::Change(mut row)) = row else { return Ok(()) };
    if let Change::Edit { content, mentions, mention_everyone, embeds, .. } = &mut row.change.change {
        (*content, *mentions, *mention_everyone, *embeds) = Default::default();
    }
    entries.insert((channel.0, position.0), EntryRow::Change(row).to_bytes()?.as_slice())?;
    Ok(())
}

fn put(tx: &WriteTransaction, row: MessageRow) -> Result<(), StoreError> {
    let key = (row.message.channel_id.0, row.message.position.0);
    tx.open_table(ENTRIES)?.insert(key, EntryRow::Message(Box::new(row)).to_bytes()?.as_slice())?;
    Ok(())
}

/// A message of a channel, deleted or not.
fn find(
    ids: &impl ReadableTable<u64, (u64, u64)>,
    entries: &impl ReadableTable<(u64, u64), &'static [u8]>,
    (channel, id): (ChannelId, MessageId),
) -> Result<Option<MessageRow>, StoreError> {
    let Some(key) = ids.get(id.0)?.map(|key| key.value()).filter(|key| key.0 == channel.0) else {
        return Ok(None);
    };
    let row = entries.get(key)?.ok_or_else(|| missing("an id's entry"))?;
    Ok(match EntryRow::parse(row.value())? {
        EntryRow::Message(row) => Some(*row),
        EntryRow::Change(_) => None,
    })
}

fn changes_after(
    tx: &ReadTransaction,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<ChangeEntry>, StoreError> {
    let (changes, entries) = (tx.open_table(CHANGES)?, tx.open_table(ENTRIES)?);
    let later = changes.range((channel.0, after.0.saturating_add(1))..=(channel.0, u64::MAX))?;
    let mut found = Vec::new();
    for key in later.take(limit.into()) {
        let row = entries.get(key?.0.value())?.ok_or_else(|| missing("a change"))?;
        if let Entry::Change(change) = EntryRow::parse(row.value())?.entry() {
            found.push(change);
        }
    }
    Ok(found)
}

fn pinned(tx: &ReadTransaction, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
    let (pins, ids, entries) = (tx.open_table(PINS)?, tx.open_table(IDS)?, tx.open_table(ENTRIES)?);
    let newest_first = pins.range((channel.0, 0)..=(channel.0, u64::MAX))?.rev();
    let mut found = Vec::new();
    for key in newest_first.take(PINNED_LIMIT) {
        let id = MessageId(key?.0.value().1);
        found.extend(find(&ids, &entries, (channel, id))?.map(|row| row.message));
    }
    Ok(found)
}
