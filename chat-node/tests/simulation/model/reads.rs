//! How far users have read.

use chat_node::ids::{ChannelId, Position, UserId};

use super::Tables;

impl Tables {
    pub fn set_read(&mut self, user: &UserId, channel: ChannelId, position: Position) -> Position {
        let read = self.reads.entry((user.clone(), channel)).or_insert(Position(0));
        *read = (*read).max(position);
        *read
    }

    pub fn reads(&self, user: &UserId, channels: &[ChannelId]) -> Vec<(ChannelId, Position)> {
        let read = |channel: &ChannelId| {
            self.reads.get(&(user.clone(), *channel)).map(|position| (*channel, *position))
        };
        channels.iter().filter_map(read).collect()
    }

    pub fn count_messages(&self, channel: ChannelId, after: Position, up_to: u16) -> u16 {
        let count = self.messages(channel).filter(|message| message.position > after).take(up_to.into());
        u16::try_from(count.count()).unwrap_or(up_to)
    }
}
