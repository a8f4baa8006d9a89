//! What the node tells a session, and what becomes of the channels that it follows.

use std::time::{Duration, Instant};

use super::timers::{RECONNECT_GRACE, Wake};
use super::{Form, Output, Session, Stage, milliseconds};
use crate::ids::ChannelId;
use crate::protocol::codec;
use crate::protocol::frame::{ChannelView, Event, ServerFrame};

impl Session {
    pub(super) fn introduced(&mut self, channel: &ChannelView) {
        let Stage::Live(live) = &mut self.stage else { return };
        if live.following.insert(channel.id) {
            live.behind.insert(channel.id);
            self.queue(&ServerFrame::Event(Event::ChannelCreate { channel }));
            self.outputs.push_back(Output::Follow { channel: channel.id, after: channel.head });
        }
    }

    pub(super) fn withdrawn(&mut self, channel: ChannelId) {
        let Stage::Live(live) = &mut self.stage else { return };
        if live.following.remove(channel) {
            live.behind.remove(channel);
            live.typed.remove(&channel);
            self.outputs.push_back(Output::Unfollow(channel));
            // Behind what was queued of the channel before, and before what may be queued if it comes back.
            self.queue(&ServerFrame::Event(Event::ChannelDelete { channel_id: channel }));
        }
    }

    pub(super) fn followed(&mut self, channel: ChannelId, now: Instant) {
        let Stage::Live(live) = &mut self.stage else { return };
        live.behind.remove(channel);
        self.wait_if_up_to_date(now);
    }

    pub(super) fn reconnect(&mut self, delay: Duration, now: Instant) {
        self.write(&ServerFrame::Reconnect { delay_ms: milliseconds(delay) });
        match self.form {
            Form::Poll(_) => self.end(),
            Form::Dialogue | Form::Stream => self.timers.set(Wake::Restart, now + delay + RECONNECT_GRACE),
        }
    }

    fn queue(&mut self, frame: &ServerFrame<'_>) {
        self.outputs.push_back(Output::Queue(codec::encode(frame)));
    }
}
