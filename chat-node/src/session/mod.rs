//! One client's connection as a state machine without I/O: greeted → identifying → live → closed.
//!
//! The driver (a file of `gateway`) alternates between two verbs:
//! 1. [`Session::poll`] until it gives `None`, and does each [`Output`] in order;
//! 2. waits for whatever comes first of a frame, a finished command, an order or [`Session::poll_timeout`], and
//!    hands it to [`Session::handle`].
//!
//! Only `handle` changes what `poll` and `poll_timeout` say. After [`Output::Close`] nothing more comes out.
//! Events of channels do not pass through here: [`Output::Follow`] makes the hub put them, already encoded and in
//! order, into the connection's send queue.

mod commands;
mod sends;
mod timers;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use timers::Wake;

use self::sends::Sends;
use self::timers::Timers;
use crate::error::{CloseReason, ErrorCode, Problem};
use crate::ids::{ChannelId, MessageId, Position, ServerId};
use crate::limits::{Bucket, Limits};
use crate::protocol::codec::{self, Encoded};
use crate::protocol::frame::{ChannelView, Draft, Event, Identify, Refusal, ServerFrame};
use crate::protocol::message::User;

/// What can happen to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// A text frame came.
    Text(&'a str),
    /// A frame that is not text came.
    Binary,
    /// A frame came that is larger than [`Limits::frame_bytes`].
    Oversize,
    /// [`Output::Identify`] is done.
    Identified(Result<Welcome, IdentifyRefusal>),
    /// [`Output::Send`] is done.
    Sent {
        /// The message's nonce.
        nonce: String,
        /// What became of it.
        result: Result<Sent, Problem>,
    },
    /// The user has a channel that this connection may not know.
    Introduced(Introduction),
    /// The client shall go elsewhere after this time.
    Reconnect(Duration),
    /// [`Output::Follow`] could not be done.
    FollowFailed,
    /// The client does not read fast enough.
    Overflow,
    /// The instant of [`Session::poll_timeout`] has come.
    Timeout,
}

/// What the driver has to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Write a frame.
    Write(Encoded),
    /// Check the token and gather the user's channels, each with a head that is not before the cursor unless the
    /// cursor is beyond the channel's end; answer with [`Input::Identified`].
    Identify(Identify),
    /// Append and publish; answer with [`Input::Sent`].
    Send(Draft),
    /// Queue what comes after a position of a channel, stored entries first, then live ones.
    Follow {
        /// The channel.
        channel: ChannelId,
        /// The position.
        after: Position,
    },
    /// Close the connection.
    Close(CloseReason),
}

/// What a client needs to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// Who it is.
    pub user: User,
    /// When its token ends.
    pub expires: Instant,
    /// Its channels.
    pub channels: Vec<ChannelView>,
}

/// Why a client is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentifyRefusal {
    /// The token is not good, for this reason.
    BadToken(String),
    /// The user has [`Limits::connections_per_user`] connections already.
    TooManyConnections,
    /// The store does not answer.
    Unavailable,
}

/// A stored message as its author is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: MessageId,
    /// Its place in the channel's log.
    pub position: Position,
}

/// A channel that a connection should follow from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The channel as the connection's user sees it.
    pub channel: ChannelView,
    /// What comes after this position is new to the user.
    pub after: Position,
}

/// One client's connection.
#[derive(Debug)]
pub struct Session {
    limits: Arc<Limits>,
    server_id: Option<ServerId>,
    stage: Stage,
    timers: Timers,
    bucket: Bucket,
    refused_in_a_row: u32,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Stage {
    Greeted,
    Identifying { cursors: BTreeMap<ChannelId, Position> },
    Live { sends: Sends, following: HashSet<ChannelId> },
    Closed,
}

impl Session {
    /// A connection that has just been made, to the node with this id.
    pub fn new(limits: Arc<Limits>, server_id: Option<ServerId>, now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set(Wake::IdentifyDeadline, now + limits.identify);
        let bucket = Bucket::per_minute(limits.commands_per_minute);
        let mut session = Self {
            limits,
            server_id,
            stage: Stage::Greeted,
            timers,
            bucket,
            refused_in_a_row: 0,
            outputs: VecDeque::new(),
        };
        let heartbeat_ms = u64::try_from(session.limits.heartbeat.as_millis()).unwrap_or(u64::MAX);
        session.write(&ServerFrame::Hello { heartbeat_ms, server_id });
        session
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        match input {
            Input::Text(text) => self.text(text, now),
            Input::Binary => self.close(CloseReason::NotText),
            Input::Oversize => self.close(CloseReason::TooLarge),
            Input::Identified(result) => self.identified(result, now),
            Input::Sent { nonce, result } => self.sent(&nonce, result),
            Input::Introduced(introduction) => self.introduced(&introduction),
            Input::Reconnect(delay) => self.reconnect(delay, now),
            Input::FollowFailed => self.close(CloseReason::Unavailable),
            Input::Overflow => self.close(CloseReason::Slow),
            Input::Timeout => self.timeout(now),
        }
    }

    /// What to do next; `None`: wait.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.timers.next()
    }

    /// Whether orders of the node make sense now; while they do not, they shall wait.
    pub fn takes_orders(&self) -> bool {
        !matches!(self.stage, Stage::Identifying { .. })
    }

    fn identified(&mut self, result: Result<Welcome, IdentifyRefusal>, now: Instant) {
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

    fn begin(&mut self, welcome: &Welcome, cursors: &BTreeMap<ChannelId, Position>, now: Instant) {
        self.timers.clear(Wake::IdentifyDeadline);
        self.timers.set(Wake::HeartbeatDeadline, now + self.limits.heartbeat * 2);
        self.timers.set(Wake::TokenExpiry, welcome.expires);
        let (user, channels) = (&welcome.user, welcome.channels.as_slice());
        self.write(&ServerFrame::Ready { server_id: self.server_id, user, channels });
        for channel in channels {
            // A cursor beyond the head would hear nothing until the channel has come so far.
            let after = cursors.get(&channel.id).map_or(channel.head, |cursor| channel.head.min(*cursor));
            self.outputs.push_back(Output::Follow { channel: channel.id, after });
        }
        let following = channels.iter().map(|channel| channel.id).collect();
        self.stage = Stage::Live { sends: Sends::new(self.limits.pending_sends), following };
    }

    fn introduced(&mut self, introduction: &Introduction) {
        let Stage::Live { following, .. } = &mut self.stage else { return };
        let channel = &introduction.channel;
        if following.insert(channel.id) {
            self.write(&ServerFrame::Event(Event::ChannelCreate { channel }));
            self.outputs.push_back(Output::Follow { channel: channel.id, after: introduction.after });
        }
    }

    fn reconnect(&mut self, delay: Duration, now: Instant) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.write(&ServerFrame::Reconnect { delay_ms });
        self.timers.set(Wake::Restart, now + delay + timers::RECONNECT_GRACE);
    }

    fn timeout(&mut self, now: Instant) {
        let Some(wake) = self.timers.expired(now) else { return };
        self.close(match wake {
            Wake::IdentifyDeadline => CloseReason::IdentifyTimeout,
            Wake::HeartbeatDeadline => CloseReason::HeartbeatTimeout,
            Wake::TokenExpiry => CloseReason::TokenExpired,
            Wake::Restart => CloseReason::Restart,
        });
    }

    fn write(&mut self, frame: &ServerFrame<'_>) {
        self.outputs.push_back(Output::Write(codec::encode(frame)));
    }

    fn refuse(&mut self, problem: &Problem, nonce: Option<&str>) {
        let retry_after_ms =
            problem.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1));
        let refusal = Refusal { code: problem.code, message: &problem.message, nonce, retry_after_ms };
        self.write(&ServerFrame::Error(refusal));
    }

    fn close(&mut self, reason: CloseReason) {
        self.stage = Stage::Closed;
        self.timers = Timers::default();
        self.outputs.push_back(Output::Close(reason));
    }
}

#[cfg(test)]
mod tests;
