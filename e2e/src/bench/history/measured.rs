//! What was measured of pages of history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bench::figure::Figure;
use crate::bench::store::Store;
use crate::bench::study::Study;

/// What `chat-node/benches/history` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// Each kind of page with each number of readers.
    pub rows: Vec<Row>,
}

/// Pages of one kind, read by several at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Where the messages are.
    pub store: Store,
    /// How many the store holds.
    pub messages: u64,
    /// How much is said in the channels.
    pub pace: Pace,
    /// Where in a channel the pages lie.
    pub look: Look,
    /// How many ask at once.
    pub readers: u32,
    /// In a store that has just been filled, after the kinds before.
    pub warm: Pages,
    /// In a store that was opened right before.
    pub cold: Pages,
}

/// How fast pages came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pages {
    /// To all readers together.
    pub pages_per_second: f64,
    /// From when a page was asked for, half of the times stayed below, in ms.
    pub p50_ms: f64,
    /// Nearly all of them stayed below, in ms.
    pub p99_ms: f64,
}

/// How much is said in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pace {
    /// Many messages in few buckets.
    Busy,
    /// Few messages in many buckets.
    Quiet,
}

/// Where in a channel a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Look {
    /// At the end.
    Newest,
    /// Before any message.
    Before,
    /// Around any message.
    Around,
    /// Before the message that ended the long silence.
    OverSilence,
}

/// What pages are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Where the messages are.
    pub store: Store,
    /// How much is said in the channels.
    pub pace: Pace,
    /// Where in a channel the pages lie.
    pub look: Look,
}

impl Row {
    /// What its pages are known by.
    pub fn kind(&self) -> Kind {
        Kind { store: self.store, pace: self.pace, look: self.look }
    }
}

impl Kind {
    /// What there is of it in every store.
    pub fn page(&self) -> String {
        let pace = match self.pace {
            Pace::Busy => "busy",
            Pace::Quiet => "quiet",
        };
        let look = match self.look {
            Look::Newest => "newest",
            Look::Before => "before one",
            Look::Around => "around one",
            Look::OverSilence => "over a silence",
        };
        format!("{pace}, {look}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store, self.page())
    }
}

impl Study<Measured> {
    /// All kinds of pages, each once, in the order in which they were measured.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for kind in self.rows().map(Row::kind) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// The numbers of readers, in order.
    pub fn readers(&self) -> Vec<u32> {
        let mut readers: Vec<u32> = self.rows().map(|row| row.readers).collect();
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// A measure of pages of a kind, read by so many, over all runs; `None` if there are none.
    pub fn figure(&self, (kind, readers): (Kind, u32), of: impl Fn(&Row) -> f64) -> Option<Figure> {
        Figure::of(self.rows().filter(|row| row.kind() == kind && row.readers == readers).map(of))
    }

    /// Everything that was measured.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(|part| &part.measured.rows)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::sample;
