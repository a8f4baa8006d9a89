//! What a session hears from its driver.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::error::Problem;
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::frame::{ChannelView, Fetch};
use crate::protocol::message::{Entry, Message, User};

/// What can happen to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// A text frame came.
    Text(&'a str),
    /// A frame that is not text came.
    Binary,
    /// A frame came that is larger than [`Limits::frame_bytes`](crate::limits::Limits::frame_bytes).
    Oversize,
    /// [`Output::Identify`](super::Output::Identify) or [`Output::Welcome`](super::Output::Welcome) is done.
    Identified(Result<Welcome, IdentifyRefusal>),
    /// [`Output::Send`](super::Output::Send) is done.
    Sent {
        /// The message's nonce.
        nonce: String,
        /// What became of it.
        result: Result<Sent, Problem>,
    },
    /// [`Output::Fetch`](super::Output::Fetch) is done.
    Fetched {
        /// What was asked for.
        fetch: Fetch,
        /// The entries, or why there are none.
        result: Result<Vec<Entry>, Problem>,
    },
    /// Something that was to be done without an answer is refused.
    Refused(Problem),
    /// The user has a channel that this connection may not know; what comes after its head is new to the user.
    Introduced(ChannelView),
    /// The user has a channel no more.
    Withdrawn(ChannelId),
    /// The client shall go elsewhere after this time.
    Reconnect(Duration),
    /// [`Output::Follow`](super::Output::Follow) is done: what was missed is queued, and what happens follows it.
    Followed(ChannelId),
    /// [`Output::Follow`](super::Output::Follow) could not be done.
    FollowFailed,
    /// The client does not read fast enough.
    Overflow,
    /// The instant of [`Session::poll_timeout`](super::Session::poll_timeout) has come.
    Timeout,
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
    /// The user has [`Limits::connections_per_user`](crate::limits::Limits::connections_per_user) connections already.
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

impl Sent {
    /// What the author of a message is told.
    pub fn of(message: &Message) -> Self {
        Self { id: message.id, position: message.position }
    }
}

/// Users that a connection wants to hear of.
pub type Watched = BTreeSet<UserId>;
