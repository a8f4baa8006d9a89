//! A user's client: what it knows of its channels, which of its messages are under way, and its connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::backoff::Backoff;
use super::stream::Sink;
use crate::load::message::MessageNumber;
use crate::load::oracle::Seat;

/// Messages under way at the same time, at most; fewer than a server lets wait for its store.
const FLYING_MAX: usize = 16;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is over.
    Quit,
    /// The run broke it.
    Cut,
    /// The server had asked for it, and the time has come.
    Moved,
    /// It broke; why.
    Broken(String),
    /// The server wants this client never again; why.
    Lost(String),
}

/// What a client has seen of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// The last position.
    pub seat: Seat,
    /// What is not behind this was missed before this connection.
    pub head: u64,
}

/// A connection's way out.
#[derive(Debug)]
pub struct Link {
    /// Where to write.
    pub write: Sink,
    /// What the kernel did not take yet.
    pub unsent: Vec<u8>,
    /// The server.
    pub server: u16,
    /// How often to say something.
    pub heartbeat: Duration,
    /// Whether messages may be sent.
    pub signed_in: bool,
}

/// What changes in a client.
#[derive(Debug, Default)]
pub struct State {
    /// Its channels, by their numbers.
    pub following: Vec<Following>,
    /// Messages that wait for their acks.
    pub flying: Vec<MessageNumber>,
    /// Messages that wait for others'.
    pub waiting: VecDeque<MessageNumber>,
    /// The connection, if there is one.
    pub link: Option<Link>,
    /// Counts the connections.
    pub generation: u32,
    /// The begin of a frame whose end was not read yet.
    pub tail: Vec<u8>,
    /// Waits between tries.
    pub backoff: Backoff,
    /// When the connection that is being made was due.
    pub due: Option<Instant>,
    /// Lets another user connect when it is dropped.
    pub turn: Option<OwnedSemaphorePermit>,
    /// Whether anything was read since the last heartbeat.
    pub heard: bool,
    /// Whether it has given up for good.
    pub is_lost: bool,
    waker: Option<Waker>,
}

/// A user's client.
#[derive(Debug, Default)]
pub struct Client {
    /// What changes.
    pub state: RefCell<State>,
    /// Whether it does not read.
    pub paused: Cell<bool>,
    /// Whether it stops reading at some time: others are not to be judged by it.
    pub is_slow: bool,
    order: RefCell<Option<End>>,
}

impl Client {
    /// A client that is slow or not.
    pub fn new(is_slow: bool) -> Self {
        Self { is_slow, ..Self::default() }
    }

    /// Ends the connection.
    pub fn end(&self, how: End) {
        *self.order.borrow_mut() = Some(how);
        self.wake();
    }

    /// How the connection is to be ended, if so.
    pub fn ordered(&self) -> Option<End> {
        self.order.take()
    }

    /// Makes the client's task look again.
    pub fn wake(&self) {
        self.state.borrow_mut().wake();
    }
}

impl State {
    /// The first connection is due.
    pub fn begin(&mut self, due: Instant, turn: OwnedSemaphorePermit) {
        (self.due, self.turn) = (Some(due), Some(turn));
    }

    /// Who is to be woken.
    pub fn sleep(&mut self, waker: &Waker) {
        if self.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Makes the client's task look again.
    pub fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether something waits to be written.
    pub fn is_stuck(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.unsent.is_empty() || link.write.holds())
    }

    /// What is known of a channel.
    pub fn find(&mut self, room: crate::load::cast::RoomNumber) -> Option<&mut Following> {
        // Users have few channels, and most of what comes is of the first one.
        self.following.iter_mut().find(|following| following.seat.room == room)
    }

    /// A message is to be sent. Whether it may go now.
    pub fn submit(&mut self, number: MessageNumber) -> bool {
        let now = self.flying.len() < FLYING_MAX;
        if now {
            self.flying.push(number);
        } else {
            self.waiting.push_back(number);
        }
        now
    }

    /// A message was answered; the next one that may go.
    pub fn answered(&mut self, number: MessageNumber) -> Option<MessageNumber> {
        let place = self.flying.iter().position(|flying| *flying == number)?;
        self.flying.remove(place);
        let next = self.waiting.pop_front()?;
        self.flying.push(next);
        Some(next)
    }

    /// Whether everything was answered, and the user is there to hear more.
    pub fn is_quiet(&self) -> bool {
        let is_there = self.is_lost || self.link.as_ref().is_some_and(|link| link.signed_in);
        is_there && self.flying.is_empty() && self.waiting.is_empty()
    }
}

impl Link {
    /// Writes now what the kernel takes; the rest when it can.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let taken = if self.unsent.is_empty() { taken(self.write.try_write(bytes))? } else { 0 };
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self) -> std::io::Result<()> {
        let count = taken(self.write.try_write(&self.unsent))?;
        self.unsent.drain(..count);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(())
    }
}

fn taken(written: std::io::Result<usize>) -> std::io::Result<usize> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_few_messages_under_way_and_the_rest_follow_in_order() {
        let mut state = State::default();
        let gone = (0..20).filter(|number| state.submit(MessageNumber(*number))).count();
        assert_eq!(gone, FLYING_MAX);
        assert_eq!(state.answered(MessageNumber(3)), Some(MessageNumber(16)));
        assert_eq!(state.answered(MessageNumber(3)), None);
        for number in (0..20).filter(|number| *number != 3) {
            state.answered(MessageNumber(number));
        }
        assert!(state.flying.is_empty() && state.waiting.is_empty());
    }
}
