//! From a known user to a live session.

use std::collections::BTreeMap;
use std::time::Instant;

use super::sends::Sends;
use super::timers::Wake;
use super::{Form, IdentifyRefusal, Live, Output, Session, Stage, Welcome};
use crate::error::{CloseReason, ErrorCode, Problem};
use crate::ids::{ChannelSet, Position};
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::{ChannelView, Event, Identify, ServerFrame};

impl Session {
    pub(super) fn identify(&mut self, identify: Identify) {
        if !matches!(self.stage, Stage::Greeted) {
            return self.close(CloseReason::AlreadyIdentified);
        }
        self.stage = Stage::Identifying { cursors: Cursors(identify.cursors.clone()) };
        // From now on the client waits for the node, not the other way round.
        self.timers.clear(Wake::IdentifyDeadline);
        self.outputs.push_back(Output::Identify(identify));
    }

    pub(super) fn identified(&mut self, result: Result<Welcome, IdentifyRefusal>, now: Instant) {
        let Stage::Identifying { cursors } = &mut self.stage else { return };
        let cursors = std::mem::take(cursors);
        match result {
            Ok(welcome) => self.begin(&welcome, &cursors, now),
            Err(IdentifyRefusal::BadToken(reason)) => {
                let message = format!("the token is refused: {reason}");
                self.refuse(&Problem::new(ErrorCode::Unauthorized, message), None);
                self.close(CloseReason::BadToken);
            }
            Err(IdentifyRefusal::TooManyConnections) => self.close(CloseReason::TooManyConnections),
            Err(IdentifyRefusal::Unavailable) => self.close(CloseReason::Unavailable),
        }
    }

    fn begin(&mut self, welcome: &Welcome, cursors: &Cursors, now: Instant) {
        if self.form == Form::Dialogue {
            self.timers.set(Wake::HeartbeatDeadline, now + self.limits.heartbeat * 2);
        }
        self.timers.set(Wake::TokenExpiry, welcome.expires);
        let channels = welcome.channels.as_slice();
        let polls_again = matches!(self.form, Form::Poll(_)) && !cursors.0.is_empty();
        if polls_again {
            self.tell_what_changed(channels, cursors);
        } else {
            self.tell_all(welcome, cursors);
        }
        let follow =
            |channel: &ChannelView| Output::Follow { channel: channel.id, after: after(channel, cursors) };
        self.outputs.extend(channels.iter().map(follow));
        let following: ChannelSet = channels.iter().map(|channel| channel.id).collect();
        let sends = Sends::new(self.limits.pending_sends);
        let behind = following.clone();
        self.stage = Stage::Live(Live { sends, following, behind, fetches: 0, typed: BTreeMap::new() });
        self.wait_if_up_to_date(now);
    }

    fn tell_all(&mut self, welcome: &Welcome, cursors: &Cursors) {
        let channels = welcome.channels.as_slice();
        if self.form != Form::Dialogue {
            // None of what is gone, or they would grow for ever.
            let begun = channels.iter().map(|channel| (channel.id, after(channel, cursors)));
            self.outputs.push_back(Output::Cursors(Cursors(begun.collect())));
        }
        self.write(&ServerFrame::Ready { server_id: self.server_id, user: &welcome.user, channels });
    }

    /// A client that polls was told of its channels by its first poll. Its cursors say which ones those are.
    fn tell_what_changed(&mut self, channels: &[ChannelView], cursors: &Cursors) {
        let mut begun = cursors.clone();
        for channel in channels {
            begun.0.entry(channel.id).and_modify(|cursor| *cursor = channel.head.min(*cursor));
        }
        self.outputs.push_back(Output::Cursors(begun));
        for channel in channels.iter().filter(|channel| !cursors.0.contains_key(&channel.id)) {
            self.write(&ServerFrame::Event(Event::ChannelCreate { channel }));
        }
        let known: ChannelSet = channels.iter().map(|channel| channel.id).collect();
        for channel_id in cursors.0.keys().copied().filter(|id| !known.contains(*id)) {
            self.write(&ServerFrame::Event(Event::ChannelDelete { channel_id }));
        }
    }

    /// The wait of a poll begins when all that was missed is queued.
    pub(super) fn wait_if_up_to_date(&mut self, now: Instant) {
        let Form::Poll(wait) = self.form else { return };
        if matches!(&self.stage, Stage::Live(live) if live.behind.is_empty()) {
            self.timers.set_once(Wake::PollEnd, now + wait);
        }
    }
}

/// Where a channel begins for the client. A cursor beyond the head would hear nothing until the channel has come so far.
fn after(channel: &ChannelView, cursors: &Cursors) -> Position {
    cursors.0.get(&channel.id).map_or(channel.head, |cursor| channel.head.min(*cursor))
}
