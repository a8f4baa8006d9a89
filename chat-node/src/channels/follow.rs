//! Following: what a client has missed, from the log, then what happens, from the room, without a seam: a connection
//! joins the room only at the very position up to which it was read to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use super::{Channels, direct, official};
use crate::hub::connections::ConnectionId;
use crate::hub::room::{Join, Room};
use crate::hub::send_queue::SendQueue;
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::codec;
use crate::protocol::frame::ChannelView;
use crate::store::{Channel, ChannelKind, StoreError};

/// Entries per read.
const PER_READ: u16 = 200;
/// How far before the head the log may still have open positions: what all nodes together append at a time.
const UNSETTLED: u64 = 500;
/// Rooms that one sign-in opens at once.
const OPEN_AT_ONCE: usize = 8;
/// How often joining is tried before the client has to come back; only a channel that races away needs more.
const ATTEMPTS: usize = 1_000;

/// A connection that wants to follow a channel.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The connection.
    pub connection: ConnectionId,
    /// Its queue.
    pub queue: SendQueue,
}

impl Channels {
    /// The channels of `user`, with rooms for them on this node that are as far as the user's cursors.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_user(
        self: &Arc<Self>,
        user: &UserId,
        cursors: &BTreeMap<ChannelId, Position>,
    ) -> Result<Vec<ChannelView>, StoreError> {
        let official = self.store.channel(ChannelId::OFFICIAL).await?;
        let direct = self.store.direct_channels(user).await?;
        stream::iter(official.into_iter().chain(direct))
            .map(|channel| async move {
                let room = self.open(&channel).await?;
                let mut head = room.last();
                if cursors.get(&channel.id).is_some_and(|cursor| *cursor > head) {
                    // Another node was faster, or the cursor is none of this channel.
                    head = self.catch_up(&room).await?;
                }
                Ok(match &channel.kind {
                    ChannelKind::Group(_) => official::view(&channel.settings.name, head),
                    ChannelKind::Direct(users) => direct::view(channel.id, users, (user, head)),
                })
            })
            .buffered(OPEN_AT_ONCE)
            .try_collect()
            .await
    }

    /// Queues for a connection all that comes after a position: stored entries first, then live ones.
    ///
    /// # Errors
    /// [`StoreError`]; the connection may have got a part.
    pub async fn follow(
        self: &Arc<Self>,
        follower: &Follower,
        channel: ChannelId,
        after: Position,
    ) -> Result<(), StoreError> {
        let mut after = after;
        for _ in 0..ATTEMPTS {
            let room = self.open_by_id(channel).await?;
            match room.join(follower.connection, &follower.queue, after) {
                Join::Joined => return Ok(()),
                Join::Closed => {}
                Join::Behind(_) => after = self.replay(follower, channel, after).await?,
                Join::Ahead => after = after.min(self.catch_up(&room).await?),
            }
        }
        Err(StoreError::Unavailable("the channel grows faster than it can be read".to_owned()))
    }

    /// Opens the room of the official channel, which stays open as long as the node runs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_official(self: &Arc<Self>) -> Result<(), StoreError> {
        self.open_by_id(ChannelId::OFFICIAL).await.map(drop)
    }

    /// The room of a channel, opened if it was not.
    pub(super) async fn open(self: &Arc<Self>, channel: &Channel) -> Result<Arc<Room>, StoreError> {
        self.remember_kind(channel.id, &channel.kind);
        let room = self.hub.room_or_new(channel.id, &channel.kind);
        let opening = async {
            // The room holds what comes meanwhile, so nothing falls between this read and the first live entry.
            let head = self.store.channel(channel.id).await?.map_or(Position(0), |channel| channel.head);
            let settled = self.settled(channel.id, head).await?;
            let passed = room.open(settled);
            self.passed(&room, passed);
            Ok::<_, StoreError>(())
        };
        room.opened.get_or_try_init(|| opening).await?;
        Ok(room)
    }

    async fn open_by_id(self: &Arc<Self>, id: ChannelId) -> Result<Arc<Room>, StoreError> {
        if let Some(room) = self.hub.room(id).filter(|room| room.opened.initialized()) {
            return Ok(room);
        }
        match self.store.channel(id).await? {
            Some(channel) => self.open(&channel).await,
            None => Err(StoreError::Refused(format!("there is no channel {id}"))),
        }
    }

    /// The last position that has an entry, as have all before it. Beyond it somebody may be about to store.
    async fn settled(&self, channel: ChannelId, head: Position) -> Result<Position, StoreError> {
        let mut settled = Position(head.0.saturating_sub(UNSETTLED));
        while settled < head {
            let entries = self.log.range(channel, settled, PER_READ).await?;
            match entries.last() {
                Some(last) => settled = last.position(),
                None => break,
            }
        }
        Ok(settled)
    }

    /// Queues one read's worth of entries; gives the position of the last one.
    async fn replay(
        &self,
        follower: &Follower,
        channel: ChannelId,
        after: Position,
    ) -> Result<Position, StoreError> {
        let entries = self.log.range(channel, after, PER_READ).await?;
        let mut last = after;
        for entry in &entries {
            follower.queue.push_when_there_is_room(&codec::encode_entry(entry)).await;
            last = entry.position();
        }
        self.metrics.delivered.inc_by(entries.len() as u64);
        if entries.is_empty() {
            // Only a lagging replica of the store shows less than the room has had.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(last)
    }

    /// Brings a room up to what the store has now; gives its last position.
    async fn catch_up(self: &Arc<Self>, room: &Arc<Room>) -> Result<Position, StoreError> {
        while self.read_into(room, room.last()).await? > 0 {}
        Ok(room.last())
    }
}
