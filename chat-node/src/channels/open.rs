//! Opening: a room that begins where its channel's log stands.

use std::sync::Arc;

use super::Channels;
use crate::bus::Following;
use crate::hub::room::Room;
use crate::ids::{ChannelId, Position};
use crate::protocol::frame::UNREAD_MAX;
use crate::protocol::message::Entry;
use crate::store::{Channel, StoreError};

/// Entries per read.
const PER_READ: u16 = 200;
/// How far before the head the log may still have open positions: what all nodes together append at a time.
const UNSETTLED: u64 = 500;
/// Reads for one room. A channel that has grown by more meanwhile has a gap, which is filled as ever.
const READS: usize = 4;

impl Channels {
    /// Opens the room of the official channel, which stays open as long as the node runs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_official(self: &Arc<Self>) -> Result<(), StoreError> {
        let official = self.store.channel(ChannelId::OFFICIAL).await?;
        let official = official.ok_or_else(|| gone(ChannelId::OFFICIAL))?;
        self.open(&official, Position(0)).await.map(drop)
    }

    /// The room of a channel, opened if it was not; then it knows the last messages after `read`.
    pub(super) async fn open(
        self: &Arc<Self>,
        channel: &Channel,
        read: Position,
    ) -> Result<Arc<Room>, StoreError> {
        self.views.note_kind(channel.id, &channel.kind);
        let room = self.hub.room_or_new(channel.id, &channel.kind);
        room.opened.get_or_try_init(|| self.opening(&room, (channel, read))).await?;
        Ok(room)
    }

    pub(super) async fn open_by_id(self: &Arc<Self>, id: ChannelId) -> Result<Arc<Room>, StoreError> {
        if let Some(room) = self.hub.room(id).filter(|room| room.opened.initialized()) {
            return Ok(room);
        }
        let channel = self.store.channel(id).await?.ok_or_else(|| gone(id))?;
        self.open(&channel, channel.head).await
    }

    /// The channel may have been read a while ago: its access version only says what followers were checked under at
    /// least, and its log is read now.
    async fn opening(
        self: &Arc<Self>,
        room: &Arc<Room>,
        (channel, read): (&Channel, Position),
    ) -> Result<Following, StoreError> {
        // The room holds what comes from now on, so nothing falls between what is read and the first live entry.
        let following = Following::new(&self.bus, channel.id);
        let recalled = Position(channel.head.0.saturating_sub(UNREAD_MAX.into())).max(read);
        let begin = settled_at_least(channel).min(recalled).max(channel.floor);
        let entries = self.entries_since(channel.id, begin).await?;
        room.recall(begin, &entries);
        let passed = room.open(entries.last().map_or(begin, Entry::position), channel.access);
        self.passed(room, passed);
        self.repair_if_needed(channel, &entries);
        Ok(following)
    }

    /// The last position that has gone through a room, after a look at the store if that is before the one wanted: nobody
    /// here may have followed the channel until now. All up to it can be read, and what comes after it comes to who joins.
    pub(super) async fn reached(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Position,
    ) -> Result<Position, StoreError> {
        if room.last() < wanted { self.catch_up(room).await } else { Ok(room.last()) }
    }

    /// The last position up to which every one has an entry. Beyond it somebody may be about to store.
    pub(super) async fn settled(&self, channel: &Channel) -> Result<Position, StoreError> {
        let begin = settled_at_least(channel);
        let entries = self.entries_since(channel.id, begin).await?;
        Ok(entries.last().map_or(begin, Entry::position))
    }

    async fn entries_since(&self, channel: ChannelId, begin: Position) -> Result<Vec<Entry>, StoreError> {
        let (mut entries, mut after) = (Vec::new(), begin);
        for _ in 0..READS {
            let read = self.log.range(channel, after, PER_READ).await?;
            let is_full = read.len() == usize::from(PER_READ);
            after = read.last().map_or(after, Entry::position);
            entries.extend(read);
            if !is_full {
                break;
            }
        }
        Ok(entries)
    }
}

/// Up to here every position has an entry.
fn settled_at_least(channel: &Channel) -> Position {
    Position(channel.head.0.saturating_sub(UNSETTLED)).max(channel.folded).max(channel.floor)
}

fn gone(channel: ChannelId) -> StoreError {
    StoreError::Refused(format!("there is no channel {channel}"))
}
