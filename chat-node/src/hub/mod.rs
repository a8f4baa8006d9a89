//! Who on this node hears what: rooms (channels that somebody here follows) and connections.

pub mod connections;
pub mod gate;
pub mod room;
pub mod send_queue;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use self::connections::{ConnectionId, Connections};
use self::room::Room;
use crate::ids::ChannelId;
use crate::limits::Limits;
use crate::store::ChannelKind;

/// Rooms and connections of this node.
#[derive(Debug)]
pub struct Hub {
    /// The connections.
    pub connections: Connections,
    rooms: RwLock<HashMap<ChannelId, Arc<Room>>>,
}

impl Hub {
    /// An empty hub.
    pub fn new(limits: Arc<Limits>) -> Self {
        Self { connections: Connections::new(limits), rooms: RwLock::default() }
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

    /// Makes a connection follow none of `channels` any more. Rooms that nobody follows end, but for the official one.
    pub fn leave(&self, connection: ConnectionId, channels: &[ChannelId]) {
        for id in channels {
            let Some(room) = self.room(*id) else { continue };
            room.leave(connection);
            if *id == ChannelId::OFFICIAL {
                continue;
            }
            let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
            let is_same = rooms.get(id).is_some_and(|current| Arc::ptr_eq(current, &room));
            if is_same && room.close_if_empty() {
                rooms.remove(id);
            }
        }
    }
}
