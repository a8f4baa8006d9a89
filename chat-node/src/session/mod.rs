//! One client's session as a state machine without I/O: greeted → identifying → live → closed. It is the same for
//! every transport; [`Form`] says what the client can do.
//!
//! The driver (a file of `gateway`) alternates between two verbs:
//! 1. [`Session::poll`] until it gives `None`, and does each [`Output`] in order;
//! 2. waits for whatever comes first of a frame, a finished command, an order or [`Session::poll_timeout`], and
//!    hands it to [`Session::handle`].
//!
//! Only `handle` changes what `poll` and `poll_timeout` say. After [`Output::Close`] or [`Output::End`] nothing more
//! comes out. Events of channels do not pass through here: [`Output::Follow`] makes the hub put them, already encoded
//! and in order, into the connection's send queue.

mod commands;
mod form;
mod input;
mod orders;
mod output;
mod sends;
mod sign_in;
mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use commands::check;
pub use form::{Form, Request};
pub use input::{IdentifyRefusal, Input, Sent, Watched, Welcome};
pub use output::Output;
pub use timers::Wake;

use self::sends::Sends;
use self::timers::Timers;
use crate::error::{CloseReason, Problem};
use crate::ids::{ChannelId, ChannelSet, ServerId};
use crate::limits::{Bucket, Limits};
use crate::protocol::codec;
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::{Refusal, ServerFrame};

/// One client's session.
#[derive(Debug)]
pub struct Session {
    limits: Arc<Limits>,
    server_id: ServerId,
    form: Form,
    stage: Stage,
    timers: Timers,
    bucket: Bucket,
    refused_in_a_row: u32,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Stage {
    Greeted,
    Identifying { cursors: Cursors },
    Live(Live),
    Closed,
}

/// What a signed-in client is doing.
#[derive(Debug)]
struct Live {
    sends: Sends,
    following: ChannelSet,
    /// Those of `following` whose missed entries are not all queued yet.
    behind: ChannelSet,
    /// Fetches under way.
    fetches: usize,
    /// When the user was last said to be writing.
    typed: BTreeMap<ChannelId, Instant>,
}

impl Session {
    /// A connection that has just been made, to the node with this id.
    pub fn new(limits: Arc<Limits>, server_id: ServerId, now: Instant) -> Self {
        let mut session = Self::at(Stage::Greeted, Form::Dialogue, (limits, server_id));
        session.timers.set(Wake::IdentifyDeadline, now + session.limits.identify);
        let heartbeat_ms = milliseconds(session.limits.heartbeat);
        session.write(&ServerFrame::Hello { heartbeat_ms, server_id });
        session
    }

    /// A request that has just come, from a user whom the driver knows.
    pub fn requested(request: Request, limits: Arc<Limits>, server_id: ServerId) -> Self {
        let Request { form, cursors } = request;
        let stage = Stage::Identifying { cursors: cursors.clone() };
        let mut session = Self::at(stage, form, (limits, server_id));
        session.outputs.push_back(Output::Welcome(cursors));
        session
    }

    fn at(stage: Stage, form: Form, (limits, server_id): (Arc<Limits>, ServerId)) -> Self {
        let timers = Timers::default();
        let bucket = Bucket::per_minute(limits.commands_per_minute);
        let (refused_in_a_row, outputs) = (0, VecDeque::new());
        Self { limits, server_id, form, stage, timers, bucket, refused_in_a_row, outputs }
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
            Input::Fetched { fetch, result } => self.fetched(fetch, result),
            Input::Refused(problem) => self.refuse(&problem, None),
            Input::Introduced(channel) => self.introduced(&channel),
            Input::Withdrawn(channel) => self.withdrawn(channel),
            Input::Reconnect(delay) => self.reconnect(delay, now),
            Input::Followed(channel) => self.followed(channel, now),
            Input::FollowFailed => self.close(CloseReason::Unavailable),
            Input::Overflow => self.close(CloseReason::Slow),
            Input::Timeout => self.timeout(now),
        }
    }

    /// What to do next; `None`: wait.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() {
            // Most sessions are idle; the room for the outputs of their beginning is not theirs for ever.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to hand in [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.timers.next()
    }

    /// Whether orders can be handed in; while the client is being identified they must wait.
    pub fn takes_orders(&self) -> bool {
        !matches!(self.stage, Stage::Identifying { .. })
    }

    fn timeout(&mut self, now: Instant) {
        let Some(wake) = self.timers.expired(now) else { return };
        match wake {
            Wake::IdentifyDeadline => self.close(CloseReason::IdentifyTimeout),
            Wake::HeartbeatDeadline => self.close(CloseReason::HeartbeatTimeout),
            Wake::TokenExpiry => self.close(CloseReason::TokenExpired),
            Wake::Restart => self.close(CloseReason::Restart),
            Wake::PollEnd => self.end(),
        }
    }

    fn write(&mut self, frame: &ServerFrame<'_>) {
        self.outputs.push_back(Output::Write(codec::encode(frame)));
    }

    fn refuse(&mut self, problem: &Problem, nonce: Option<&str>) {
        let retry_after_ms = problem.retry_after.map(|after| milliseconds(after).max(1));
        let refusal = Refusal { code: problem.code, message: &problem.message, nonce, retry_after_ms };
        self.write(&ServerFrame::Error(refusal));
    }

    fn end(&mut self) {
        self.finish(Output::End);
    }

    fn close(&mut self, reason: CloseReason) {
        self.finish(Output::Close(reason));
    }

    fn finish(&mut self, output: Output) {
        self.stage = Stage::Closed;
        self.timers = Timers::default();
        self.outputs.push_back(output);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
