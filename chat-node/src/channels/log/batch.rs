//! The drafts of one append, and what is still to do for them. Pure.

use super::{AppendError, Appended, Content, Draft};
use crate::ids::{AccessVersion, ChannelId, MessageId, Position};
use crate::protocol::message::{ChangeEntry, Entry, Message, Place};
use crate::store::{Inserted, Reservation, Reserve};

pub(super) struct Batch {
    channel: ChannelId,
    drafts: Vec<Draft>,
    done: Vec<Option<Result<Appended, AppendError>>>,
}

/// The drafts at reserved positions, and the positions of those that were refused.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Placed {
    pub entries: Vec<Entry>,
    pub refused: Vec<Position>,
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
        self.pending().count() as u16
    }

    /// The positions that they need.
    pub fn wanted(&self) -> Reserve {
        let is_message = |draft: &Draft| matches!(draft.content, Content::Message { .. });
        let last = self.pending().enumerate().filter(|(_, draft)| is_message(draft)).last();
        Reserve { count: self.left(), last_message: last.map_or(0, |(index, _)| index as u16 + 1) }
    }

    /// The drafts among them that were checked under less than `access`.
    pub fn outdated(&self, access: AccessVersion) -> Vec<&Draft> {
        self.pending().filter(|draft| draft.checked < access).collect()
    }

    /// The drafts that are left as entries at reserved positions. `verdicts` are those on the outdated ones.
    pub fn place(
        &mut self,
        reserved: Reservation,
        ids: &[MessageId],
        verdicts: Vec<Result<(), AppendError>>,
    ) -> Placed {
        let mut placed = Placed::default();
        let mut verdicts = verdicts.into_iter();
        let left = self.drafts.iter_mut().zip(&mut self.done).filter(|(_, done)| done.is_none());
        for (((draft, done), id), position) in left.zip(ids).zip(reserved.first.0..) {
            let position = Position(position);
            if draft.checked < reserved.access {
                // No verdict is a refusal: who checks has to speak.
                let verdict = verdicts.next().unwrap_or(Err(AppendError::Busy));
                if let Err(error) = verdict {
                    *done = Some(Err(error));
                    placed.refused.push(position);
                    continue;
                }
                draft.checked = reserved.access;
            }
            let place = Place { id: *id, channel_id: self.channel, position, access: reserved.access };
            placed.entries.push(entry(draft, place));
        }
        placed
    }

    /// Notes what became of the entries that [`Self::place`] gave.
    pub fn settle(&mut self, entries: Vec<Entry>, outcomes: Vec<Inserted>) -> Round {
        let mut round = Round::default();
        let left = self.done.iter_mut().filter(|done| done.is_none());
        for ((done, entry), outcome) in left.zip(entries).zip(outcomes) {
            match (outcome, &entry) {
                (Inserted::New, Entry::Message(message)) => {
                    *done = Some(Ok(Appended::New(message.clone())));
                    round.stored.push(entry);
                }
                (Inserted::New, Entry::Change(change)) => {
                    *done = Some(Ok(Appended::Changed(change.clone())));
                    round.stored.push(entry);
                }
                (Inserted::Known(first), _) => {
                    *done = Some(Ok(Appended::Known(first)));
                    round.open.push(entry.position());
                }
                (Inserted::IdTaken, _) => round.open.push(entry.position()),
                (Inserted::PositionTaken, _) | (Inserted::New, Entry::Void { .. }) => {}
            }
        }
        round
    }

    /// The results in the order of the drafts; `None` for those that are left.
    pub fn finish(self) -> Vec<Option<Result<Appended, AppendError>>> {
        self.done
    }

    fn pending(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter().zip(&self.done).filter(|(_, done)| done.is_none()).map(|(draft, _)| draft)
    }
}

fn entry(draft: &Draft, place: Place) -> Entry {
    let author = draft.author.clone();
    match &draft.content {
        Content::Message { nonce, composed } => {
            Entry::Message(Message::new(place, author, nonce.clone(), composed.clone()))
        }
        Content::Change(change) => Entry::Change(ChangeEntry::new(place, author, change.clone())),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::channels::permit::Right;
    use crate::error::{ErrorCode, Problem};
    use crate::ids::snowflake::EPOCH_MS;
    use crate::protocol::message::{Change, Composed, User};

    const CHANNEL: ChannelId = ChannelId(1);

    /// A message that says `hi` and its nonce.
    pub fn draft(author: &str, nonce: &str) -> Draft {
        let composed = Composed { content: format!("hi {nonce}"), ..Composed::default() };
        Draft {
            author: User { id: author.parse().unwrap(), name: author.to_owned() },
            content: Content::Message { nonce: nonce.to_owned(), composed },
            needs: Right::Send,
            checked: AccessVersion(0),
        }
    }

    fn change() -> Draft {
        let change = Change::Pin { message_id: MessageId(1), pinned: true };
        Draft { content: Content::Change(change), needs: Right::Manage, ..draft("ada", "") }
    }

    fn batch(count: usize) -> Batch {
        Batch::new(CHANNEL, (0..count).map(|n| draft("ada", &format!("n{n}"))).collect())
    }

    fn reserved(first: u64, access: u64) -> Reservation {
        let access = AccessVersion(access);
        Reservation { first: Position(first), first_ms: EPOCH_MS + first, access }
    }

    fn ids(batch: &Batch, first: u64) -> Vec<MessageId> {
        (0..u64::from(batch.left())).map(|n| MessageId((first + n) << 22)).collect()
    }

    fn place(batch: &mut Batch, first: u64) -> Vec<Entry> {
        let ids = ids(batch, first);
        batch.place(reserved(first, 0), &ids, Vec::new()).entries
    }

    fn message(entry: &Entry) -> Message {
        match entry {
            Entry::Message(message) => message.clone(),
            Entry::Change(_) | Entry::Void { .. } => panic!("no message"),
        }
    }

    #[test]
    fn drafts_become_entries_at_the_reserved_positions() {
        let mut batch = Batch::new(CHANNEL, vec![draft("ada", "0"), draft("ada", "1"), change()]);
        assert_eq!(batch.wanted(), Reserve { count: 3, last_message: 2 });
        let entries = place(&mut batch, 8);
        let second = message(&entries[1]);
        assert_eq!((second.position, second.content.as_str()), (Position(9), "hi 1"));
        assert_eq!(second.timestamp_ms, EPOCH_MS + 9);
        assert!(matches!(&entries[2], Entry::Change(change) if change.position == Position(10)));
    }

    #[test]
    fn changes_alone_are_no_last_message() {
        assert_eq!(Batch::new(CHANNEL, vec![change()]).wanted(), Reserve { count: 1, last_message: 0 });
    }

    #[test]
    fn a_draft_whose_position_was_sealed_gets_another_one_and_the_results_keep_their_order() {
        let mut batch = batch(3);
        let entries = place(&mut batch, 1);
        let round = batch.settle(entries, vec![Inserted::New, Inserted::PositionTaken, Inserted::New]);
        assert_eq!((round.stored.len(), round.open.len(), batch.left()), (2, 0, 1));
        let entries = place(&mut batch, 4);
        batch.settle(entries, vec![Inserted::New]);
        let places: Vec<_> =
            batch.finish().into_iter().map(|done| done.unwrap().unwrap().place().1.0).collect();
        assert_eq!(places, [1, 4, 3]);
    }

    #[test]
    fn a_known_draft_leaves_its_position_open_and_answers_with_the_first_message() {
        let mut batch = batch(1);
        let first = message(&place(&mut batch, 1)[0]);
        let entries = place(&mut batch, 2);
        let round = batch.settle(entries, vec![Inserted::Known(first.clone())]);
        assert_eq!(round, Round { stored: vec![], open: vec![Position(2)] });
        assert_eq!(batch.finish(), [Some(Ok(Appended::Known(first)))]);
    }

    #[test]
    fn a_taken_id_leaves_its_position_open_and_the_draft_to_do() {
        let mut batch = batch(1);
        let entries = place(&mut batch, 1);
        assert_eq!(batch.settle(entries, vec![Inserted::IdTaken]).open, [Position(1)]);
        assert_eq!(batch.left(), 1);
        assert_eq!(batch.finish(), [None]);
    }

    #[test]
    fn only_what_was_checked_under_an_older_access_is_checked_again_and_what_is_refused_leaves_a_position_open()
     {
        let newer = |n: &str| Draft { checked: AccessVersion(5), ..draft("bob", n) };
        let mut batch =
            Batch::new(CHANNEL, vec![draft("ada", "0"), newer("1"), draft("eve", "2"), newer("3")]);
        let authors: Vec<_> =
            batch.outdated(AccessVersion(5)).iter().map(|draft| draft.author.name.clone()).collect();
        assert_eq!(authors, ["ada", "eve"]);

        let refusal = AppendError::Refused(Problem::new(ErrorCode::Forbidden, "no"));
        let ids = ids(&batch, 1);
        let placed = batch.place(reserved(1, 5), &ids, vec![Err(refusal.clone()), Ok(())]);
        assert_eq!(placed.refused, [Position(1)]);
        let of = |entry: &Entry| (message(entry).author.name, entry.position().0, entry.access().0);
        let placed: Vec<_> = placed.entries.iter().map(of).collect();
        let expected = [("bob", 2), ("eve", 3), ("bob", 4)];
        assert_eq!(placed, expected.map(|(name, position)| (name.to_owned(), position, 5)));
        assert_eq!(batch.finish()[0], Some(Err(refusal)));
    }

    #[test]
    fn no_verdict_is_a_refusal() {
        let mut batch = batch(1);
        let ids = ids(&batch, 1);
        assert_eq!(batch.place(reserved(1, 5), &ids, Vec::new()).refused, [Position(1)]);
    }
}
