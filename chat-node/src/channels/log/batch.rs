//! The drafts of one append, and what is still to do for them. Pure.

use super::{Appended, Draft};
use crate::ids::{ChannelId, MessageId, Position};
use crate::protocol::message::{Entry, Message};
use crate::store::{Inserted, Reservation};

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

    /// The drafts that are left as messages at reserved positions.
    pub fn place(&self, reserved: Reservation, ids: &[MessageId]) -> Vec<Entry> {
        let left = self.drafts.iter().zip(&self.done).filter(|(_, done)| done.is_none());
        let positions = reserved.first.0..;
        let message = |(((draft, _), id), position): (((&Draft, _), &MessageId), u64)| {
            Entry::Message(Message {
                id: *id,
                channel_id: self.channel,
                position: Position(position),
                author: draft.author.clone(),
                content: draft.content.clone(),
                nonce: draft.nonce.clone(),
                timestamp_ms: id.timestamp_ms(),
            })
        };
        left.zip(ids).zip(positions).map(message).collect()
    }

    /// Notes what became of the entries that [`Self::place`] gave.
    pub fn settle(&mut self, entries: Vec<Entry>, outcomes: Vec<Inserted>) -> Round {
        let mut round = Round::default();
        let left = self.done.iter_mut().filter(|done| done.is_none());
        for ((done, entry), outcome) in left.zip(entries).zip(outcomes) {
            match (outcome, &entry) {
                (Inserted::New, Entry::Message(message)) => {
                    *done = Some(Appended::New(message.clone()));
                    round.stored.push(entry);
                }
                (Inserted::Known(first), _) => {
                    *done = Some(Appended::Known(first));
                    round.open.push(entry.position());
                }
                (Inserted::IdTaken, _) => round.open.push(entry.position()),
                (Inserted::PositionTaken, _) | (Inserted::New, Entry::Void { .. }) => {}
            }
        }
        round
    }

    /// The results in the order of the drafts; `None` for those that are left.
    pub fn finish(self) -> Vec<Option<Appended>> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::snowflake::EPOCH_MS;
    use crate::protocol::message::User;

    const CHANNEL: ChannelId = ChannelId(1);

    fn batch(count: usize) -> Batch {
        let author = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        let draft =
            |n: usize| Draft { author: author.clone(), content: format!("hi {n}"), nonce: format!("n{n}") };
        Batch::new(CHANNEL, (0..count).map(draft).collect())
    }

    fn place(batch: &Batch, first: u64) -> Vec<Entry> {
        let ids: Vec<_> = (0..u64::from(batch.left())).map(|n| MessageId((first + n) << 22)).collect();
        batch.place(Reservation { first: Position(first), first_ms: EPOCH_MS + first }, &ids)
    }

    fn message(entry: &Entry) -> Message {
        match entry {
            Entry::Message(message) => message.clone(),
            Entry::Void { .. } => panic!("a void"),
        }
    }

    #[test]
    fn drafts_become_messages_at_the_reserved_positions() {
        let batch = batch(2);
        let entries = place(&batch, 8);
        let second = message(&entries[1]);
        assert_eq!((second.position, second.content.as_str()), (Position(9), "hi 1"));
        assert_eq!(second.timestamp_ms, EPOCH_MS + 9);
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
            done.map(|done| (done.message().position.0, done.message().nonce.clone()))
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
