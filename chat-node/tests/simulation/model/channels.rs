//! Channels and their heads.

use chat_node::groups::{GroupKind, GroupSettings};
use chat_node::ids::{AccessVersion, ChannelId, GroupId, Position, Revision, UserId};
use chat_node::protocol::message::ChannelSettings;
use chat_node::store::{
    Channel, ChannelKind, DIRECT_CHANNELS_LIMIT, Head, NewChannel, Reservation, Reserve, StoreError,
};

use super::Tables;

#[derive(Debug)]
pub struct ChannelRow {
    pub channel: Channel,
    pub time_ms: u64,
    /// Position of the last change of the settings that is folded in.
    pub settings_at: Position,
}

impl Tables {
    pub(super) fn prepare_official(&mut self, name: &str) {
        let settings = GroupSettings { name: name.to_owned(), topic: String::new() };
        self.create_group(GroupId::OFFICIAL, &GroupKind::Official, &settings);
        self.rename_group(GroupId::OFFICIAL, name);
        let row = self.make(ChannelId::OFFICIAL, ChannelKind::Group(GroupId::OFFICIAL));
        if row.settings_at == Position(0) {
            row.channel.settings.name = name.to_owned();
        }
    }

    pub fn channel(&self, id: ChannelId) -> Option<Channel> {
        self.channels.get(&id).map(|row| row.channel.clone())
    }

    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values().map(|row| &row.channel)
    }

    pub fn heads(&self, ids: &[ChannelId]) -> Vec<(ChannelId, Head)> {
        let head = |row: &ChannelRow| {
            let Channel { head: position, access, floor, .. } = row.channel;
            Head { position, access, floor }
        };
        ids.iter().filter_map(|id| self.channels.get(id).map(|row| (*id, head(row)))).collect()
    }

    pub fn direct_channels(&self, user: &UserId) -> Vec<Channel> {
        let newest = self.channels.values().rev().map(|row| &row.channel);
        let has =
            |channel: &&Channel| matches!(&channel.kind, ChannelKind::Direct(users) if users.contains(user));
        newest.filter(has).take(DIRECT_CHANNELS_LIMIT).cloned().collect()
    }

    pub fn open_direct(&mut self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        let kind = ChannelKind::Direct(users.clone());
        if let Some(known) = self.channels().find(|channel| channel.kind == kind) {
            return Ok(known.clone());
        }
        if self.channels.contains_key(&id) {
            return Err(StoreError::Refused(format!("channel id {id} is taken")));
        }
        Ok(self.make(id, kind).channel.clone())
    }

    pub fn create_channel(&mut self, new: &NewChannel) -> Channel {
        let is_new = !self.channels.contains_key(&new.id);
        let version = self.groups.get(&new.group).map(|row| row.group.version);
        let channel = &mut self.make(new.id, ChannelKind::Group(new.group)).channel;
        if is_new {
            channel.settings = new.settings.clone();
            channel.overrides = new.overrides.clone();
            channel.access = version.unwrap_or_default();
        }
        channel.clone()
    }

    pub fn reserve(
        &mut self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        let Some(row) = self.channels.get_mut(&channel) else {
            return Err(StoreError::Refused(format!("there is no channel {channel}")));
        };
        let (head, count) = (row.channel.head.0, u64::from(wanted.count));
        let first_ms = now_ms.max(row.time_ms + 1);
        if wanted.last_message > 0 {
            row.channel.last_message = Position(head + u64::from(wanted.last_message));
        }
        row.channel.head = Position(head + count);
        row.time_ms = first_ms + count - 1;
        Ok(Reservation { first: Position(head + 1), first_ms, access: row.channel.access })
    }

    pub fn set_folded(&mut self, channel: ChannelId, position: Position) {
        if let Some(row) = self.channels.get_mut(&channel) {
            row.channel.folded = row.channel.folded.max(position);
        }
    }

    fn make(&mut self, id: ChannelId, kind: ChannelKind) -> &mut ChannelRow {
        self.channels.entry(id).or_insert_with(|| {
            let channel = Channel {
                id,
                kind,
                settings: ChannelSettings::default(),
                overrides: Vec::new(),
                revision: Revision::default(),
                access: AccessVersion(0),
                head: Position(0),
                last_message: Position(0),
                folded: Position(0),
                floor: Position(0),
            };
            ChannelRow { channel, time_ms: 0, settings_at: Position(0) }
        })
    }
}
