//! The order of one channel on this node: entries go through by position, one after the other. What comes early is
//! held until the missing ones are there, and what was stored under a newer access version than the followers were
//! checked against is held until they are checked again.

use std::collections::BTreeMap;

use crate::ids::{AccessVersion, Position};
use crate::protocol::message::Entry;

/// Most entries that are held for one channel; more are dropped, as the store has them.
const HELD_MAX: usize = 512;

/// The gate of one channel. Closed until [`Gate::open`] says where it stands.
#[derive(Debug, Default)]
pub struct Gate {
    last: Option<Position>,
    held: BTreeMap<Position, Entry>,
    known: Option<Position>,
    access: AccessVersion,
}

/// Positions that are known to exist and have not gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The last one that went through.
    pub after: Position,
    /// The last one that is known to exist.
    pub until: Position,
}

impl Gate {
    /// Says that everything up to `last` has gone through; gives what follows it of the held entries.
    /// A gate that is open stays as it is.
    pub fn open(&mut self, last: Position) -> Vec<Entry> {
        if self.last.is_some() {
            return Vec::new();
        }
        self.last = Some(last);
        self.known = self.known.max(Some(last));
        self.held.retain(|position, _| *position > last);
        self.release()
    }

    /// Says that nothing is left up to `floor`, so that nothing is waited for there; gives what follows it of the held
    /// entries.
    pub fn skip_until(&mut self, floor: Position) -> Vec<Entry> {
        if self.last.is_none_or(|last| last >= floor) {
            return Vec::new();
        }
        self.last = Some(floor);
        self.known = self.known.max(Some(floor));
        self.held.retain(|position, _| *position > floor);
        self.release()
    }

    /// The last position that went through; `None` while closed.
    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// Takes an entry in; gives those that go through now, in order.
    pub fn offer(&mut self, entry: Entry) -> Vec<Entry> {
        let position = entry.position();
        if self.last.is_some_and(|last| position <= last) {
            return Vec::new();
        }
        self.known = self.known.max(Some(position));
        if self.last.map(Position::next) == Some(position) && entry.access() <= self.access {
            self.last = Some(position);
            let mut run = vec![entry];
            run.extend(self.release());
            return run;
        }
        self.hold(position, entry);
        Vec::new()
    }

    /// The access version up to which entries go through.
    pub fn access(&self) -> AccessVersion {
        self.access
    }

    /// Says that whoever gets what goes through may read what was stored under `access`; gives the entries that were
    /// held for that.
    pub fn admit(&mut self, access: AccessVersion) -> Vec<Entry> {
        self.access = self.access.max(access);
        self.release()
    }

    /// The access version that the next entry needs and that has not been admitted; `None`: there is no such entry.
    pub fn awaits(&self) -> Option<AccessVersion> {
        self.next().map(Entry::access).filter(|access| *access > self.access)
    }

    /// Notes that positions up to `head` exist.
    pub fn note(&mut self, head: Position) {
        self.known = self.known.max(Some(head));
    }

    /// What has to be read from the store; `None`: nothing, or closed, or the next entry is here and held.
    pub fn missing(&self) -> Option<Missing> {
        let (after, until) = (self.last?, self.known?);
        (until > after && self.next().is_none()).then_some(Missing { after, until })
    }

    fn next(&self) -> Option<&Entry> {
        self.held.get(&self.last?.next())
    }

    fn hold(&mut self, position: Position, entry: Entry) {
        self.held.insert(position, entry);
        if self.held.len() > HELD_MAX {
            // The furthest is read again last.
            self.held.pop_last();
        }
    }

    fn release(&mut self) -> Vec<Entry> {
        let Some(mut last) = self.last else { return Vec::new() };
        let mut run = Vec::new();
        while let Some(next) = self.held.first_entry().filter(|next| *next.key() == last.next()) {
            if next.get().access() > self.access {
                break;
            }
            last = last.next();
            run.push(next.remove());
        }
        self.last = Some(last);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ChannelId, MessageId};
    use crate::protocol::message::{Composed, Message, Place, User};
    use proptest::prelude::*;

    fn entry(position: u64) -> Entry {
        Entry::Void { channel_id: ChannelId::OFFICIAL, position: Position(position) }
    }

    /// A message that was stored under an access version.
    fn message(position: u64, access: u64) -> Entry {
        let place = Place {
            id: MessageId(position << 22),
            channel_id: ChannelId::OFFICIAL,
            position: Position(position),
            access: AccessVersion(access),
        };
        let author = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        Entry::Message(Message::new(place, author, position.to_string(), Composed::default()))
    }

    fn positions(run: &[Entry]) -> Vec<u64> {
        run.iter().map(|entry| entry.position().0).collect()
    }

    fn open_at(last: u64) -> Gate {
        let mut gate = Gate::default();
        assert_eq!(gate.open(Position(last)), []);
        gate
    }

    #[test]
    fn the_next_goes_through_and_the_past_is_dropped() {
        let mut gate = open_at(4);
        assert_eq!(positions(&gate.offer(entry(5))), [5]);
        assert!(positions(&gate.offer(entry(5))).is_empty());
        assert!(positions(&gate.offer(entry(1))).is_empty());
        assert_eq!(gate.missing(), None);
    }

    #[test]
    fn a_gap_holds_until_it_is_filled() {
        let mut gate = open_at(4);
        assert!(positions(&gate.offer(entry(7))).is_empty());
        assert!(positions(&gate.offer(entry(6))).is_empty());
        assert_eq!(gate.missing(), Some(Missing { after: Position(4), until: Position(7) }));
        assert_eq!(positions(&gate.offer(entry(5))), [5, 6, 7]);
        assert_eq!(gate.missing(), None);
    }

    #[test]
    fn a_head_beyond_the_last_is_missing() {
        let mut gate = open_at(4);
        gate.note(Position(6));
        assert_eq!(gate.missing(), Some(Missing { after: Position(4), until: Position(6) }));
        gate.note(Position(2));
        assert_eq!(positions(&gate.offer(entry(5))), [5]);
        assert_eq!(positions(&gate.offer(entry(6))), [6]);
        assert_eq!(gate.missing(), None);
    }

    #[test]
    fn what_is_gone_by_retention_is_not_waited_for() {
        let mut gate = open_at(4);
        assert!(positions(&gate.offer(entry(8))).is_empty());
        gate.offer(entry(6));
        assert_eq!(positions(&gate.skip_until(Position(7))), [8]);
        assert_eq!((gate.last(), gate.missing()), (Some(Position(8)), None));
        assert!(gate.skip_until(Position(3)).is_empty());
        assert_eq!(gate.last(), Some(Position(8)));
        let mut closed = Gate::default();
        assert!(closed.skip_until(Position(7)).is_empty());
        assert_eq!(closed.last(), None);
    }

    #[test]
    fn what_was_stored_under_a_newer_access_waits_until_the_followers_are_checked_and_keeps_its_order() {
        let mut gate = open_at(0);
        assert_eq!(gate.awaits(), None);
        assert!(gate.offer(message(1, 2)).is_empty());
        assert!(gate.offer(message(2, 1)).is_empty(), "nothing overtakes");
        assert!(gate.offer(message(3, 5)).is_empty());
        assert_eq!((gate.awaits(), gate.missing()), (Some(AccessVersion(2)), None));
        assert_eq!(positions(&gate.admit(AccessVersion(2))), [1, 2]);
        assert_eq!(gate.awaits(), Some(AccessVersion(5)));
        assert!(gate.admit(AccessVersion(1)).is_empty());
        assert_eq!(positions(&gate.admit(AccessVersion(6))), [3]);
        assert_eq!(gate.access(), AccessVersion(6));
        assert_eq!(positions(&gate.offer(message(4, 6))), [4]);
    }

    #[test]
    fn a_gap_behind_a_held_entry_is_missing_once_that_has_gone_through() {
        let mut gate = open_at(0);
        gate.offer(message(1, 1));
        gate.offer(message(3, 1));
        assert_eq!(gate.missing(), None);
        gate.admit(AccessVersion(1));
        assert_eq!(gate.missing(), Some(Missing { after: Position(1), until: Position(3) }));
    }

    #[test]
    fn what_comes_while_closed_goes_through_once_open() {
        let mut gate = Gate::default();
        for position in [3, 5, 6, 8] {
            assert!(positions(&gate.offer(entry(position))).is_empty());
        }
        assert_eq!(gate.missing(), None);
        assert_eq!(positions(&gate.open(Position(4))), [5, 6]);
        assert_eq!(gate.missing(), Some(Missing { after: Position(6), until: Position(8) }));
    }

    #[test]
    fn holding_is_bounded_and_what_was_dropped_stays_missing() {
        let mut gate = open_at(0);
        for position in 2..2_000 {
            gate.offer(entry(position));
        }
        let through = positions(&gate.offer(entry(1)));
        assert_eq!(through.len(), HELD_MAX + 1);
        assert_eq!(gate.missing().map(|missing| missing.until), Some(Position(1_999)));
    }

    proptest! {
        #[test]
        fn whatever_the_order_each_goes_through_once_and_in_order(
            mut arrivals in prop::collection::vec(1_u64..60, 0..200),
            opened_after in 0_usize..50,
        ) {
            arrivals.extend(1..60);
            let mut gate = Gate::default();
            let mut through = Vec::new();
            for (index, position) in arrivals.into_iter().enumerate() {
                if index == opened_after {
                    through.extend(positions(&gate.open(Position(0))));
                }
                through.extend(positions(&gate.offer(entry(position))));
            }
            prop_assert_eq!(through, (1..60).collect::<Vec<_>>());
        }
    }
}
