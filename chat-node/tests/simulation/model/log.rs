//! Entries of the channels' logs.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{ChangeEntry, Entry, Message};
use chat_node::store::{Around, Inserted};

use super::Tables;

#[derive(Debug, Default)]
pub struct LogRows {
    pub(super) rows: BTreeMap<Position, Row>,
    pub(super) nonces: BTreeMap<(UserId, String), Position>,
}

#[derive(Debug)]
pub(super) enum Row {
    Message(MessageRow),
    Change(ChangeEntry),
    Void(Entry),
}

#[derive(Debug)]
pub(super) struct MessageRow {
    /// As it is now.
    pub message: Message,
    /// Positions of the last edit and the last change of its pin that are folded in.
    pub edited_at: Position,
    pub pinned_at: Position,
    pub deleted: bool,
}

impl Row {
    fn new(entry: &Entry) -> Self {
        match entry {
            Entry::Message(message) => {
                let (edited_at, pinned_at, deleted) = (Position(0), Position(0), false);
                Self::Message(MessageRow { message: message.clone(), edited_at, pinned_at, deleted })
            }
            Entry::Change(change) => Self::Change(change.clone()),
            Entry::Void { .. } => Self::Void(entry.clone()),
        }
    }

    /// The message, unless it is deleted.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(row) if !row.deleted => Some(&row.message),
            _ => None,
        }
    }

    /// As a reader of the log sees it.
    pub fn entry(&self) -> Entry {
        match self {
            Self::Message(MessageRow { message, deleted: true, .. }) => {
                Entry::Void { channel_id: message.channel_id, position: message.position }
            }
            Self::Message(row) => Entry::Message(row.message.clone()),
            Self::Change(change) => Entry::Change(change.clone()),
            Self::Void(void) => void.clone(),
        }
    }
}

impl Tables {
    pub fn insert(&mut self, entries: &[Entry]) -> Vec<Inserted> {
        entries.iter().map(|entry| self.insert_one(entry)).collect()
    }

    fn insert_one(&mut self, entry: &Entry) -> Inserted {
        let (channel, position) = (entry.channel(), entry.position());
        let log = self.logs.entry(channel).or_default();
        if let Entry::Message(message) = entry {
            let known = log.nonces.get(&(message.author.id.clone(), message.nonce.clone()));
            if let Some(Row::Message(known)) = known.and_then(|position| log.rows.get(position)) {
                let is_same = known.message.id == message.id;
                return if is_same { Inserted::New } else { Inserted::Known(known.message.clone()) };
            }
        }
        if let Entry::Change(change) = entry
            && self.ids.get(&change.id) == Some(&(channel, position))
        {
            return Inserted::New;
        }
        if log.rows.contains_key(&position) {
            return Inserted::PositionTaken;
        }
        let id = match entry {
            Entry::Message(message) => Some(message.id),
            Entry::Change(change) => Some(change.id),
            Entry::Void { .. } => None,
        };
        if let Some(id) = id {
            if self.ids.contains_key(&id) {
                return Inserted::IdTaken;
            }
            self.ids.insert(id, (channel, position));
        }
        if let Entry::Message(message) = entry {
            log.nonces.insert((message.author.id.clone(), message.nonce.clone()), position);
        }
        log.rows.insert(position, Row::new(entry));
        Inserted::New
    }

    /// What a reader of the log sees at a position.
    pub fn entry(&self, channel: ChannelId, position: Position) -> Option<Entry> {
        self.logs.get(&channel)?.rows.get(&position).map(Row::entry)
    }

    pub fn entries(&self, channel: ChannelId) -> impl Iterator<Item = Entry> {
        self.logs.get(&channel).into_iter().flat_map(|log| log.rows.values().map(Row::entry))
    }

    /// The message at a position, if it is deleted.
    pub fn deleted(&self, channel: ChannelId, position: Position) -> Option<MessageId> {
        match self.logs.get(&channel)?.rows.get(&position)? {
            Row::Message(row) if row.deleted => Some(row.message.id),
            _ => None,
        }
    }

    /// The last position that holds anything.
    pub fn last(&self, channel: ChannelId) -> Position {
        let log = self.logs.get(&channel);
        log.and_then(|log| log.rows.last_key_value()).map_or(Position(0), |(position, _)| *position)
    }

    pub fn find_nonce(&self, channel: ChannelId, author: &UserId, nonce: &str) -> Option<Message> {
        let log = self.logs.get(&channel)?;
        let position = log.nonces.get(&(author.clone(), nonce.to_owned()))?;
        match log.rows.get(position)? {
            Row::Message(row) => Some(row.message.clone()),
            _ => None,
        }
    }

    pub fn entries_after(&self, channel: ChannelId, after: Position, limit: u16) -> Vec<Entry> {
        let Some(log) = self.logs.get(&channel) else { return Vec::new() };
        log.rows.range(after.next()..).take(limit.into()).map(|(_, row)| row.entry()).collect()
    }

    pub fn history(&self, channel: ChannelId, around: Around, limit: u16) -> Vec<Message> {
        let limit = usize::from(limit);
        match around {
            Around::End => self.older(channel, MessageId(u64::MAX), limit),
            Around::Before(id) => self.older(channel, id, limit),
            Around::After(id) => self.newer(channel, id, limit),
            Around::Middle(id) => {
                let mut page = self.newer(channel, id, limit / 2);
                let rest = limit - page.len();
                page.extend(self.older(channel, MessageId(id.0.saturating_add(1)), rest));
                page
            }
        }
    }

    fn older(&self, channel: ChannelId, before: MessageId, limit: usize) -> Vec<Message> {
        let newest = self.messages(channel).rev();
        newest.filter(|message| message.id < before).take(limit).cloned().collect()
    }

    fn newer(&self, channel: ChannelId, after: MessageId, limit: usize) -> Vec<Message> {
        let later = self.messages(channel).filter(|message| message.id > after);
        let mut page: Vec<_> = later.take(limit).cloned().collect();
        page.reverse();
        page
    }

    /// The messages that are not deleted.
    pub(super) fn messages(&self, channel: ChannelId) -> impl DoubleEndedIterator<Item = &Message> {
        self.logs.get(&channel).into_iter().flat_map(|log| log.rows.values().filter_map(Row::message))
    }

    /// Forgets that a nonce was used, as no store does.
    pub fn forget_nonce(&mut self, message: &Message) {
        if let Some(log) = self.logs.get_mut(&message.channel_id) {
            log.nonces.remove(&(message.author.id.clone(), message.nonce.clone()));
        }
    }

    /// Takes out what is at a position, as no store does.
    pub fn forget(&mut self, channel: ChannelId, position: Position) {
        let Some(log) = self.logs.get_mut(&channel) else { return };
        if let Some(Row::Message(row)) = log.rows.remove(&position) {
            log.nonces.remove(&(row.message.author.id, row.message.nonce));
            self.ids.remove(&row.message.id);
        }
    }
}
