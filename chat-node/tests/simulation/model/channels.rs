//! Channels and their heads.

use chat_node::ids::{ChannelId, Position, UserId};
use chat_node::store::{Channel, ChannelKind, DIRECT_CHANNELS_LIMIT, Reservation, StoreError};

use super::Tables;

#[derive(Debug)]
pub struct ChannelRow {
    pub channel: Channel,
    pub time_ms: u64,
}

impl Tables {
    pub(super) fn name_official(&mut self, name: &str) {
        let id = ChannelId::OFFICIAL;
        self.channels.entry(id).or_insert_with(|| new(id, ChannelKind::Official)).channel.name =
            name.to_owned();
    }

    pub fn channel(&self, id: ChannelId) -> Option<Channel> {
        self.channels.get(&id).map(|row| row.channel.clone())
    }

    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values().map(|row| &row.channel)
    }

    pub fn heads(&self, ids: &[ChannelId]) -> Vec<(ChannelId, Position)> {
        ids.iter().filter_map(|id| self.channels.get(id).map(|row| (*id, row.channel.head))).collect()
    }

    pub fn direct_channels(&self, user: &UserId) -> Vec<Channel> {
        let newest = self.channels.values().rev().map(|row| &row.channel);
        newest.filter(|channel| has(channel, user)).take(DIRECT_CHANNELS_LIMIT).cloned().collect()
    }

    pub fn open_direct(&mut self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        let kind = ChannelKind::Direct(users.clone());
        if let Some(row) = self.channels.values().find(|row| row.channel.kind == kind) {
            return Ok(row.channel.clone());
        }
        if self.channels.contains_key(&id) {
            return Err(StoreError::Refused(format!("channel id {id} is taken")));
        }
        Ok(self.channels.entry(id).or_insert_with(|| new(id, kind)).channel.clone())
    }

    pub fn reserve(
        &mut self,
        channel: ChannelId,
        count: u16,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        let Some(row) = self.channels.get_mut(&channel) else {
            return Err(StoreError::Refused(format!("there is no channel {channel}")));
        };
        let (first, first_ms) = (row.channel.head.next(), now_ms.max(row.time_ms + 1));
        row.channel.head.0 += u64::from(count);
        row.time_ms = first_ms + u64::from(count) - 1;
        Ok(Reservation { first, first_ms })
    }
}

fn new(id: ChannelId, kind: ChannelKind) -> ChannelRow {
    ChannelRow { channel: Channel { id, kind, name: String::new(), head: Position(0) }, time_ms: 0 }
}

fn has(channel: &Channel, user: &UserId) -> bool {
    matches!(&channel.kind, ChannelKind::Direct(users) if users.contains(user))
}
