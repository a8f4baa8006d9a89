//! What a client knows.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, Position};
use chat_node::protocol::cursors::Cursors;
use tokio::time::Instant;

use super::frame::Listed;
use crate::oracle::Seen;

#[derive(Debug, Default)]
pub struct View {
    pub seen: BTreeMap<ChannelId, Seen>,
    /// What it had seen of channels that it does not have any more.
    pub lost: Vec<(ChannelId, Seen)>,
    pub pending: Vec<Draft>,
    pub is_ready: bool,
}

/// A message that is not acked yet.
#[derive(Clone, Debug)]
pub struct Draft {
    pub channel: ChannelId,
    pub nonce: String,
    /// When it is sent, for the first time or again.
    pub due: Instant,
    pub is_sent: bool,
}

impl View {
    /// Wants all of a channel, whenever it gets it.
    pub fn wants_all(&mut self, channel: ChannelId) {
        self.seen.insert(channel, Seen::starting_after(0));
    }

    pub fn cursors(&self) -> Cursors {
        Cursors(self.seen.iter().map(|(id, seen)| (*id, Position(seen.last))).collect())
    }

    /// These are its channels, and no others.
    pub fn begins(&mut self, channels: Vec<Listed>) {
        let gone = self.seen.extract_if(.., |id, _| channels.iter().all(|listed| listed.id != *id));
        let gone: Vec<_> = gone.collect();
        self.lost.extend(gone);
        channels.into_iter().for_each(|channel| self.gets(channel));
        self.is_ready = true;
    }

    pub fn gets(&mut self, Listed { id, head }: Listed) {
        self.seen.entry(id).or_insert_with(|| Seen::starting_after(head.0));
    }

    pub fn loses(&mut self, channel: ChannelId) {
        if let Some(seen) = self.seen.remove(&channel) {
            self.lost.push((channel, seen));
        }
    }

    /// The draft with a nonce.
    pub fn draft(&mut self, nonce: &str) -> Option<&mut Draft> {
        self.pending.iter_mut().find(|draft| draft.nonce == nonce)
    }

    /// Ends a draft, for whatever reason.
    pub fn finish(&mut self, nonce: &str) -> Option<Draft> {
        let index = self.pending.iter().position(|draft| draft.nonce == nonce)?;
        Some(self.pending.remove(index))
    }
}
