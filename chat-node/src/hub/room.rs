//! One channel on this node: its gate and the local connections that follow it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::connections::ConnectionId;
use super::gate::{Gate, Missing};
use super::send_queue::SendQueue;
use crate::ids::{ChannelId, Position};
use crate::protocol::codec::{self, Encoded};
use crate::protocol::message::Entry;
use crate::store::ChannelKind;

/// A channel that somebody on this node follows.
#[derive(Debug)]
pub struct Room {
    /// The channel.
    pub id: ChannelId,
    /// Who may read and write it; never changes.
    pub kind: ChannelKind,
    /// Set once the gate is open; whoever comes first opens it.
    pub opened: OnceCell<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    gate: Gate,
    followers: BTreeMap<ConnectionId, SendQueue>,
    filling: bool,
    closed: bool,
}

/// What became of the wish to follow a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Whatever comes after the position will be queued.
    Joined,
    /// The room is further on: read up to here from the log first.
    Behind(Position),
    /// The room has not come so far.
    Ahead,
    /// The room is no more, or not yet open: open it again.
    Closed,
}

/// What became of something that was let into a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Entries that went through the gate.
    pub entries: usize,
    /// Frames that were queued for connections.
    pub deliveries: usize,
    /// Whether something is missing and nobody has begun to fill it.
    pub begin_fill: bool,
}

impl Room {
    pub(super) fn new(id: ChannelId, kind: ChannelKind) -> Self {
        Self { id, kind, opened: OnceCell::new(), state: Mutex::default() }
    }

    /// Opens the gate behind `last`.
    pub fn open(&self, last: Position) -> Passed {
        let mut state = self.state();
        let run = state.gate.open(last);
        state.pass(&run)
    }

    /// Lets an entry in: it is queued for every follower when its turn has come.
    pub fn receive(&self, entry: Entry) -> Passed {
        let mut state = self.state();
        let run = state.gate.offer(entry);
        state.pass(&run)
    }

    /// Notes that the channel has entries up to `head`.
    pub fn note(&self, head: Position) -> Passed {
        let mut state = self.state();
        state.gate.note(head);
        state.pass(&[])
    }

    /// Makes a connection that has seen everything up to `after` a follower.
    pub fn join(&self, connection: ConnectionId, queue: &SendQueue, after: Position) -> Join {
        let mut state = self.state();
        match state.gate.last() {
            Some(last) if !state.closed => match after.cmp(&last) {
                std::cmp::Ordering::Less => Join::Behind(last),
                std::cmp::Ordering::Greater => Join::Ahead,
                std::cmp::Ordering::Equal => {
                    state.followers.insert(connection, queue.clone());
                    Join::Joined
                }
            },
            _ => Join::Closed,
        }
    }

    /// Queues a frame that is no entry for every follower; gives how many those are.
    pub fn announce(&self, frame: &Encoded) -> usize {
        let state = self.state();
        state.followers.values().for_each(|queue| queue.push(frame));
        state.followers.len()
    }

    /// The last position that went through the gate; 0 while it is closed.
    pub fn last(&self) -> Position {
        self.state().gate.last().unwrap_or(Position(0))
    }

    /// What has to be read from the log.
    pub fn missing(&self) -> Option<Missing> {
        self.state().gate.missing()
    }

    /// The same, for who fills; `None` also ends the filling, so that the next gap begins a new one.
    pub fn missing_or_done(&self) -> Option<Missing> {
        let mut state = self.state();
        let missing = state.gate.missing();
        state.filling = missing.is_some();
        missing
    }

    /// Ends the filling although something is missing; the next entry or comparison begins a new one.
    pub fn give_up_filling(&self) {
        self.state().filling = false;
    }

    pub(super) fn leave(&self, connection: ConnectionId) {
        self.state().followers.remove(&connection);
    }

    /// Closes the room if nobody follows it.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.state();
        state.closed = state.followers.is_empty();
        state.closed
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&mut self, run: &[Entry]) -> Passed {
        let mut deliveries = 0;
        if !self.followers.is_empty() {
            for entry in run {
                let frame = codec::encode_entry(entry);
                self.followers.values().for_each(|queue| queue.push(&frame));
                deliveries += self.followers.len();
            }
        }
        let begin_fill = !self.filling && self.gate.missing().is_some();
        self.filling |= begin_fill;
        Passed { entries: run.len(), deliveries, begin_fill }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::send_queue::send_queue;
    use crate::ids::GroupId;

    fn room() -> Room {
        Room::new(ChannelId::OFFICIAL, ChannelKind::Group(GroupId::OFFICIAL))
    }

    fn entry(position: u64) -> Entry {
        Entry::Void { channel_id: ChannelId::OFFICIAL, position: Position(position) }
    }

    #[tokio::test]
    async fn a_follower_gets_what_comes_after_its_position_in_order() {
        let (queue, reader) = send_queue(10_000);
        let room = room();
        room.open(Position(4));
        assert_eq!(room.join(ConnectionId(1), &queue, Position(4)), Join::Joined);
        assert!(room.receive(entry(6)).begin_fill);
        assert_eq!(room.receive(entry(5)), Passed { entries: 2, deliveries: 2, begin_fill: false });
        let frames: Vec<_> =
            reader.take().await.frames.iter().map(|frame| frame.as_str().to_owned()).collect();
        assert!(frames[0].contains(r#""position":"5""#) && frames[1].contains(r#""position":"6""#));
    }

    #[tokio::test]
    async fn joining_needs_the_position_of_the_gate() {
        let (queue, _reader) = send_queue(10_000);
        let room = room();
        assert_eq!(room.join(ConnectionId(1), &queue, Position(4)), Join::Closed);
        room.open(Position(4));
        assert_eq!(room.join(ConnectionId(1), &queue, Position(2)), Join::Behind(Position(4)));
        assert_eq!(room.join(ConnectionId(1), &queue, Position(5)), Join::Ahead);
    }

    #[test]
    fn only_one_begins_to_fill_a_gap() {
        let room = room();
        room.open(Position(0));
        assert!(room.receive(entry(3)).begin_fill);
        assert!(!room.receive(entry(4)).begin_fill);
        assert!(room.missing_or_done().is_some());
        room.give_up_filling();
        assert!(room.note(Position(4)).begin_fill);
        room.receive(entry(1));
        room.receive(entry(2));
        assert!(room.missing_or_done().is_none());
        assert!(room.receive(entry(9)).begin_fill);
    }

    #[tokio::test]
    async fn a_room_closes_only_when_it_is_empty() {
        let (queue, _reader) = send_queue(10_000);
        let room = room();
        room.open(Position(0));
        room.join(ConnectionId(1), &queue, Position(0));
        assert!(!room.close_if_empty());
        room.leave(ConnectionId(1));
        assert!(room.close_if_empty());
        assert_eq!(room.join(ConnectionId(2), &queue, Position(0)), Join::Closed);
    }
}
