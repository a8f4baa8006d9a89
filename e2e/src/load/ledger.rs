//! What was sent, and what came of it.

use std::time::Duration;

use super::cast::{RoomNumber, UserNumber};
use super::message::MessageNumber;

/// Where the service put a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The message's id.
    pub id: u64,
    /// Its position in the channel.
    pub position: u64,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where to.
    pub room: RoomNumber,
    /// By whom.
    pub author: UserNumber,
    /// When it was to be sent, counted from the begin of the traffic.
    pub due: Duration,
    /// The server that it was given to last; absent as long as the author had no connection.
    pub server: Option<u16>,
    /// What was acknowledged.
    pub ack: Option<Place>,
    /// Where it was seen first.
    pub seen: Option<u64>,
    /// When it came to the last of those that got it while it was new, likewise.
    pub last_arrival: Duration,
}

/// All messages of a run by their numbers.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Vec<Sent>,
}

impl Ledger {
    /// Notes a message that is to be sent; its number.
    pub fn note(&mut self, due: Duration, (room, author): (RoomNumber, UserNumber)) -> MessageNumber {
        let number = MessageNumber(self.sent.len() as u32);
        let last_arrival = Duration::ZERO;
        self.sent.push(Sent { room, author, due, server: None, ack: None, seen: None, last_arrival });
        number
    }

    /// A message.
    pub fn get(&self, MessageNumber(number): MessageNumber) -> Option<&Sent> {
        self.sent.get(number as usize)
    }

    /// A message, to note what came of it.
    pub fn get_mut(&mut self, MessageNumber(number): MessageNumber) -> Option<&mut Sent> {
        self.sent.get_mut(number as usize)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (MessageNumber, &Sent)> {
        (0..).map(MessageNumber).zip(&self.sent)
    }
}
