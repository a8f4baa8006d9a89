//! What a session wants done: at once, or as work whose end it hears of.

use std::sync::Arc;

use super::super::sign_in::welcome;
use super::super::transport::{Fed, Transport};
use super::super::work::Finished;
use super::{Driver, End, now};
use crate::auth::Identity;
use crate::channels::follow::Follower;
use crate::ids::{ChannelId, Position};
use crate::protocol::codec;
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::{Draft, Fetch, Identify, ServerFrame};
use crate::protocol::message::User;
use crate::session::{IdentifyRefusal, Output, Sent, Watched};

/// What is to be done next.
pub(super) enum Next {
    /// There are no more outputs: write what was fed, and wait for what happens.
    Wait,
    /// Write what was fed; then go on.
    Write,
    /// The answer is complete with what is queued.
    Complete,
}

impl Driver {
    /// Does outputs until there is none, or something else must be done first.
    pub(super) fn do_outputs(&mut self, transport: &mut impl Transport) -> Result<Next, End> {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Write(frame) => {
                    if transport.feed(frame) == Fed::Full {
                        return Ok(Next::Write);
                    }
                }
                Output::Queue(frame) => self.queue.push(&frame),
                Output::Identify(identify) => self.identify(identify),
                Output::Welcome(cursors) => self.welcome_caller(cursors),
                Output::Send(draft) => self.send(draft),
                Output::Cursors(cursors) => transport.begin(cursors),
                Output::Follow { channel, after } => self.follow(channel, after),
                Output::Unfollow(channel) => self.unfollow(channel),
                Output::Fetch(fetch) => self.fetch(fetch),
                Output::AcknowledgeHeartbeat => self.acknowledge_heartbeat(),
                Output::Typing(channel) => self.typing(channel),
                Output::MarkRead { channel, position } => self.mark_read(channel, position),
                Output::Watch(users) => self.watch(users),
                Output::End => return Ok(Next::Complete),
                Output::Close(reason) => return Err(End::Closed(reason)),
            }
        }
        Ok(Next::Wait)
    }

    fn identify(&mut self, identify: Identify) {
        let tokens = Arc::clone(&self.gateway.tokens);
        self.work.push(async move {
            let cursors = Cursors(identify.cursors);
            Finished::Verified { cursors, result: tokens.identify(&identify.token).await }
        });
    }

    fn welcome_caller(&mut self, cursors: Cursors) {
        match self.caller.take() {
            Some(identity) => self.welcome(identity, cursors),
            None => self.refuse(IdentifyRefusal::BadToken("there is none".to_owned())),
        }
    }

    pub(super) fn welcome(&mut self, identity: Identity, cursors: Cursors) {
        if self.place.sign_in(&identity.user.id).is_err() {
            return self.refuse(IdentifyRefusal::TooManyConnections);
        }
        let (gateway, whose) = (Arc::clone(&self.gateway), (self.place.connection, identity));
        self.work.push(async move { Finished::Identified(welcome(&gateway, whose, &cursors, now()).await) });
    }

    fn refuse(&mut self, refusal: IdentifyRefusal) {
        self.work.push(std::future::ready(Finished::Identified(Err(refusal))));
    }

    fn send(&mut self, draft: Draft) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move {
            let nonce = draft.nonce.clone();
            let result = channels.send(&user, draft).await.map(|message| Sent::of(&message));
            Finished::Sent { nonce, result }
        });
    }

    fn follow(&mut self, channel: ChannelId, after: Position) {
        self.place.follows(channel);
        let channels = Arc::clone(&self.gateway.channels);
        let Some(User { id: user, .. }) = self.user.clone() else { return };
        let follower = Follower { connection: self.place.connection, user, queue: self.queue.clone() };
        self.work.push_follow(channel, async move { channels.follow(&follower, channel, after).await });
    }

    fn unfollow(&mut self, channel: ChannelId) {
        self.work.break_off(channel);
        self.place.leaves(channel);
        if !self.watched.is_empty() {
            // It may have been what let the user know of some of them.
            self.watch(self.watched.clone());
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work
            .push(async move { Finished::Fetched { fetch, result: channels.fetch(&user.id, fetch).await } });
    }

    fn acknowledge_heartbeat(&self) {
        let heads = self.place.heads();
        self.queue.push(&codec::encode(&ServerFrame::HeartbeatAck { heads: &heads }));
    }

    fn typing(&mut self, channel: ChannelId) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move { Finished::Silent(channels.typing(&user.id, channel).await) });
    }

    fn mark_read(&mut self, channel: ChannelId, position: Position) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move {
            Finished::Silent(channels.mark_read(&user.id, channel, position).await.map(drop))
        });
    }

    fn watch(&mut self, users: Watched) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move { Finished::Watched(channels.acquaintances(&user.id, users).await) });
    }

    pub(super) fn watched(&mut self, users: Watched) {
        self.gateway.presence.watch(self.place.connection, &self.queue, &users);
        self.watched = users;
    }
}
