//! What clients went through, counted and timed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::cast::Talk;
use crate::load::statistics::Times;

/// Counts from the begin of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Messages that were due.
    pub sends: u64,
    /// Messages that were acknowledged.
    pub acks: u64,
    /// Entries that arrived while they were new.
    pub deliveries: u64,
    /// Entries that arrived after a reconnect, as they had been missed.
    pub replays: u64,
    /// "Is writing" that was sent.
    pub typing_sent: u64,
    /// "Is writing" that arrived; some may be left out.
    pub typing_heard: u64,
    /// Times that a client signed in.
    pub sign_ins: u64,
    /// Times that a server asked a client to move.
    pub asked_to_move: u64,
    /// Connections that the run itself broke.
    pub cut_by_run: u64,
    /// Connections that ended otherwise, by reason.
    pub broken: BTreeMap<String, u64>,
    /// Commands that were refused, by code.
    pub refused: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds one to a reason.
    pub fn add(counts: &mut BTreeMap<String, u64>, reason: &str) {
        match counts.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(counts.insert(reason.to_owned(), 1)),
        }
    }
}

/// Times of what is measured.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// From the time that a connection was due until it was signed in.
    pub sign_in: Times,
    /// The same for those that came back.
    pub come_back: Times,
    /// From the time that a message was due until its ack.
    pub ack: Times,
    /// From the time that a message was due until a reader had it.
    pub delivery: Times,
    /// The same for each kind of talk.
    pub talk: BTreeMap<Talk, Times>,
    /// The same since the last line of progress.
    pub recent: Times,
    /// The same of each second: half of its deliveries, and 99 %, were faster than this, in ms.
    pub seconds: Vec<(f64, f64)>,
    /// How late this program itself was with what was due.
    pub lateness: Times,
}

/// Counts and times.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often.
    pub counts: Counts,
    /// How long.
    pub clocks: Clocks,
    /// Users who are signed in.
    pub signed_in: u32,
    /// What is due before this is not timed.
    pub measured_from: Duration,
}

impl Tally {
    /// Whether a message that was due then is timed.
    pub fn measures(&self, due: Duration) -> bool {
        due >= self.measured_from
    }
}
