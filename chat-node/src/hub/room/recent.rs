//! The last messages of a channel, as far as this node has seen them go by: enough to count what somebody has not read
//! without asking the store.

use std::collections::VecDeque;

use crate::ids::{MessageId, Position};
use crate::protocol::frame::UNREAD_MAX;
use crate::protocol::message::{Change, Entry};

/// The last [`UNREAD_MAX`] messages that are not deleted.
#[derive(Debug)]
pub(super) struct Recent {
    messages: VecDeque<(Position, MessageId)>,
    /// All messages after this are here.
    since: Position,
}

impl Recent {
    /// Nothing is known of what came up to `since`.
    pub fn after(since: Position) -> Self {
        Self { messages: VecDeque::new(), since }
    }

    /// Takes the log's next entry.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Message(message) => {
                if self.messages.len() == usize::from(UNREAD_MAX)
                    && let Some((position, _)) = self.messages.pop_front()
                {
                    self.since = position;
                }
                self.messages.push_back((message.position, message.id));
            }
            Entry::Change(change) => {
                if let Change::Delete { message_id } = change.change {
                    self.messages.retain(|(_, id)| *id != message_id);
                }
            }
            Entry::Void { .. } => {}
        }
    }

    /// Everything up to here is gone by retention.
    pub fn forget_until(&mut self, floor: Position) {
        while self.messages.pop_front_if(|(position, _)| *position <= floor).is_some() {}
    }

    /// How many messages come after `read`, at most [`UNREAD_MAX`]; `None`: only the store knows.
    pub fn count_after(&self, read: Position) -> Option<u8> {
        let first = self.messages.partition_point(|(position, _)| *position <= read);
        let count = u8::try_from(self.messages.len() - first).unwrap_or(UNREAD_MAX);
        (read >= self.since || count == UNREAD_MAX).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccessVersion, ChannelId};
    use crate::protocol::message::{ChangeEntry, Composed, Message, Place, User};

    const CHANNEL: ChannelId = ChannelId(9);

    fn ada() -> User {
        User { id: "ada".parse().unwrap(), name: "Ada".to_owned() }
    }

    fn message(position: u64) -> Entry {
        let (id, access) = (MessageId(position << 22), AccessVersion(0));
        let place = Place { id, channel_id: CHANNEL, position: Position(position), access };
        Entry::Message(Message::new(place, ada(), position.to_string(), Composed::default()))
    }

    fn deletion(position: u64, of: u64) -> Entry {
        Entry::Change(ChangeEntry {
            id: MessageId(position << 22),
            channel_id: CHANNEL,
            position: Position(position),
            access: AccessVersion(0),
            by: ada(),
            timestamp_ms: 0,
            change: Change::Delete { message_id: MessageId(of << 22) },
        })
    }

    #[test]
    fn only_messages_count_and_deleted_ones_no_more() {
        let mut recent = Recent::after(Position(10));
        let void = Entry::Void { channel_id: CHANNEL, position: Position(12) };
        for entry in [message(11), void, message(13), message(14), deletion(15, 13)] {
            recent.take(&entry);
        }
        let counts = [10, 11, 12, 13, 14, 15].map(|read| recent.count_after(Position(read)));
        assert_eq!(counts, [2, 1, 1, 1, 0, 0].map(Some));
    }

    #[test]
    fn what_retention_has_taken_is_unread_no_more() {
        let mut recent = Recent::after(Position(10));
        (11..=14).for_each(|position| recent.take(&message(position)));
        recent.forget_until(Position(12));
        assert_eq!([10, 12, 13].map(|read| recent.count_after(Position(read))), [2, 2, 1].map(Some));
    }

    #[test]
    fn what_was_before_is_the_stores_to_tell() {
        let mut recent = Recent::after(Position(10));
        recent.take(&message(11));
        assert_eq!(recent.count_after(Position(9)), None);
    }

    #[test]
    fn as_many_as_are_counted_are_enough_to_know() {
        let mut recent = Recent::after(Position(10));
        let most = u64::from(UNREAD_MAX);
        (11..11 + most).for_each(|position| recent.take(&message(position)));
        assert_eq!(recent.count_after(Position(0)), Some(UNREAD_MAX));
        recent.take(&message(11 + most));
        assert_eq!(recent.count_after(Position(0)), Some(UNREAD_MAX));
        recent.take(&deletion(12 + most, 12));
        assert_eq!(recent.count_after(Position(10)), None, "one is deleted and one forgotten");
        assert_eq!(recent.count_after(Position(11)), Some(UNREAD_MAX - 1));
    }
}
