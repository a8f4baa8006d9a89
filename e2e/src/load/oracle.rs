//! Finds what must not happen: a message that is lost, doubled, out of order, altered, shown and not stored, or stored and
//! not shown. Each reader costs one number a channel, however many messages there are: what a position holds is
//! remembered once for all readers.

mod ids;
mod log;
mod store;
mod violation;

use std::collections::HashMap;

use super::cast::{RoomNumber, UserNumber};
use super::ledger::{Ledger, Place};
use super::message::{MessageNumber, Run};
use log::{Log, Noted, Seen};

pub use store::Kept;
pub use violation::{Kind, Verdict};

/// What a reader has seen of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The channel.
    pub room: RoomNumber,
    /// The last position.
    pub last: u64,
}

/// An entry of a channel as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the channel.
    pub position: u64,
    /// What it holds.
    pub content: Content,
}

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Void,
    /// A change of something; no message.
    Change,
    /// A message.
    Message(Arrived),
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its id.
    pub id: u64,
    /// Of id, author, nonce and text.
    pub digest: u64,
    /// Which one it is; absent if it is not of this run.
    pub number: Option<MessageNumber>,
    /// Its author, if one of this run.
    pub author: Option<UserNumber>,
    /// Whether its text is the one that belongs to its number.
    pub as_written: bool,
}

/// All that is known of the channels of a run.
#[derive(Debug)]
pub struct Oracle {
    /// What was sent.
    pub ledger: Ledger,
    /// What is wrong.
    pub verdict: Verdict,
    run: Run,
    rooms: Vec<Log>,
    by_id: HashMap<u64, RoomNumber>,
}

impl Oracle {
    /// Knows these channels, by their ids in the order of their numbers, and nothing of what is in them.
    pub fn new(run: Run, ids: &[u64]) -> Self {
        let rooms = ids.iter().map(|id| Log::new(*id)).collect();
        let by_id = (0..).map(RoomNumber).zip(ids).map(|(room, id)| (*id, room)).collect();
        Self { ledger: Ledger::default(), verdict: Verdict::default(), run, rooms, by_id }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The channel with this id, if it is of this run.
    pub fn room(&self, id: u64) -> Option<RoomNumber> {
        self.by_id.get(&id).copied()
    }

    /// The id of a channel.
    pub fn id(&self, room: RoomNumber) -> u64 {
        self.log(room).id
    }

    /// A reader begins behind `head`; takes in what came before as seen by nobody.
    pub fn begins(&mut self, room: RoomNumber, head: u64) -> Seat {
        self.rooms[room.0 as usize].begin(head);
        Seat { room, last: head }
    }

    /// An entry came to a reader. Whether it is one that the reader had not got yet.
    pub fn arrived(&mut self, reader: UserNumber, seat: &mut Seat, entry: &Entry) -> bool {
        let next = seat.last + 1;
        if entry.position < next {
            self.violated(Kind::Again, (reader, seat.room, entry.position));
            return false;
        }
        if entry.position > next {
            let came = format!("after {} came {}", seat.last, entry.position);
            self.violated_as(Kind::Missing, (reader, seat.room, next), came);
        }
        seat.last = entry.position;
        let seen = Seen::of(&entry.content, reader);
        match self.rooms[seat.room.0 as usize].note(entry.position, seen) {
            Noted::Same => {}
            Noted::First => self.first_seen(reader, seat.room, entry),
            Noted::Other(first) => {
                let other = format!("{} got something else there", self.run.user(first.reader.0));
                self.violated_as(Kind::Differs, (reader, seat.room, entry.position), other);
            }
        }
        true
    }

    /// A message was acknowledged. Whether that was new.
    pub fn acknowledged(&mut self, number: MessageNumber, place: Place) -> bool {
        let Some(sent) = self.ledger.get_mut(number) else { return false };
        let (room, author) = (sent.room, sent.author);
        match sent.ack {
            None => {
                sent.ack = Some(place);
                self.rooms[room.0 as usize].due(place.position);
                true
            }
            Some(before) if before == place => false,
            Some(before) => {
                let other = format!("{before:?} was acknowledged before");
                self.violated_as(Kind::AckedTwice, (author, room, place.position), other);
                false
            }
        }
    }

    /// A message was refused for good.
    pub fn refused(&mut self, number: MessageNumber, why: &str) {
        if let Some(sent) = self.ledger.get(number) {
            let at = (sent.author, sent.room, 0);
            let which = format!("message {} ({}): {why}", number.0, self.run.nonce(number));
            self.violated_as(Kind::Refused, at, which);
        }
    }

    /// The last position that readers of a channel must have got once all is quiet.
    pub fn last(&self, room: RoomNumber) -> u64 {
        self.log(room).last()
    }

    /// A server says that it has sent everything of a channel up to `head`, and the reader has less.
    pub fn lags(&mut self, reader: UserNumber, seat: Seat, head: u64) {
        let said = format!("the heartbeat says that all up to {head} was sent");
        self.violated_as(Kind::Missing, (reader, seat.room, seat.last + 1), said);
    }

    /// A reader was never told of a channel that they are in.
    pub fn absent(&mut self, reader: UserNumber, room: RoomNumber) {
        self.violated_as(Kind::Missing, (reader, room, 0), "the channel was not in ready".to_owned());
    }

    /// After all is quiet: a reader must have got everything.
    pub fn ends(&mut self, reader: UserNumber, seat: Seat) {
        let last = self.last(seat.room);
        if seat.last < last {
            let until = format!("nothing came after {}; the last is {last}", seat.last);
            self.violated_as(Kind::Missing, (reader, seat.room, seat.last + 1), until);
        }
    }

    /// After all is quiet: every message must have been acknowledged, and be where that says; ids must rise and tell the
    /// time.
    pub fn settles(&mut self) {
        let mut wrong = self.falling_ids();
        wrong.extend(self.wrong_time());
        for (number, sent) in self.ledger.all() {
            let at = |position| (sent.author, sent.room, position);
            let which = || format!("message {} ({})", number.0, self.run.nonce(number));
            match sent.ack {
                None => wrong.push((Kind::NoAck, at(sent.seen.unwrap_or(0)), which())),
                Some(place) => {
                    let seen = self.log(sent.room).get(place.position);
                    if seen.is_none_or(|seen| seen.number != Some(number) || seen.id != place.id) {
                        wrong.push((Kind::NotWhereAcked, at(place.position), which()));
                    }
                }
            }
        }
        for (kind, at, why) in wrong {
            self.violated_as(kind, at, why);
        }
    }

    fn first_seen(&mut self, reader: UserNumber, room: RoomNumber, entry: &Entry) {
        let Content::Message(message) = &entry.content else { return };
        let at = (reader, room, entry.position);
        let Some(number) = message.number else { return };
        let Some(sent) = self.ledger.get_mut(number) else {
            return self.violated_as(Kind::Altered, at, format!("message {} was never sent", number.0));
        };
        let before = sent.seen.replace(entry.position);
        let same = message.as_written && message.author == Some(sent.author) && sent.room == room;
        if !same {
            self.violated(Kind::Altered, at);
        }
        if let Some(before) = before {
            self.violated_as(Kind::Twice, at, format!("position {before} holds it too"));
        }
    }

    fn log(&self, room: RoomNumber) -> &Log {
        &self.rooms[room.0 as usize]
    }
}

#[cfg(test)]
mod tests;
