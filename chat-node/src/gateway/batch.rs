//! Frames that go to a client together, and the cursors of a client that has got them.

use std::collections::btree_map::Entry;

use crate::ids::{ChannelId, Position};
use crate::protocol::codec::{Class, Encoded};
use crate::protocol::cursors::Cursors;

/// What is to be written next.
#[derive(Debug)]
pub(super) struct Batch {
    frames: Vec<Encoded>,
    bytes: usize,
    /// Of the client once it has the frames.
    pub cursors: Cursors,
}

impl Batch {
    /// Nothing for a client with these cursors.
    pub fn new(cursors: Cursors) -> Self {
        Self { frames: Vec::new(), bytes: 0, cursors }
    }

    /// Length of the frames in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn add(&mut self, frame: Encoded) {
        if let Class::Entry(channel, position) = frame.class()
            && let Entry::Occupied(mut cursor) = self.cursors.0.entry(channel)
        {
            cursor.insert(position);
        }
        self.bytes += frame.len();
        self.frames.push(frame);
    }

    pub fn begins(&mut self, channel: ChannelId, after: Position) {
        self.cursors.0.insert(channel, after);
    }

    pub fn ends(&mut self, channel: ChannelId) {
        self.cursors.0.remove(&channel);
    }

    /// Takes the frames as a JSON array.
    pub fn take_json(&mut self) -> String {
        let mut text = String::with_capacity(self.bytes + self.frames.len() + 2);
        text.push('[');
        for (number, frame) in self.frames.drain(..).enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(frame.as_str());
        }
        text.push(']');
        self.bytes = 0;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::codec::encode_entry;
    use crate::protocol::message::Entry as LogEntry;

    fn void(channel: u64, position: u64) -> Encoded {
        encode_entry(&LogEntry::Void { channel_id: ChannelId(channel), position: Position(position) })
    }

    #[test]
    fn cursors_follow_the_entries_of_channels_that_have_begun_and_not_ended() {
        let mut batch = Batch::new("1:4,9:2".parse().unwrap());
        batch.begins(ChannelId(1), Position(4));
        batch.add(void(1, 5));
        batch.add(void(1, 6));
        batch.begins(ChannelId(7), Position(0));
        batch.ends(ChannelId(9));
        // What was queued of a channel before it ended must not bring it back.
        batch.add(void(9, 3));
        assert_eq!(batch.cursors.to_string(), "1:6,7:0");
        let frames: Vec<serde_json::Value> = serde_json::from_str(&batch.take_json()).unwrap();
        assert_eq!((frames.len(), frames[1]["position"].as_str()), (3, Some("6")));
        assert_eq!((batch.take_json().as_str(), batch.bytes()), ("[]", 0));
    }
}
