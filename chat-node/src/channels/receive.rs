//! What comes over the bus, and what this node stores itself: into the rooms.

use std::sync::Arc;

use super::Channels;
use crate::bus::{Envelope, Notice, Received, Topic};
use crate::hub::room::{Passed, Room};
use crate::ids::Position;
use crate::protocol::message::Entry;
use crate::store::ChannelKind;

impl Channels {
    /// Takes in what came over the bus.
    pub fn receive(self: &Arc<Self>, received: Received) {
        match received {
            Received::Envelope(envelope) => {
                self.metrics.received.inc();
                self.receive_notice(envelope);
            }
            Received::Listening(topics) => self.listening(topics),
            Received::Connected => {
                self.compare_soon(self.hub.rooms());
                self.introduce_missed_soon(self.hub.connections.users());
            }
        }
    }

    fn listening(self: &Arc<Self>, topics: Vec<Topic>) {
        let mut users = Vec::new();
        let mut rooms: Vec<Arc<Room>> = Vec::new();
        for topic in topics {
            match topic {
                Topic::User(user) => users.push(user),
                Topic::Channel(channel) => rooms.extend(self.hub.room(channel)),
            }
        }
        let concerned = |room: &Arc<Room>| match &room.kind {
            ChannelKind::Group(_) => false,
            ChannelKind::Direct(members) => members.iter().any(|member| users.contains(member)),
        };
        rooms.extend(self.hub.rooms().into_iter().filter(concerned));
        self.compare_soon(rooms);
        self.introduce_missed_soon(users);
    }

    fn receive_notice(self: &Arc<Self>, envelope: Envelope) {
        match envelope.notice {
            Notice::Message { message, users } => {
                if let Some(users) = users {
                    // Who has not heard of the channel yet follows it from just before this message.
                    let before = Position(message.position.0.saturating_sub(1));
                    self.introduce(message.channel_id, &users, before);
                }
                self.receive_entry(Entry::Message(message));
            }
            Notice::DirectOpened { channel_id, users } => self.introduce(channel_id, &users, Position(0)),
            Notice::Typing { from, .. } if from == self.ids.server_id() => {}
            Notice::Typing { channel_id, user_id, .. } => self.announce_typing(channel_id, &user_id),
            Notice::Presence(_) | Notice::Probe { .. } => {}
        }
    }

    /// Lets an entry into its room, if this node has one.
    pub(super) fn receive_entry(self: &Arc<Self>, entry: Entry) {
        if let Some(room) = self.hub.room(entry.channel()) {
            let passed = room.receive(entry);
            self.passed(&room, passed);
        }
    }

    /// Counts what went through a gate, and begins to fill what is missing.
    pub(super) fn passed(self: &Arc<Self>, room: &Arc<Room>, passed: Passed) {
        self.metrics.delivered.inc_by(passed.deliveries as u64);
        if passed.begin_fill {
            self.fill_soon(room);
        }
    }
}
