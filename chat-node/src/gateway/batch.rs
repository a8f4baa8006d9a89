//! Frames that go to a client together, and the cursors of a client that has got them.

use crate::protocol::codec::{Class, Encoded};
use crate::protocol::cursors::Cursors;

/// What is to be written next.
#[derive(Debug)]
pub(super) struct Batch {
    frames: Vec<Encoded>,
    bytes: usize,
    /// Of the client once it has the frames, and none of those that are still queued.
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
        match frame.class() {
            Class::Entry(channel, position) => {
                if let Some(cursor) = self.cursors.0.get_mut(&channel) {
                    *cursor = position;
                }
            }
            Class::Begins(channel, after) => drop(self.cursors.0.insert(channel, after)),
            Class::Ends(channel) => drop(self.cursors.0.remove(&channel)),
            Class::Control | Class::Ephemeral => {}
        }
        self.bytes += frame.len();
        self.frames.push(frame);
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
    use crate::ids::{ChannelId, Position};
    use crate::protocol::codec::{encode, encode_entry};
    use crate::protocol::frame::{Event, ServerFrame};
    use crate::protocol::message::Entry;

    fn void(channel: u64, position: u64) -> Encoded {
        encode_entry(&Entry::Void { channel_id: ChannelId(channel), position: Position(position) })
    }

    fn begins(channel: u64, after: u64) -> Encoded {
        let view = format!(r#"{{"id":"{channel}","kind":"direct","name":"Ada","head":"{after}"}}"#);
        let channel = &serde_json::from_str(&view).unwrap();
        encode(&ServerFrame::Event(Event::ChannelCreate { channel }))
    }

    fn ends(channel: u64) -> Encoded {
        encode(&ServerFrame::Event(Event::ChannelDelete { channel_id: ChannelId(channel) }))
    }

    #[test]
    fn cursors_follow_the_entries_of_channels_that_have_begun_and_not_ended() {
        let mut batch = Batch::new("1:4,9:2".parse().unwrap());
        for frame in [void(1, 5), void(1, 6), begins(7, 0), ends(9), void(9, 3)] {
            batch.add(frame);
        }
        assert_eq!(batch.cursors.to_string(), "1:6,7:0");
        let frames: Vec<serde_json::Value> = serde_json::from_str(&batch.take_json()).unwrap();
        assert_eq!((frames.len(), frames[1]["position"].as_str()), (5, Some("6")));
        assert_eq!((batch.take_json().as_str(), batch.bytes()), ("[]", 0));
    }

    #[test]
    fn a_channel_that_is_taken_and_given_back_goes_on_where_it_was_given_back() {
        let mut batch = Batch::new("1:8".parse().unwrap());
        let mut seen = Vec::new();
        for frame in [void(1, 9), ends(1), begins(1, 11), void(1, 12)] {
            batch.add(frame);
            seen.push(batch.cursors.to_string());
        }
        assert_eq!(seen, ["1:9", "", "1:11", "1:12"]);
    }
}
