//! What is known of a channel: for every position what the first reader got there.

use crate::load::cast::UserNumber;
use crate::load::message::MessageNumber;

use super::Content;

/// What the first reader got at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Tells contents apart; [`NOTHING`] if nobody got anything yet.
    pub digest: u64,
    /// The message's id; 0 if it is none.
    pub id: u64,
    /// Which message it is, if one of this run.
    pub number: Option<MessageNumber>,
    /// Who got it.
    pub reader: UserNumber,
}

/// Nobody has seen the position.
const NOTHING: u64 = 0;
const VOID: u64 = 1;
const CHANGE: u64 = 2;
/// Digests of messages are none of the above.
const MESSAGE: u64 = 4;

impl Seen {
    /// What `reader` got.
    pub fn of(content: &Content, reader: UserNumber) -> Self {
        match content {
            Content::Void => Self { digest: VOID, id: 0, number: None, reader },
            Content::Change => Self { digest: CHANGE, id: 0, number: None, reader },
            Content::Message(message) => {
                Self { digest: message.digest | MESSAGE, id: message.id, number: message.number, reader }
            }
        }
    }

    /// Whether it is a message.
    pub fn is_message(&self) -> bool {
        self.digest & MESSAGE != 0
    }

    /// Whether it is the message with this digest.
    pub fn is(&self, digest: u64) -> bool {
        self.digest == digest | MESSAGE
    }
}

/// What came of noting something.
#[derive(Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nobody had got this position.
    First,
    /// Others got the same.
    Same,
    /// Somebody got something else.
    Other(Seen),
}

/// A channel.
#[derive(Debug)]
pub struct Log {
    /// Its id.
    pub id: u64,
    /// The position before the first one that anybody follows; absent as long as nobody follows the channel.
    base: Option<u64>,
    entries: Vec<Seen>,
    acked: u64,
}

const UNSEEN: Seen = Seen { digest: NOTHING, id: 0, number: None, reader: UserNumber(0) };

impl Log {
    /// A channel that nobody follows yet.
    pub fn new(id: u64) -> Self {
        Self { id, base: None, entries: Vec::new(), acked: 0 }
    }

    /// Somebody follows it from behind `head`.
    pub fn begin(&mut self, head: u64) {
        match self.base {
            None => self.base = Some(head),
            Some(base) if head < base => {
                let more = std::iter::repeat_n(UNSEEN, (base - head) as usize);
                self.entries.splice(0..0, more);
                self.base = Some(head);
            }
            Some(_) => {}
        }
    }

    /// Notes what somebody got at a position behind the base.
    pub fn note(&mut self, position: u64, seen: Seen) -> Noted {
        let base = *self.base.get_or_insert(position.saturating_sub(1));
        let Some(index) = position.checked_sub(base + 1) else { return Noted::Same };
        let index = index as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, UNSEEN);
        }
        let known = &mut self.entries[index];
        if known.digest == NOTHING {
            *known = seen;
            return Noted::First;
        }
        if known.digest == seen.digest { Noted::Same } else { Noted::Other(*known) }
    }

    /// A position was acknowledged, so that readers must get it.
    pub fn due(&mut self, position: u64) {
        self.acked = self.acked.max(position);
    }

    /// What is known to be at a position.
    pub fn get(&self, position: u64) -> Option<&Seen> {
        let index = position.checked_sub(self.base()? + 1)?;
        self.entries.get(usize::try_from(index).ok()?).filter(|seen| seen.digest != NOTHING)
    }

    /// The position before the first one that is known.
    pub fn base(&self) -> Option<u64> {
        self.base
    }

    /// The last position that is known of.
    pub fn last(&self) -> u64 {
        self.acked.max(self.base.unwrap_or(0) + self.entries.len() as u64)
    }

    /// Everything that is known, with the positions.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Seen)> {
        let first = self.base.unwrap_or(0) + 1;
        (first..).zip(&self.entries).filter(|(_, seen)| seen.digest != NOTHING)
    }
}
