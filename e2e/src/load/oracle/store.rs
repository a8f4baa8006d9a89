//! What readers got, compared with what is kept.

use super::Oracle;
use super::violation::Kind;
use crate::load::cast::{RoomNumber, UserNumber};

/// A message as the service keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its position in the channel.
    pub position: u64,
    /// Of id, author, nonce and text, as of those that arrive.
    pub digest: u64,
}

impl Oracle {
    /// The position behind which the history of a channel is to be compared; absent if nobody followed it.
    pub fn base(&self, room: RoomNumber) -> Option<u64> {
        self.log(room).base()
    }

    /// Compares what is kept of a channel behind its base, in any order, with what its readers got. All of them got the
    /// same, so one comparison is enough.
    pub fn compare(&mut self, room: RoomNumber, (reader, kept): (UserNumber, &[Kept])) {
        let mut wrong = Vec::new();
        let log = self.log(room);
        let mut found: Vec<u64> = kept.iter().map(|message| message.position).collect();
        found.sort_unstable();
        for message in kept {
            match log.get(message.position) {
                Some(seen) if seen.is(message.digest) => {}
                Some(_) => wrong.push((Kind::Differs, message.position, "the store holds something else")),
                None => wrong.push((Kind::NotShown, message.position, "nobody got it")),
            }
        }
        for (position, seen) in log.entries() {
            if seen.is_message() && found.binary_search(&position).is_err() {
                wrong.push((Kind::NotStored, position, "the history does not have it"));
            }
        }
        wrong.sort_by_key(|(_, position, _)| *position);
        for (kind, position, why) in wrong {
            self.violated_as(kind, (reader, room, position), why.to_owned());
        }
    }
}
