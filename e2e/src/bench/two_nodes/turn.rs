//! What was measured in a turn.

use serde::{Deserialize, Serialize};

/// The way of messages from client to client, and parts of it for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Turn {
    /// Until both users of a direct channel had the message.
    pub end_to_end: Times,
    /// Until the message was stored.
    pub store: Times,
    /// Until the other node had the message.
    pub broker: Times,
}

/// What `chat-node/benches/alone` prints if it is to measure both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alone {
    /// Until the message was stored.
    pub store: Times,
    /// Until the other node had the message.
    pub broker: Times,
}

/// Times from when something was due, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Times {
    /// How many there are.
    pub count: u64,
    /// Half of them stayed below.
    pub p50_ms: f64,
    /// Nearly all of them stayed below.
    pub p99_ms: f64,
}

type Row = (&'static str, fn(&Turn) -> Times);

/// What there is of a turn, by name.
pub const ROWS: [Row; 3] = [
    ("end to end", |turn| turn.end_to_end),
    ("store alone", |turn| turn.store),
    ("broker alone", |turn| turn.broker),
];

impl Turn {
    /// What a part of all times was end to end beyond store and broker together, in ms.
    pub fn beyond(&self, of: impl Fn(&Times) -> f64) -> f64 {
        of(&self.end_to_end) - of(&self.store) - of(&self.broker)
    }
}

#[cfg(test)]
pub use tests::sample;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::{Part, Study};
    use crate::load::Surroundings;

    /// Two turns, of which the second one was slower throughout.
    pub fn sample() -> Study<Turn> {
        let part = |factor: f64| {
            let times = |ms: f64| Times { count: 6_000, p50_ms: ms / 2.0 * factor, p99_ms: ms * factor };
            let measured = Turn { end_to_end: times(20.0), store: times(10.0), broker: times(4.0) };
            Part { measured, foreign_percent: 1.0, steal_percent: 0.5 }
        };
        Study { surroundings: Surroundings::default(), parts: vec![part(1.0), part(2.0)] }
    }

    #[test]
    fn what_the_bench_prints_is_understood() {
        let text = r#"{"store":{"count":6000,"p50Ms":5.5,"p99Ms":12.0},"broker":{"count":6000,"p50Ms":1.5,"p99Ms":4.0}}"#;
        let Alone { store, broker } = serde_json::from_str(text).unwrap();
        let end_to_end = Times { count: 6_000, p50_ms: 8.0, p99_ms: 17.0 };
        let turn = Turn { end_to_end, store, broker };
        assert_eq!((turn.beyond(|times| times.p50_ms), turn.beyond(|times| times.p99_ms)), (1.0, 1.0));
    }
}
