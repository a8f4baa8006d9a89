//! What comes over the bus, and what this node stores itself: into the rooms.

use std::sync::Arc;
use std::time::Duration;

use super::Channels;
use super::send::now;
use crate::bus::{Envelope, Notice, Received};
use crate::hub::room::{Passed, Room};
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::codec;
use crate::protocol::frame::{Event, ServerFrame};
use crate::protocol::message::Entry;

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
                // Changes of groups may have been missed too.
                self.views.flush();
                self.compare_soon(self.hub.rooms());
                self.introduce_missed_soon(self.hub.connections.users());
            }
        }
    }

    fn receive_notice(self: &Arc<Self>, envelope: Envelope) {
        match envelope.notice {
            Notice::Entry { entry, access, users } => {
                let entry = entry.under(access);
                if let Some(users) = users {
                    self.introduce_spoken_in(&entry, users);
                }
                self.receive_entry(entry);
            }
            Notice::DirectOpened { channel_id, users } => {
                self.introduce_direct(channel_id, &users, Position(0));
            }
            Notice::GroupChanged { group_id, version, users } => {
                self.hear_of_change(group_id, version);
                self.introduce_gained_soon(group_id, version, users);
            }
            Notice::Read { user, channel_id, position } => self.tell_read(&user, (channel_id, position)),
            Notice::Typing { from, .. } if from == self.ids.server_id() => {}
            Notice::Typing { channel_id, user_id, .. } => self.announce_typing(channel_id, &user_id),
            Notice::Presence(_) | Notice::Probe { .. } => {}
        }
    }

    fn tell_read(&self, user: &UserId, (channel_id, position): (ChannelId, Position)) {
        let read = codec::encode(&ServerFrame::Event(Event::Read { channel_id, position }));
        self.hub.connections.tell(user, &read);
    }

    /// Lets an entry into its room, if this node has one.
    pub(super) fn receive_entry(self: &Arc<Self>, entry: Entry) {
        if let Some(room) = self.hub.room(entry.channel()) {
            self.seen(&entry);
            let age = self.age(&entry);
            let passed = room.receive(entry);
            if let Some(age) = age.filter(|_| passed.deliveries > 0) {
                self.metrics.delivery_seconds.observe(age.as_secs_f64());
            }
            self.passed(&room, passed);
        }
    }

    /// Notes for slow mode that an author has written.
    pub(super) fn seen(&self, entry: &Entry) {
        let Entry::Message(message) = entry else { return };
        let seconds = self.views.slow_mode_s(message.channel_id);
        if seconds > 0 {
            let whose = (message.channel_id, &message.author.id);
            let when = (Duration::from_secs(seconds.into()), now());
            self.slow_mode().see(whose, &message.nonce, when);
        }
    }

    /// How long ago a message was written, by the store's clock.
    fn age(&self, entry: &Entry) -> Option<Duration> {
        let Entry::Message(message) = entry else { return None };
        let now_ms = self.ids.store_time()?.now_ms(tokio::time::Instant::now());
        Some(Duration::from_millis(now_ms.saturating_sub(message.timestamp_ms)))
    }

    /// Counts what went through a gate, and begins to fill what is missing and to check who listens.
    pub(super) fn passed(self: &Arc<Self>, room: &Arc<Room>, passed: Passed) {
        self.metrics.delivered.inc_by(passed.deliveries as u64);
        if passed.begin_fill {
            self.fill_soon(room);
        }
        if passed.begin_check {
            self.check_soon(room);
        }
    }
}
