//! What the ids of messages say: of their order in a channel, and of when they were made.

use super::violation::{At, Kind};
use super::{MessageNumber, Oracle, Place, RoomNumber};
use crate::load::ledger::Sent;

/// The bits of an id below its time in ms.
const BELOW_TIME: u32 = 22;
/// So far apart may be what ids say and when their messages were sent and came: a service knows its store's clock only as
/// well as the store answers, and a channel in which more is said than one message a ms runs ahead.
const TOLERATED_MS: i64 = 30_000;

/// What is wrong, where, and why.
type Wrong = (Kind, At, String);

impl Oracle {
    /// The messages whose ids are not greater than those before them in their channel.
    pub(super) fn falling_ids(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (room, log) in (0..).map(RoomNumber).zip(&self.rooms) {
            let mut last = 0;
            for (position, seen) in log.entries().filter(|(_, seen)| seen.is_message()) {
                if seen.id <= last {
                    let why = format!("its id {} is not above {last}, which is before it", seen.id);
                    wrong.push((Kind::IdFell, (seen.reader, room, position), why));
                }
                last = seen.id;
            }
        }
        wrong
    }

    /// The message whose id is farthest from when it was sent, by the id of another, if it is too far. Nothing need be
    /// known of the service's clock but that it is one.
    pub(super) fn wrong_time(&self) -> Option<Wrong> {
        let acked = || self.ledger.all().filter_map(|(number, sent)| Some((number, sent, sent.ack?)));
        let made = acked().map(|(_, sent, place)| (time_ms(place) - millis(sent.due), sent, place));
        let came = acked().filter(|(_, sent, _)| !sent.last_arrival.is_zero());
        let came = came.map(|(number, sent, place)| (time_ms(place) - millis(sent.last_arrival), number));
        let (earliest, sent, place): (i64, &Sent, Place) = made.min_by_key(|(ms, ..)| *ms)?;
        let (latest, other): (i64, MessageNumber) = came.max_by_key(|(ms, _)| *ms)?;
        let apart_ms = latest - earliest;
        let why = format!("by the id of message {}, it was made {apart_ms} ms before it was due", other.0);
        let at = (sent.author, sent.room, place.position);
        (apart_ms > TOLERATED_MS).then_some((Kind::WrongTime, at, why))
    }
}

fn time_ms(place: Place) -> i64 {
    (place.id >> BELOW_TIME).cast_signed()
}

fn millis(since: std::time::Duration) -> i64 {
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
