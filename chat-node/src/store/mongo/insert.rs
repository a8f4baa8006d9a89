//! Storing entries. The unique indexes decide; what the server says of them differs between servers, so a clash
//! is understood by reading what is there.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use mongodb::error::{Error, ErrorKind, InsertManyError};
use tokio::time::{Instant, sleep, sleep_until};

use super::Mongo;
use super::entry_rows::{EntryRow, Rival, rivals};
use super::failure::{DEADLOCK, DUPLICATE_KEY, is_deadlock};
use super::summary;
use crate::ids::MessageId;
use crate::protocol::message::{Entry, Message};
use crate::store::{Inserted, StoreError};

/// How often entries are tried whose clash cannot be understood yet: their rival may not be confirmed by a
/// majority, or writers have blocked each other.
const ATTEMPTS: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(20);
/// How long a writer stays away after the server has broken up a deadlock of writers of one key, unless it sees that
/// another has got through. The server breaks up one a second: if its victims came back as fast, there would always be
/// enough of them to block each other.
const BLOCKED: Duration = Duration::from_secs(4);
/// How often who stays away looks whether a rival has got through.
const LOOK: Duration = Duration::from_millis(250);

pub(super) async fn insert(mongo: &Mongo, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
    summary::note(mongo, entries).await?;
    let mut inserting = Inserting { mongo, entries, outcomes: vec![None; entries.len()] };
    for attempt in 0..ATTEMPTS {
        sleep(BACKOFF.mul_f64(f64::from(attempt) * (0.5 + fastrand::f64()))).await;
        let clashes = inserting.attempt().await?;
        let blocked = clashes.iter().any(|clash| clash.code != DUPLICATE_KEY);
        let away = if blocked { BLOCKED } else { Duration::ZERO };
        inserting.understand(&clashes, away.mul_f64(0.5 + fastrand::f64())).await?;
        if let Some(outcomes) = inserting.outcomes.iter().cloned().collect() {
            return Ok(outcomes);
        }
    }
    Err(StoreError::Unavailable("it is not clear yet what holds the places of some entries".to_owned()))
}

struct Inserting<'a> {
    mongo: &'a Mongo,
    entries: &'a [Entry],
    /// Of each entry; none where it is not known yet.
    outcomes: Vec<Option<Inserted>>,
}

/// An entry that was not stored.
struct Clash {
    index: usize,
    code: i32,
}

impl Inserting<'_> {
    /// Inserts what has no outcome yet.
    async fn attempt(&mut self) -> Result<Vec<Clash>, StoreError> {
        let open: Vec<_> = (0..self.entries.len()).filter(|index| self.outcomes[*index].is_none()).collect();
        let rows = open.iter().map(|index| EntryRow::new(&self.entries[*index], self.mongo.bucket)).collect();
        let of_rows = insert_rows(self.mongo, rows).await?.into_iter();
        let clashes: Vec<_> =
            of_rows.map(|Clash { index, code }| Clash { index: open[index], code }).collect();
        for index in open {
            if clashes.iter().all(|clash| clash.index != index) {
                self.outcomes[index] = Some(Inserted::New);
            }
        }
        Ok(clashes)
    }

    /// Looks what stands in the way, for so long or until all is known.
    async fn understand(&mut self, clashes: &[Clash], away: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + away;
        loop {
            for clash in clashes {
                let outcome = &mut self.outcomes[clash.index];
                if outcome.is_none() {
                    *outcome = obstacle(self.mongo, &self.entries[clash.index], clash.code).await?;
                }
            }
            let known = clashes.iter().all(|clash| self.outcomes[clash.index].is_some());
            if known || Instant::now() >= until {
                return Ok(());
            }
            sleep_until(until.min(Instant::now() + LOOK)).await;
        }
    }
}

/// Inserts rows; the indexes of the clashes are those of the rows.
async fn insert_rows(mongo: &Mongo, rows: Arc<[EntryRow]>) -> Result<Vec<Clash>, StoreError> {
    let insert = mongo.calls.run((mongo.entries(), rows), async |(entries, rows)| {
        match entries.insert_many(rows.iter()).ordered(false).await {
            Ok(_) => Ok(Vec::new()),
            // Not a failed call: it would be repeated too soon.
            Err(error) => clashes(&error, rows.len()).ok_or(error),
        }
    });
    Ok(insert.await?)
}

fn clashes(error: &Error, rows: usize) -> Option<Vec<Clash>> {
    if is_deadlock(error) {
        return Some((0..rows).map(|index| Clash { index, code: DEADLOCK }).collect());
    }
    match &*error.kind {
        ErrorKind::InsertMany(InsertManyError {
            write_errors: Some(errors),
            write_concern_error: None,
            ..
        }) => Some(errors.iter().map(|error| Clash { index: error.index, code: error.code }).collect()),
        _ => None,
    }
}

/// What stands in the way of an entry; `None` if nothing can be seen.
async fn obstacle(mongo: &Mongo, entry: &Entry, code: i32) -> Result<Option<Inserted>, StoreError> {
    let id = match entry {
        // Only its position is unique.
        Entry::Void { .. } if code == DUPLICATE_KEY => return Ok(Some(Inserted::PositionTaken)),
        Entry::Void { .. } => None,
        Entry::Message(message) => Some(message.id),
        Entry::Change(change) => Some(change.id),
    };
    let read = mongo.calls.run((mongo.entries(), rivals(entry)), async |(entries, rivals)| {
        entries.find(rivals).await?.try_collect::<Vec<_>>().await
    });
    let rivals: Result<Vec<_>, _> = read.await?.into_iter().map(EntryRow::rival).collect();
    Ok(outcome(entry, id, rivals?))
}

fn outcome(entry: &Entry, id: Option<MessageId>, rivals: Vec<Rival>) -> Option<Inserted> {
    let (mut position_taken, mut id_taken) = (false, false);
    for rival in rivals {
        let same_position = rival.channel == entry.channel() && rival.position == entry.position();
        let same_id = id.is_some() && rival.id == id;
        position_taken |= same_position;
        id_taken |= same_id;
        match (entry, rival.message) {
            (Entry::Message(own), Some(first)) if same_nonce(own, &first) => {
                return Some(if same_id { Inserted::New } else { Inserted::Known(first) });
            }
            (Entry::Change(_), None) if same_id && same_position => return Some(Inserted::New),
            _ => {}
        }
    }
    // A sealed position is the usual case, and with another position the entry gets another id.
    match (position_taken, id_taken) {
        (true, _) => Some(Inserted::PositionTaken),
        (false, true) => Some(Inserted::IdTaken),
        (false, false) => None,
    }
}

fn same_nonce(one: &Message, other: &Message) -> bool {
    let key = |message: &Message| (message.channel_id, message.author.id.clone(), message.nonce.clone());
    key(one) == key(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccessVersion, ChannelId, Position};
    use crate::protocol::message::{Composed, Place, User};

    const CHANNEL: ChannelId = ChannelId(1);

    fn message(id: u64, position: u64, nonce: &str) -> Message {
        let author = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        let (id, position, access) = (MessageId(id), Position(position), AccessVersion(0));
        let place = Place { id, channel_id: CHANNEL, position, access };
        Message::new(place, author, nonce.to_owned(), Composed::default())
    }

    fn rival(message: &Message) -> Rival {
        let (id, message) = (Some(message.id), message.clone());
        Rival { channel: CHANNEL, position: message.position, id, message: Some(message) }
    }

    fn outcome_of(own: &Message, rivals: Vec<Rival>) -> Option<Inserted> {
        outcome(&Entry::Message(own.clone()), Some(own.id), rivals)
    }

    #[test]
    fn a_message_that_met_itself_is_new() {
        let own = message(7, 1, "a");
        assert_eq!(outcome_of(&own, vec![rival(&own)]), Some(Inserted::New));
    }

    #[test]
    fn a_known_nonce_counts_more_than_a_taken_position() {
        let (own, first) = (message(7, 2, "a"), message(6, 1, "a"));
        let void = Rival { channel: CHANNEL, position: Position(2), id: None, message: None };
        assert_eq!(outcome_of(&own, vec![void, rival(&first)]), Some(Inserted::Known(first)));
    }

    #[test]
    fn a_taken_id_is_told_from_a_taken_position() {
        let own = message(7, 2, "a");
        assert_eq!(outcome_of(&own, vec![rival(&message(7, 1, "b"))]), Some(Inserted::IdTaken));
        assert_eq!(outcome_of(&own, vec![rival(&message(6, 2, "b"))]), Some(Inserted::PositionTaken));
    }

    #[test]
    fn a_void_that_was_blocked_sees_who_has_its_position() {
        let void = Entry::Void { channel_id: CHANNEL, position: Position(1) };
        let other = Rival { channel: CHANNEL, position: Position(1), id: None, message: None };
        assert_eq!(outcome(&void, None, vec![other]), Some(Inserted::PositionTaken));
        assert_eq!(outcome(&void, None, vec![]), None);
    }

    #[test]
    fn a_rival_that_does_not_show_yet_is_not_guessed() {
        assert_eq!(outcome_of(&message(7, 2, "a"), vec![]), None);
    }
}
