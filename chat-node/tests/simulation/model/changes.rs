//! Changes as they show on their messages.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::emoji::Emoji;
use chat_node::protocol::message::{Change, ChangeEntry, Message, ReactionCount};

use super::Tables;
use super::log::{MessageRow, Row};

/// Whether a user's reaction is there, and the position that said so.
pub type ReactionRows = BTreeMap<(MessageId, Emoji, UserId), (bool, Position)>;

impl Tables {
    pub fn fold(&mut self, entry: &ChangeEntry) {
        let (channel, at) = (entry.channel_id, entry.position);
        match &entry.change {
            Change::Edit { message_id, content, mentions, mention_everyone, embeds } => {
                let Some(row) = self.message_row(channel, *message_id) else { return };
                if row.deleted {
                    return self.scrub(channel, *message_id);
                }
                if row.edited_at < at {
                    row.edited_at = at;
                    row.message.content.clone_from(content);
                    row.message.mentions.clone_from(mentions);
                    row.message.mention_everyone = *mention_everyone;
                    row.message.embeds.clone_from(embeds);
                    row.message.edited_ms = Some(entry.timestamp_ms);
                }
            }
            Change::Delete { message_id } => self.delete(channel, *message_id),
            Change::React { message_id, emoji, on } => {
                if self.message(channel, *message_id).is_none() {
                    return;
                }
                let key = (*message_id, emoji.clone(), entry.by.id.clone());
                let row = self.reactions.entry(key).or_insert((false, Position(0)));
                if row.1 < at {
                    *row = (*on, at);
                }
            }
            Change::Pin { message_id, pinned } => {
                let row = self.message_row(channel, *message_id);
                if let Some(row) = row.filter(|row| row.pinned_at < at) {
                    row.pinned_at = at;
                    row.message.pinned = *pinned;
                }
            }
            Change::Settings(settings) => {
                let row = self.channels.get_mut(&channel);
                if let Some(row) = row.filter(|row| row.settings_at < at) {
                    row.settings_at = at;
                    row.channel.settings = settings.clone();
                }
            }
        }
    }

    pub fn changes_after(&self, channel: ChannelId, after: Position, limit: u16) -> Vec<ChangeEntry> {
        let Some(log) = self.logs.get(&channel) else { return Vec::new() };
        let change = |(_, row): (&Position, &Row)| match row {
            Row::Change(change) => Some(change.clone()),
            _ => None,
        };
        log.rows.range(after.next()..).filter_map(change).take(limit.into()).collect()
    }

    pub fn message(&self, channel: ChannelId, id: MessageId) -> Option<Message> {
        let (of, position) = self.ids.get(&id)?;
        let row = self.logs.get(&channel).filter(|_| *of == channel)?.rows.get(position)?;
        row.message().cloned()
    }

    pub fn pinned(&self, channel: ChannelId) -> Vec<Message> {
        self.messages(channel).rev().filter(|message| message.pinned).take(50).cloned().collect()
    }

    pub fn reactions(&self, messages: &[MessageId], viewer: &UserId) -> Vec<(MessageId, Vec<ReactionCount>)> {
        let of = |id: &MessageId| {
            let mut counts: BTreeMap<&Emoji, ReactionCount> = BTreeMap::new();
            for ((message, emoji, user), (on, _)) in &self.reactions {
                if message == id && *on {
                    let new = || ReactionCount { emoji: emoji.clone(), count: 0, me: false };
                    let count = counts.entry(emoji).or_insert_with(new);
                    count.count += 1;
                    count.me |= user == viewer;
                }
            }
            let counts: Vec<_> = counts.into_values().collect();
            (!counts.is_empty()).then_some((*id, counts))
        };
        messages.iter().filter_map(of).collect()
    }

    pub fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        (after, limit): (Option<&UserId>, u16),
    ) -> Vec<UserId> {
        let reactor = |((of, with, user), (on, _)): (&(MessageId, Emoji, UserId), &(bool, Position))| {
            let is_one = *of == message && with == emoji && *on && after.is_none_or(|after| user > after);
            is_one.then(|| user.clone())
        };
        self.reactions.iter().filter_map(reactor).take(limit.into()).collect()
    }

    fn delete(&mut self, channel: ChannelId, id: MessageId) {
        if let Some(row) = self.message_row(channel, id) {
            row.deleted = true;
            row.message.content = String::new();
            row.message.mentions = Vec::new();
            row.message.attachments = Vec::new();
            row.message.embeds = Vec::new();
            row.message.pinned = false;
            self.reactions.retain(|(message, ..), _| *message != id);
        }
        self.scrub(channel, id);
    }

    /// Takes the text out of a message's edits.
    fn scrub(&mut self, channel: ChannelId, id: MessageId) {
        let Some(log) = self.logs.get_mut(&channel) else { return };
        for row in log.rows.values_mut() {
            let Row::Change(ChangeEntry { change, .. }) = row else { continue };
            if let Change::Edit { message_id, content, mentions, mention_everyone, embeds } = change
                && *message_id == id
            {
                (*content, *mentions, *mention_everyone, *embeds) = Default::default();
            }
        }
    }

    fn message_row(&mut self, channel: ChannelId, id: MessageId) -> Option<&mut MessageRow> {
        let (of, position) = *self.ids.get(&id)?;
        match self.logs.get_mut(&channel).filter(|_| of == channel)?.rows.get_mut(&position)? {
            Row::Message(row) => Some(row),
            _ => None,
        }
    }
}
