//! Entries of the channels' logs.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Entry, Message};
use chat_node::store::Inserted;

use super::Tables;

#[derive(Debug, Default)]
pub struct LogRows {
    pub entries: BTreeMap<Position, Entry>,
    nonces: BTreeMap<(UserId, String), Position>,
}

impl Tables {
    pub fn insert(&mut self, entries: &[Entry]) -> Vec<Inserted> {
        entries.iter().map(|entry| self.insert_one(entry)).collect()
    }

    fn insert_one(&mut self, entry: &Entry) -> Inserted {
        let log = self.logs.entry(entry.channel()).or_default();
        let taken = log.entries.contains_key(&entry.position());
        let Entry::Message(message) = entry else {
            if taken {
                return Inserted::PositionTaken;
            }
            log.entries.insert(entry.position(), entry.clone());
            return Inserted::New;
        };
        let nonce = (message.author.id.clone(), message.nonce.clone());
        let known = log.nonces.get(&nonce).and_then(|position| log.entries.get(position));
        if let Some(Entry::Message(known)) = known {
            return if known.id == message.id { Inserted::New } else { Inserted::Known(known.clone()) };
        }
        if taken {
            return Inserted::PositionTaken;
        }
        if self.messages.contains_key(&message.id) {
            return Inserted::IdTaken;
        }
        log.nonces.insert(nonce, message.position);
        log.entries.insert(message.position, entry.clone());
        self.messages.insert(message.id, (message.channel_id, message.position));
        Inserted::New
    }

    pub fn entry(&self, channel: ChannelId, position: Position) -> Option<&Entry> {
        self.logs.get(&channel)?.entries.get(&position)
    }

    pub fn entries(&self, channel: ChannelId) -> impl Iterator<Item = &Entry> {
        self.logs.get(&channel).into_iter().flat_map(|log| log.entries.values())
    }

    pub fn find_nonce(&self, channel: ChannelId, author: &UserId, nonce: &str) -> Option<Message> {
        let log = self.logs.get(&channel)?;
        let position = log.nonces.get(&(author.clone(), nonce.to_owned()))?;
        message(log.entries.get(position)?).cloned()
    }

    pub fn entries_after(&self, channel: ChannelId, after: Position, limit: u16) -> Vec<Entry> {
        let Some(log) = self.logs.get(&channel) else { return Vec::new() };
        log.entries.range(after.next()..).take(limit.into()).map(|(_, entry)| entry.clone()).collect()
    }

    pub fn history(&self, channel: ChannelId, before: Option<MessageId>, limit: u16) -> Vec<Message> {
        let Some(log) = self.logs.get(&channel) else { return Vec::new() };
        let newest = log.entries.values().rev().filter_map(message);
        let older = newest.filter(|message| before.is_none_or(|before| message.id < before));
        older.take(limit.into()).cloned().collect()
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
        if let Some(Entry::Message(message)) = log.entries.remove(&position) {
            log.nonces.remove(&(message.author.id, message.nonce));
            self.messages.remove(&message.id);
        }
    }
}

fn message(entry: &Entry) -> Option<&Message> {
    if let Entry::Message(message) = entry { Some(message) } else { None }
}
