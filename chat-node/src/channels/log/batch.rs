//! The drafts of one append, and what is still to do for them. Pure.

use super::{Appended, Draft};
use crate::ids::{ChannelId, MessageId, Position};
use crate::protocol::message::{ChangeEntry, Entry, Message, Place};
use crate::store::{Inserted, Reservation, Reserve};

pub(super) struct Batch {
    channel: ChannelId,
    drafts: Vec<Draft>,
    done: Vec<Option<Appended>>,
}

/// What one round has stored, and where its reserved positions are still open.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Round {
    pub stored: Vec<Entry>,
    pub open: Vec<Position>,
}

impl Batch {
    pub fn new(channel: ChannelId, drafts: Vec<Draft>) -> Self {
        let done = drafts.iter().map(|_| None).collect();
        Self { channel, drafts, done }
    }

    /// How many drafts still need a position.
    pub fn left(&self) -> u16 {
        self.done.iter().filter(|done| done.is_none()).count() as u16
    }

    /// The positions that the drafts that are left need.
    pub fn wanted(&self) -> Reserve {
        let is_message = |(_, draft): &(u16, &Draft)| matches!(draft, Draft::Message { .. });
        let last_message = (1..).zip(self.drafts_left()).filter(is_message).last();
        Reserve { count: self.left(), last_message: last_message.map_or(0, |(number, _)| number) }
    }

    /// The drafts that are left as entries at reserved positions.
    pub fn place(&self, reserved: Reservation, ids: &[MessageId]) -> Vec<Entry> {
        let entry = |((draft, id), position): ((&Draft, &MessageId), u64)| {
            let (position, access) = (Position(position), reserved.access);
            entry(draft, Place { id: *id, channel_id: self.channel, position, access })
        };
        self.drafts_left().zip(ids).zip(reserved.first.0..).map(entry).collect()
    }

    /// Notes what became of the entries that [`Self::place`] gave.
    pub fn settle(&mut self, entries: Vec<Entry>, outcomes: Vec<Inserted>) -> Round {
        let mut round = Round::default();
        let left = self.done.iter_mut().filter(|done| done.is_none());
        for ((done, entry), outcome) in left.zip(entries).zip(outcomes) {
            match outcome {
                Inserted::New => {
                    *done = Some(Appended::New(entry.clone()));
                    round.stored.push(entry);
                }
                Inserted::Known(first) => {
                    *done = Some(Appended::Known(first));
                    round.open.push(entry.position());
                }
                Inserted::IdTaken => round.open.push(entry.position()),
                Inserted::PositionTaken => {}
            }
        }
        round
    }

    /// The results in the order of the drafts; `None` for those that are left.
    pub fn finish(self) -> Vec<Option<Appended>> {
        self.done
    }

    fn drafts_left(&self) -> impl Iterator<Item = &Draft> {
        let left = self.drafts.iter().zip(&self.done).filter(|(_, done)| done.is_none());
        left.map(|(draft, _)| draft)
    }
}

fn entry(draft: &Draft, place: Place) -> Entry {
    match draft.clone() {
        Draft::Message { author, nonce, composed } => {
            Entry::Message(Message::new(place, author, nonce, composed))
        }
        Draft::Change { by, change } => {
            let Place { id, channel_id, position, access } = place;
            let timestamp_ms = id.timestamp_ms();
            Entry::Change(ChangeEntry { id, channel_id, position, access, by, timestamp_ms, change })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccessVersion;
    use crate::ids::snowflake::EPOCH_MS;
    use crate::protocol::message::{Change, Composed, User};

    const CHANNEL: ChannelId = ChannelId(1);
    const ACCESS: AccessVersion = AccessVersion(3);

    fn batch(count: usize) -> Batch {
        let author = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        let draft = |n: usize| {
            let composed = Composed { content: format!("hi {n}"), ..Composed::default() };
            Draft::Message { author: author.clone(), nonce: format!("n{n}"), composed }
        };
        Batch::new(CHANNEL, (0..count).map(draft).collect())
    }

    fn change() -> Draft {
        let by = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        Draft::Change { by, change: Change::Delete { message_id: MessageId(7) } }
    }

    fn place(batch: &Batch, first: u64) -> Vec<Entry> {
        let ids: Vec<_> = (0..u64::from(batch.left())).map(|n| MessageId((first + n) << 22)).collect();
        batch.place(Reservation { first: Position(first), first_ms: EPOCH_MS + first, access: ACCESS }, &ids)
    }

    fn message(entry: &Entry) -> Message {
        match entry {
            Entry::Message(message) => message.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn drafts_become_messages_at_the_reserved_positions() {
        let batch = batch(2);
        let entries = place(&batch, 8);
        let second = message(&entries[1]);
        assert_eq!((second.position, second.content.as_str()), (Position(9), "hi 1"));
        assert_eq!((second.timestamp_ms, second.access), (EPOCH_MS + 9, ACCESS));
    }

    #[test]
    fn the_last_message_is_told_from_the_changes_after_it() {
        let mut batch = batch(3);
        batch.drafts[0] = change();
        batch.drafts[2] = change();
        assert_eq!(batch.wanted(), Reserve { count: 3, last_message: 2 });
        let entries = place(&batch, 1);
        assert!(matches!(&entries[0], Entry::Change(change) if change.position == Position(1)));
        batch.settle(entries, vec![Inserted::PositionTaken, Inserted::New, Inserted::New]);
        assert_eq!(batch.wanted(), Reserve { count: 1, last_message: 0 });
    }

    #[test]
    fn a_draft_whose_position_was_sealed_gets_another_one_and_the_results_keep_their_order() {
        let mut batch = batch(3);
        let entries = place(&batch, 1);
        let round = batch.settle(entries, vec![Inserted::New, Inserted::PositionTaken, Inserted::New]);
        assert_eq!((round.stored.len(), round.open.len(), batch.left()), (2, 0, 1));
        let entries = place(&batch, 4);
        batch.settle(entries, vec![Inserted::New]);
        let place = |done: Option<Appended>| {
            done.and_then(|done| done.message().map(|first| (first.position.0, first.nonce.clone())))
        };
        let positions: Vec<_> = batch.finish().into_iter().flat_map(place).collect();
        assert_eq!(positions, [(1, "n0".to_owned()), (4, "n1".to_owned()), (3, "n2".to_owned())]);
    }

    #[test]
    fn a_known_draft_leaves_its_position_open_and_answers_with_the_first_message() {
        let mut batch = batch(1);
        let first = message(&place(&batch, 1)[0]);
        let entries = place(&batch, 2);
        let round = batch.settle(entries, vec![Inserted::Known(first.clone())]);
        assert_eq!(round, Round { stored: vec![], open: vec![Position(2)] });
        assert_eq!(batch.finish(), [Some(Appended::Known(first))]);
    }

    #[test]
    fn a_taken_id_leaves_its_position_open_and_the_draft_to_do() {
        let mut batch = batch(1);
        let entries = place(&batch, 1);
        assert_eq!(batch.settle(entries, vec![Inserted::IdTaken]).open, [Position(1)]);
        assert_eq!(batch.left(), 1);
        assert_eq!(batch.finish(), [None]);
    }
}
