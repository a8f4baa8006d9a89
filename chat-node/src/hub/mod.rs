//! Who on this node hears what: rooms (channels that somebody here follows) and connections.

pub mod connections;
pub mod gate;
pub mod room;
pub mod send_queue;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock};

use self::connections::{ConnectionId, Connections};
use self::room::Room;
use self::send_queue::Flusher;
use crate::ids::{ChannelId, GroupId};
use crate::limits::Limits;
use crate::store::ChannelKind;

/// Rooms and connections of this node.
#[derive(Debug)]
pub struct Hub {
    /// The connections.
    pub connections: Connections,
    flushers: Vec<Arc<Flusher>>,
    rooms: RwLock<BTreeMap<ChannelId, Arc<Room>>>,
}

impl Hub {
    /// An empty hub.
    pub fn new(limits: Arc<Limits>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let flushers = (0..threads).map(|_| Arc::default()).collect();
        Self { connections: Connections::new(limits), flushers, rooms: RwLock::default() }
    }

    /// Those who write for connections; somebody must let each of them run.
    pub fn flushers(&self) -> &[Arc<Flusher>] {
        &self.flushers
    }

    /// The one who writes for a connection.
    pub fn flusher(&self, connection: ConnectionId) -> Arc<Flusher> {
        let number = connection.0 % self.flushers.len() as u64;
        Arc::clone(&self.flushers[number as usize])
    }

    /// The room of a channel, if there is one.
    pub fn room(&self, id: ChannelId) -> Option<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The room of a channel, made if there is none.
    pub fn room_or_new(&self, id: ChannelId, kind: &ChannelKind) -> Arc<Room> {
        if let Some(room) = self.room(id) {
            return room;
        }
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rooms.entry(id).or_insert_with(|| Arc::new(Room::new(id, kind.clone()))))
    }

    /// Every room.
    pub fn rooms(&self) -> Vec<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The rooms of a group's channels.
    pub fn rooms_of(&self, group: GroupId) -> Vec<Arc<Room>> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let of_group = rooms.values().filter(|room| room.kind == ChannelKind::Group(group));
        of_group.cloned().collect()
    }

    /// Makes a connection follow none of `channels` any more. A room that nobody follows stays until the next sweep:
    /// a client that polls, or whose connection broke, is back at once.
    pub fn leave<'a>(&self, connection: ConnectionId, channels: impl IntoIterator<Item = &'a ChannelId>) {
        for id in channels {
            if let Some(room) = self.room(*id) {
                room.leave(connection);
            }
        }
    }

    /// Ends the rooms that nobody follows, but for the official one. Who is about to join such a room finds it closed
    /// and opens it again.
    pub fn sweep(&self) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|id, room| *id == ChannelId::OFFICIAL || !room.close_if_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::room::Follower;
    use super::send_queue::send_queue;
    use super::*;
    use crate::ids::{AccessVersion, Position};

    const NONE: AccessVersion = AccessVersion(0);

    fn follower() -> Follower {
        let (queue, _reader) = send_queue(100);
        Follower { connection: ConnectionId(1), user: "ada".parse().unwrap(), queue }
    }

    #[test]
    fn rooms_end_with_their_last_follower_but_the_official_one_stays() {
        let hub = Hub::new(Arc::new(Limits::default()));
        let direct = ChannelId(7);
        for id in [ChannelId::OFFICIAL, direct] {
            let room = hub.room_or_new(id, &ChannelKind::Group(GroupId::OFFICIAL));
            room.open(Position(0), NONE);
            room.join(&follower(), Position(0), NONE);
        }
        hub.sweep();
        assert_eq!(hub.rooms().len(), 2);
        hub.leave(ConnectionId(1), &[ChannelId::OFFICIAL, direct]);
        hub.sweep();
        assert!(hub.room(direct).is_none() && hub.room(ChannelId::OFFICIAL).is_some());
    }

    #[test]
    fn a_room_that_nobody_joined_is_swept_and_whoever_holds_it_finds_it_closed() {
        let hub = Hub::new(Arc::new(Limits::default()));
        let room = hub.room_or_new(ChannelId(7), &ChannelKind::Group(GroupId::OFFICIAL));
        room.open(Position(0), NONE);
        hub.sweep();
        assert_eq!(room.join(&follower(), Position(0), NONE), room::Join::Closed);
        assert!(hub.room(ChannelId(7)).is_none());
    }
}
