//! What was measured of RabbitMQ.

use std::fmt;

use crds::{QueueType, RoutingMode};
use serde::{Deserialize, Serialize};

use crate::bench::figure::Figure;
use crate::bench::study;

/// Each run on each number of brokers.
pub type Study = study::Study<Measured>;

/// What `chat-node/benches/broker` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// Nodes of RabbitMQ.
    pub brokers: u8,
    /// Its version.
    pub version: Option<String>,
    /// Each combination of queue and routing.
    pub cells: Vec<Cell>,
}

/// A combination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cell {
    /// What the server queues are.
    pub queue: QueueType,
    /// What the exchanges route by.
    pub routing: RoutingMode,
    /// Absent if nothing is bound while users come and go.
    pub binding: Option<Binding>,
    /// A queue with all its bindings is deleted.
    pub deletion: Deletion,
    /// Messages in direct channels.
    pub direct: Talk,
    /// Messages in groups of ten.
    pub group: Talk,
    /// A broker is killed; absent if there is one only.
    pub kill: Option<Kill>,
}

/// Many users, or what they follow, are bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// How many.
    pub count: u32,
    /// How fast.
    pub per_second: f64,
}

/// A queue is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// What was bound to it.
    pub bindings: u32,
    /// How long it took.
    pub took_ms: f64,
    /// The longest way of a message in the second before.
    pub before_ms: f64,
    /// The longest way of a message that was under way meanwhile.
    pub longest_ms: f64,
    /// Deliveries that did not come.
    pub missed: u64,
}

/// Messages in channels of one size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Talk {
    /// From when a message was due until a chat node had it.
    pub p50_ms: f64,
    /// The same of nearly all.
    pub p99_ms: f64,
    /// Deliveries to server queues for each message.
    pub copies: f64,
    /// The brokers' time of cores for each message.
    pub broker_us: Option<f64>,
    /// Deliveries that did not come.
    pub missed: u64,
    /// Messages a second that one chat node gets through.
    pub most_per_second: f64,
    /// The brokers' time of cores for each of these.
    pub most_broker_us: Option<f64>,
}

/// A broker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kill {
    /// From the first message that did not come to every chat node within a second to the last one.
    pub dark_s: f64,
    /// The longest way of a message that came.
    pub longest_ms: f64,
    /// Deliveries that had to be.
    pub due: u64,
    /// Those that did not come.
    pub missed: u64,
    /// Those of which no chat node knew that something may be missing.
    pub unnoticed: u64,
}

/// What a combination is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Nodes of RabbitMQ.
    pub brokers: u8,
    /// What the server queues are.
    pub queue: QueueType,
    /// What the exchanges route by.
    pub routing: RoutingMode,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {:?} · {:?}", self.brokers, self.queue, self.routing)
    }
}

impl Study {
    /// All combinations, each once, in the order in which they were measured.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for (key, _) in self.cells() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// A measure of a combination over all runs; `None` if it has none.
    pub fn figure(&self, key: Key, of: impl Fn(&Cell) -> Option<f64>) -> Option<Figure> {
        Figure::of(self.cells().filter(|(other, _)| *other == key).filter_map(|(_, cell)| of(cell)))
    }

    /// Everything that was measured, with the combination that it belongs to.
    pub fn cells(&self) -> impl Iterator<Item = (Key, &Cell)> {
        self.parts.iter().flat_map(|study::Part { measured, .. }| {
            let key =
                |cell: &Cell| Key { brokers: measured.brokers, queue: cell.queue, routing: cell.routing };
            measured.cells.iter().map(move |cell| (key(cell), cell))
        })
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::sample;
