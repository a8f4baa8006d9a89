//! What must not happen, and the path of the message that it happened to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::load::cast::{RoomNumber, UserNumber};

use super::Oracle;

/// So many are described, the first ones.
const DESCRIBED_MAX: usize = 20;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A reader did not get a position.
    Missing,
    /// A reader got a position once more, or too late.
    Again,
    /// Two readers got different things at one position.
    Differs,
    /// A message is not as it was sent.
    Altered,
    /// A message has two positions.
    Twice,
    /// A message was acknowledged twice, with different places.
    AckedTwice,
    /// A message was never acknowledged.
    NoAck,
    /// A message is not where its ack says.
    NotWhereAcked,
    /// A message's id is not greater than that of one before it.
    IdFell,
    /// A message's id tells another time than when it was sent.
    WrongTime,
    /// A message was refused for good.
    Refused,
    /// The store does not hold what readers got.
    NotStored,
    /// The store holds what no reader got.
    NotShown,
    /// The history could not be read.
    NoHistory,
    /// A client had to give up.
    ClientLost,
}

/// Who was concerned, in which channel, at which position.
pub(super) type At = (UserNumber, RoomNumber, u64);

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// What.
    pub kind: Kind,
    /// In words, with the message's path.
    pub what: String,
}

/// All that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// How often.
    pub counts: BTreeMap<Kind, u64>,
    /// The first ones.
    pub first: Vec<Violation>,
}

impl Verdict {
    /// Whether nothing went wrong.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How much went wrong.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Notes something; `describe` is asked only for the first ones.
    pub fn add(&mut self, kind: Kind, describe: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.first.len() < DESCRIBED_MAX {
            self.first.push(Violation { kind, what: describe() });
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing lost, doubled, out of order or altered");
        }
        let counts: Vec<String> =
            self.counts.iter().map(|(kind, count)| format!("{count} {kind:?}")).collect();
        write!(f, "{}", counts.join(", "))?;
        match self.first.first() {
            Some(first) => write!(f, "; the first: {:?}: {}", first.kind, first.what),
            None => Ok(()),
        }
    }
}

impl Oracle {
    pub(super) fn violated(&mut self, kind: Kind, at: At) {
        self.violated_as(kind, at, String::new());
    }

    pub(super) fn violated_as(&mut self, kind: Kind, at: At, why: String) {
        // Most runs have none: the path is put together only for those that are shown.
        let described = self.verdict.first.len() < DESCRIBED_MAX;
        let what = if described { self.path(at, &why) } else { String::new() };
        self.verdict.add(kind, || what);
    }

    /// Who was concerned, where, and the way of the message that is or should be there.
    fn path(&self, (user, room, position): At, why: &str) -> String {
        let (user, id) = (self.run.user(user.0), self.id(room));
        let mut text = format!("{user}, channel {id}, position {position}");
        let acked = |ack: Option<super::Place>| ack.is_some_and(|place| place.position == position);
        let number = self.log(room).get(position).and_then(|seen| seen.number).or_else(|| {
            let mut sent = self.ledger.all().filter(|(_, sent)| sent.room == room);
            sent.find(|(_, sent)| acked(sent.ack)).map(|(number, _)| number)
        });
        if let Some((number, sent)) = number.and_then(|number| Some((number, self.ledger.get(number)?))) {
            let (author, nonce) = (self.run.user(sent.author.0), self.run.nonce(number));
            let through = sent.server.map_or("no server".to_owned(), |server| format!("server {server}"));
            let ack = match sent.ack {
                Some(ack) => {
                    let by = (ack.id >> 12) & 0x3FF;
                    format!(
                        "acknowledged as id {} (made by server {by}) at position {}",
                        ack.id, ack.position
                    )
                }
                None => "not acknowledged".to_owned(),
            };
            let due = sent.due.as_secs_f64();
            text += &format!(
                ": message {} of {author}, nonce {nonce}, due at {due:.3} s, sent through {through}, {ack}",
                number.0
            );
        }
        if why.is_empty() { text } else { format!("{text}: {why}") }
    }
}
