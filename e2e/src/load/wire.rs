//! The frames of the chat protocol, as far as a run needs them. Written down here apart from the server's own types on
//! purpose: a change of those must not go unnoticed.

mod memory;
mod read;
mod write;

use std::time::Duration;

use super::ledger::Place;
use super::message::MessageNumber;
use super::oracle::Entry;

pub use memory::Reader;
pub use read::digest;
pub use write::{HEARTBEAT, identify, send, typing};

/// What a server says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromServer {
    /// First frame of a connection.
    Hello { heartbeat: Duration, server: u16 },
    /// The user is signed in, and follows these channels.
    Ready(Vec<Head>),
    /// A message of this run is stored.
    Ack(MessageNumber, Place),
    /// An entry of a channel.
    Entry(u64, Entry),
    /// The user has a new channel.
    Begins(Head),
    /// The heartbeat was heard; all up to these positions was sent before.
    HeartbeatAck(Vec<Head>),
    /// Close and come back after the delay.
    Reconnect(Duration),
    /// A command was refused.
    Refused(Refusal),
    /// Somebody is writing.
    Typing,
    /// Nothing that matters here.
    Other,
}

/// A channel and a position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The channel's id.
    pub channel: u64,
    /// The last position.
    pub position: u64,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// The message that it is about, if one of this run.
    pub number: Option<MessageNumber>,
    /// To be tried again after this time.
    pub retry_after: Option<Duration>,
}

#[cfg(test)]
mod tests;
